/* The other locks in memory: what each function refuses, what a holder, a stranger and a survivor get. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <sys/mman.h>

#define LIMIT (20 * UNIPC_SECOND)
#define INVALID(call) CHECK_EQUAL(call, -EINVAL)

static union place {
  unipc_spinlock spinlock;
  unipc_event event;
  unipc_rwlock rwlock;
  unipc_barrier barrier;
  struct {
    unipc_mutex mutex;
    unipc_condvar condvar;
    int value;
  } room;
  char bytes[4096];
} *place;

static int in_child(int (*work)(void)) {
  pid_t child = fork();
  if (child == 0) _exit(work());
  return exit_status_of(child);
}

static int is_refused(void) {
  unipc_spinlock *lock = &place->spinlock;
  return unipc_spinlock_try_lock(lock) != -EAGAIN || unipc_spinlock_lock(lock, UNIPC_MILLISECOND) != -ETIMEDOUT ||
         unipc_spinlock_unlock(lock) != -EPERM || unipc_spinlock_mark_consistent(lock) != -EPERM;
}

static int dies_inside(void) { return unipc_spinlock_lock_recover(&place->spinlock, LIMIT) < 0; }

/* Set by main: NULL, and a place that is not at a multiple of 8. */
static void *wrong[2];

static void spinlocks(void) {
  unipc_spinlock *lock = &place->spinlock;
  for (int i = 0; i < 2; i++) {
    INVALID(unipc_spinlock_init(wrong[i]));
    INVALID(unipc_spinlock_lock(wrong[i], 0));
    INVALID(unipc_spinlock_try_lock(wrong[i]));
    INVALID(unipc_spinlock_lock_recover(wrong[i], 0));
    INVALID(unipc_spinlock_mark_consistent(wrong[i]));
    INVALID(unipc_spinlock_unlock(wrong[i]));
  }
  CHECK_EQUAL(unipc_spinlock_unlock(lock), -EPERM);
  CHECK_EQUAL(unipc_spinlock_mark_consistent(lock), -EPERM);
  CHECK_EQUAL(unipc_spinlock_lock(lock, INT64_MIN), 0);
  CHECK_EQUAL(unipc_spinlock_lock(lock, LIMIT), -EDEADLK);
  CHECK_EQUAL(in_child(is_refused), 0);
  CHECK_EQUAL(unipc_spinlock_unlock(lock), 0);

  CHECK_EQUAL(in_child(dies_inside), 0);
  CHECK_EQUAL(unipc_spinlock_lock(lock, LIMIT), -EOWNERDEAD);
  CHECK_EQUAL(unipc_spinlock_unlock(lock), -EPERM);
  CHECK_EQUAL(in_child(dies_inside), 0);
  CHECK_EQUAL(unipc_spinlock_lock_recover(lock, 0), UNIPC_NEEDS_REPAIR);
  CHECK_EQUAL(unipc_spinlock_unlock(lock), 0);
  CHECK_EQUAL(unipc_spinlock_lock_recover(lock, LIMIT), UNIPC_NEEDS_REPAIR);
  CHECK_EQUAL(unipc_spinlock_mark_consistent(lock), 0);
  CHECK_EQUAL(unipc_spinlock_unlock(lock), 0);
  CHECK_EQUAL(unipc_spinlock_try_lock(lock), 0);
  CHECK_EQUAL(unipc_spinlock_unlock(lock), 0);

  memset(place, 0x5a, sizeof *place);
  CHECK_EQUAL(unipc_spinlock_lock(lock, 0), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_spinlock_unlock(lock), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_spinlock_mark_consistent(lock), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_spinlock_init(lock), 0);
  CHECK_EQUAL(unipc_spinlock_lock_recover(lock, 0), 0);
  CHECK_EQUAL(unipc_spinlock_unlock(lock), 0);
}

static void events(void) {
  unipc_event *event = &place->event;
  unipc_event_options options = UNIPC_EVENT_OPTIONS_INIT;
  for (int i = 0; i < 2; i++) {
    INVALID(unipc_event_init(wrong[i], NULL));
    INVALID(unipc_event_set(wrong[i]));
    INVALID(unipc_event_reset(wrong[i]));
    INVALID(unipc_event_is_set(wrong[i]));
    INVALID(unipc_event_wait(wrong[i], 0));
    INVALID(unipc_event_try_wait(wrong[i]));
  }
  CHECK_EQUAL(unipc_event_is_set(event), 0);
  CHECK_EQUAL(unipc_event_try_wait(event), -EAGAIN);
  CHECK_EQUAL(unipc_event_wait(event, INT64_MIN), -EAGAIN);
  CHECK_EQUAL(unipc_event_wait(event, UNIPC_MILLISECOND), -ETIMEDOUT);
  CHECK_EQUAL(unipc_event_set(event), 0);
  CHECK_EQUAL(unipc_event_wait(event, 0), 0);
  CHECK_EQUAL(unipc_event_wait(event, UNIPC_FOREVER), 0);
  CHECK_EQUAL(unipc_event_is_set(event), 1);
  CHECK_EQUAL(unipc_event_reset(event), 1);
  CHECK_EQUAL(unipc_event_reset(event), 0);

  options.flags = 2;
  INVALID(unipc_event_init(event, &options));
  options.flags = UNIPC_EVENT_AUTOMATIC_RESET;
  options.set = 2;
  INVALID(unipc_event_init(event, &options));
  options.set = 1;
  CHECK_EQUAL(unipc_event_init(event, &options), 0);
  CHECK_EQUAL(unipc_event_wait(event, LIMIT), 0);
  CHECK_EQUAL(unipc_event_try_wait(event), -EAGAIN);
  CHECK_EQUAL(unipc_event_set(event), 0);
  CHECK_EQUAL(unipc_event_set(event), 0);
  CHECK_EQUAL(unipc_event_try_wait(event), 0);
  CHECK_EQUAL(unipc_event_is_set(event), 0);
  unipc_event_options_init(&options);
  CHECK_EQUAL(options.struct_size, sizeof options);
  CHECK_EQUAL(unipc_event_init(event, &options), 0);
  CHECK_EQUAL(unipc_event_is_set(event), 0);

  memset(place, 0x5a, sizeof *place);
  CHECK_EQUAL(unipc_event_set(event), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_event_wait(event, 0), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_event_reset(event), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_event_is_set(event), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_event_init(event, NULL), 0);
  CHECK_EQUAL(unipc_event_is_set(event), 0);
}

static int is_shared(void) {
  unipc_rwlock *lock = &place->rwlock;
  return unipc_rwlock_try_write_lock(lock) != -EAGAIN || unipc_rwlock_write_lock(lock, UNIPC_MILLISECOND) != -ETIMEDOUT ||
         unipc_rwlock_try_read_lock(lock) != 0 || unipc_rwlock_unlock(lock) != 0 || unipc_rwlock_unlock(lock) != -EPERM;
}

static int is_locked(void) {
  unipc_rwlock *lock = &place->rwlock;
  return unipc_rwlock_try_write_lock(lock) != -EAGAIN || unipc_rwlock_try_read_lock(lock) != -EAGAIN ||
         unipc_rwlock_read_lock_recover(lock, UNIPC_MILLISECOND) != -ETIMEDOUT || unipc_rwlock_mark_consistent(lock) != -EPERM ||
         unipc_rwlock_unlock(lock) != -EPERM;
}

static int dies_reading(void) { return unipc_rwlock_read_lock(&place->rwlock, LIMIT) < 0; }
static int dies_writing(void) { return unipc_rwlock_write_lock_recover(&place->rwlock, LIMIT) < 0; }

static void rwlocks(void) {
  unipc_rwlock *lock = &place->rwlock;
  for (int i = 0; i < 2; i++) {
    INVALID(unipc_rwlock_init(wrong[i]));
    INVALID(unipc_rwlock_read_lock(wrong[i], 0));
    INVALID(unipc_rwlock_try_read_lock(wrong[i]));
    INVALID(unipc_rwlock_read_lock_recover(wrong[i], 0));
    INVALID(unipc_rwlock_write_lock(wrong[i], 0));
    INVALID(unipc_rwlock_try_write_lock(wrong[i]));
    INVALID(unipc_rwlock_write_lock_recover(wrong[i], 0));
    INVALID(unipc_rwlock_mark_consistent(wrong[i]));
    INVALID(unipc_rwlock_unlock(wrong[i]));
  }
  for (int i = 0; i < 3; i++) {
    CHECK_EQUAL(unipc_rwlock_unlock(lock), -EPERM);
    CHECK_EQUAL(unipc_rwlock_read_lock(lock, i - 1), 0);
    CHECK_EQUAL(unipc_rwlock_read_lock(lock, LIMIT), -EDEADLK);
    CHECK_EQUAL(unipc_rwlock_try_write_lock(lock), -EDEADLK);
    CHECK_EQUAL(unipc_rwlock_mark_consistent(lock), -EPERM);
    CHECK_EQUAL(in_child(is_shared), 0);
    CHECK_EQUAL(unipc_rwlock_unlock(lock), 0);
    CHECK_EQUAL(unipc_rwlock_write_lock(lock, UNIPC_FOREVER), 0);
    CHECK_EQUAL(unipc_rwlock_write_lock_recover(lock, LIMIT), -EDEADLK);
    CHECK_EQUAL(unipc_rwlock_mark_consistent(lock), 0);
    CHECK_EQUAL(in_child(is_locked), 0);
    CHECK_EQUAL(unipc_rwlock_unlock(lock), 0);
  }
  CHECK_EQUAL(in_child(dies_reading), 0);
  CHECK_EQUAL(unipc_rwlock_write_lock(lock, LIMIT), 0);
  CHECK_EQUAL(unipc_rwlock_unlock(lock), 0);

  CHECK_EQUAL(in_child(dies_writing), 0);
  CHECK_EQUAL(unipc_rwlock_read_lock(lock, LIMIT), -EOWNERDEAD);
  CHECK_EQUAL(unipc_rwlock_try_write_lock(lock), -EOWNERDEAD);
  CHECK_EQUAL(unipc_rwlock_read_lock_recover(lock, LIMIT), UNIPC_NEEDS_REPAIR);
  CHECK_EQUAL(in_child(is_locked), 0);
  CHECK_EQUAL(unipc_rwlock_unlock(lock), 0);
  CHECK_EQUAL(in_child(dies_writing), 0);
  CHECK_EQUAL(unipc_rwlock_write_lock_recover(lock, 0), UNIPC_NEEDS_REPAIR);
  CHECK_EQUAL(unipc_rwlock_mark_consistent(lock), 0);
  CHECK_EQUAL(unipc_rwlock_unlock(lock), 0);
  CHECK_EQUAL(unipc_rwlock_read_lock_recover(lock, 0), 0);
  CHECK_EQUAL(unipc_rwlock_unlock(lock), 0);

  memset(place, 0x5a, sizeof *place);
  CHECK_EQUAL(unipc_rwlock_read_lock(lock, 0), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_rwlock_write_lock(lock, 0), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_rwlock_unlock(lock), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_rwlock_mark_consistent(lock), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_rwlock_init(lock), 0);
  CHECK_EQUAL(unipc_rwlock_try_write_lock(lock), 0);
  CHECK_EQUAL(unipc_rwlock_unlock(lock), 0);
}

static int is_below(void *argument) { return place->room.value < *(int *)argument; }

static int raises(void) {
  for (int i = 0; i < 3; i++) {
    if (unipc_mutex_lock(&place->room.mutex, LIMIT) != 0) return 1;
    place->room.value++;
    int result = i == 2 ? unipc_condvar_notify_all(&place->room.condvar) : unipc_condvar_notify_one(&place->room.condvar);
    if (result != 0 || unipc_mutex_unlock(&place->room.mutex) != 0) return 2;
  }
  return 0;
}

static int dies_holding(void) { return unipc_mutex_lock(&place->room.mutex, LIMIT); }

static void condvars(void) {
  unipc_condvar *condvar = &place->room.condvar;
  unipc_mutex *mutex = &place->room.mutex;
  int limit = 3;
  for (int i = 0; i < 2; i++) {
    INVALID(unipc_condvar_init(wrong[i]));
    INVALID(unipc_condvar_wait(wrong[i], mutex, 0));
    INVALID(unipc_condvar_wait(condvar, wrong[i], 0));
    INVALID(unipc_condvar_wait_while(wrong[i], mutex, is_below, &limit, 0));
    INVALID(unipc_condvar_wait_while(condvar, wrong[i], is_below, &limit, 0));
    INVALID(unipc_condvar_notify_one(wrong[i]));
    INVALID(unipc_condvar_notify_all(wrong[i]));
  }
  INVALID(unipc_condvar_wait_while(condvar, mutex, NULL, &limit, 0));
  CHECK_EQUAL(unipc_condvar_notify_one(condvar), 0);
  CHECK_EQUAL(unipc_condvar_notify_all(condvar), 0);
  CHECK_EQUAL(unipc_condvar_wait(condvar, mutex, LIMIT), -EPERM);
  CHECK_EQUAL(unipc_mutex_lock(mutex, LIMIT), 0);
  CHECK_EQUAL(unipc_condvar_wait(condvar, mutex, 0), -EAGAIN);
  CHECK_EQUAL(unipc_condvar_wait(condvar, mutex, UNIPC_MILLISECOND), -ETIMEDOUT);
  CHECK_EQUAL(unipc_condvar_wait_while(condvar, mutex, is_below, &limit, UNIPC_MILLISECOND), -ETIMEDOUT);
  pid_t child = fork();
  if (child == 0) _exit(raises());
  CHECK_EQUAL(unipc_condvar_wait_while(condvar, mutex, is_below, &limit, LIMIT), 0);
  CHECK_EQUAL(place->room.value, limit);
  CHECK_EQUAL(exit_status_of(child), 0);
  child = fork();
  if (child == 0) _exit(dies_holding());
  CHECK_EQUAL(unipc_condvar_wait(condvar, mutex, LIMIT), UNIPC_NEEDS_REPAIR);
  CHECK_EQUAL(exit_status_of(child), 0);
  CHECK_EQUAL(unipc_mutex_mark_consistent(mutex), 0);
  memset(condvar, 0x5a, sizeof *condvar);
  CHECK_EQUAL(unipc_condvar_wait(condvar, mutex, 0), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_condvar_notify_one(condvar), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_condvar_init(condvar), 0);
  CHECK_EQUAL(unipc_condvar_wait(condvar, mutex, 0), -EAGAIN);
  CHECK_EQUAL(unipc_mutex_unlock(mutex), 0);
}

static int comes_once(void) { return unipc_barrier_wait(&place->barrier, LIMIT) < 0 || unipc_barrier_leave(&place->barrier) != 0; }
static int joins_and_dies(void) { return unipc_barrier_join(&place->barrier); }

static void barriers(void) {
  unipc_barrier *barrier = &place->barrier;
  for (int i = 0; i < 2; i++) {
    INVALID(unipc_barrier_init(wrong[i], 1));
    INVALID(unipc_barrier_join(wrong[i]));
    INVALID(unipc_barrier_leave(wrong[i]));
    INVALID(unipc_barrier_wait(wrong[i], 0));
    INVALID(unipc_barrier_reset(wrong[i]));
    INVALID(unipc_barrier_is_broken(wrong[i]));
  }
  INVALID(unipc_barrier_wait(barrier, 0));
  INVALID(unipc_barrier_join(barrier));
  INVALID(unipc_barrier_init(barrier, 0));
  INVALID(unipc_barrier_init(barrier, UNIPC_BARRIER_PARTIES + 1));
  CHECK_EQUAL(unipc_barrier_init(barrier, UNIPC_BARRIER_PARTIES), 0);
  CHECK_EQUAL(unipc_barrier_init(barrier, 1), 0);
  CHECK_EQUAL(unipc_barrier_wait(barrier, INT64_MIN), 1);
  CHECK_EQUAL(unipc_barrier_leave(barrier), 0);
  CHECK_EQUAL(unipc_barrier_leave(barrier), -EPERM);

  CHECK_EQUAL(unipc_barrier_init(barrier, 2), 0);
  CHECK_EQUAL(unipc_barrier_wait(barrier, 0), -EAGAIN);
  CHECK_EQUAL(unipc_barrier_wait(barrier, UNIPC_MILLISECOND), -ETIMEDOUT);
  pid_t child = fork();
  if (child == 0) _exit(comes_once());
  CHECK(unipc_barrier_wait(barrier, LIMIT) >= 0);
  CHECK_EQUAL(exit_status_of(child), 0);
  CHECK_EQUAL(unipc_barrier_is_broken(barrier), 0);
  CHECK_EQUAL(unipc_barrier_reset(barrier), 0);

  CHECK_EQUAL(in_child(joins_and_dies), 0);
  CHECK_EQUAL(unipc_barrier_wait(barrier, LIMIT), -EOWNERDEAD);
  CHECK_EQUAL(unipc_barrier_join(barrier), -EOWNERDEAD);
  CHECK_EQUAL(unipc_barrier_is_broken(barrier), 1);
  CHECK_EQUAL(unipc_barrier_reset(barrier), 1);
  child = fork();
  if (child == 0) _exit(comes_once());
  CHECK(unipc_barrier_wait(barrier, LIMIT) >= 0);
  CHECK_EQUAL(exit_status_of(child), 0);

  memset(place, 0x5a, sizeof *place);
  CHECK_EQUAL(unipc_barrier_wait(barrier, 0), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_barrier_join(barrier), UNIPC_INCOMPATIBLE);
}

int main(void) {
  house before = house_now();
  place = mmap(NULL, sizeof *place, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(place != MAP_FAILED);
  wrong[1] = place->bytes + 1;
  spinlocks();
  void (*const rest[])(void) = {events, rwlocks, condvars, barriers};
  for (int i = 0; i < 4; i++) {
    memset(place, 0, sizeof *place);
    rest[i]();
  }
  munmap(place, sizeof *place);
  house_check(before);
  return 0;
}
