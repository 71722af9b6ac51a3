/* The other locks in memory: what each function refuses, what a holder, a stranger and a survivor get. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <sys/mman.h>

#define LIMIT (20 * UNIPC_SECOND)
#define INVALID(call) CHECK_EQUAL(call, -EINVAL)

static union place {
  unipc_spinlock spinlock;
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

static void spinlocks(void) {
  unipc_spinlock *lock = &place->spinlock, *misaligned = (void *)(place->bytes + 1), *const wrong[] = {NULL, misaligned};
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

int main(void) {
  house before = house_now();
  place = mmap(NULL, sizeof *place, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(place != MAP_FAILED);
  spinlocks();
  munmap(place, sizeof *place);
  house_check(before);
  return 0;
}
