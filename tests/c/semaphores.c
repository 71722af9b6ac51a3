/* System V semaphores with plain C on the other end, both ways: semget and semop, as any program would call them; ipcs and ipcrm. Futexes between
   processes. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/wait.h>

#define LIMIT (20 * UNIPC_SECOND)

union argument {
  int val;
  struct semid_ds *buf;
  unsigned short *array;
};

static int32_t key;

static void ours_then_plain(void) {
  uint32_t values[3] = {2, 0, 7};
  unipc_sysv_semaphores_options options = UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT;
  options.count = 3, options.values = values, options.mode = 0640, options.temporary = 1;
  unipc_sysv_semaphores *set;
  CHECK_EQUAL(unipc_sysv_semaphores_create(key, &options, &set), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_create(key, &options, &(unipc_sysv_semaphores *){NULL}), -EEXIST);
  pid_t child = fork();
  if (child == 0) {
    int plain = semget(key, 3, 0600);
    CHECK_EQUAL(plain, unipc_sysv_semaphores_id(set));
    struct semid_ds status;
    CHECK_EQUAL(semctl(plain, 0, IPC_STAT, (union argument){.buf = &status}), 0);
    CHECK(status.sem_nsems == 3 && (status.sem_perm.mode & 0777) == 0640);
    CHECK(status.sem_otime != 0); /* what plain programs wait for before they use a set that others make */
    CHECK_EQUAL(semctl(plain, 2, GETVAL), 7);
    struct sembuf operations[] = {{0, -2, SEM_UNDO}, {1, 1, 0}, {2, -7, 0}, {2, 0, 0}};
    CHECK_EQUAL(semop(plain, operations, 4), 0);
    pause();
    _exit(0);
  }
  CHECK_EQUAL(unipc_sysv_semaphores_wait(set, 1, 0, LIMIT), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_try_wait(set, 0, 0), -EAGAIN);
  CHECK_EQUAL(unipc_sysv_semaphores_last_process(set, 2), child);
  CHECK_EQUAL(unipc_sysv_semaphores_wait_zero(set, 2, LIMIT), 0);
  kill(child, SIGKILL);
  CHECK_EQUAL(unipc_sysv_semaphores_wait(set, 0, 0, LIMIT), 0); /* what the dead one held comes back */
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK_EQUAL(unipc_sysv_semaphores_get_values(set, values, 3), 3);
  CHECK(values[0] == 1 && values[1] == 0 && values[2] == 0);

  char command[128];
  snprintf(command, sizeof command, "ipcs -s | grep -qw 0x%08x", (unsigned)key);
  CHECK_EQUAL(system(command), 0);
  snprintf(command, sizeof command, "ipcrm -s %d", unipc_sysv_semaphores_id(set));
  CHECK_EQUAL(system(command), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_post(set, 0, 0), -EIDRM);
  unipc_sysv_semaphores_close(set);
}

static void plain_then_ours(void) {
  int plain = semget(key, 2, IPC_CREAT | IPC_EXCL | 0600);
  CHECK(plain >= 0);
  unsigned short values[] = {0, 4};
  CHECK_EQUAL(semctl(plain, 0, SETALL, (union argument){.array = values}), 0);
  unipc_sysv_semaphores *set;
  unipc_sysv_semaphores_options options = UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT;
  options.count = 3;
  CHECK_EQUAL(unipc_sysv_semaphores_open(key, &options, &set), UNIPC_WRONG_SIZE);
  CHECK_EQUAL(unipc_sysv_semaphores_open(key, NULL, &set), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_count(set), 2);
  CHECK_EQUAL(unipc_sysv_semaphores_value(set, 1), 4);
  pid_t child = fork();
  if (child == 0) {
    struct sembuf take = {0, -3, 0};
    _exit(semop(plain, &take, 1) != 0);
  }
  while (unipc_sysv_semaphores_waiters(set, 0) == 0) sched_yield();
  unipc_sysv_operation operations[] = {{0, 3, 0}, {1, -1, UNIPC_SYSV_SEMAPHORES_UNDO}};
  CHECK_EQUAL(unipc_sysv_semaphores_operate(set, operations, 2, LIMIT), 0);
  CHECK_EQUAL(exit_status_of(child), 0);
  CHECK_EQUAL(semctl(plain, 1, GETVAL), 3);
  CHECK_EQUAL(unipc_sysv_semaphores_set_value(set, 1, 9), 0);
  CHECK_EQUAL(semctl(plain, 1, GETVAL), 9);
  CHECK_EQUAL(unipc_sysv_semaphores_remove_key(key), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_remove(set), -EIDRM);
  unipc_sysv_semaphores_close(set);
}

static void stops(void) {
  unipc_stop *stop;
  unipc_sysv_semaphores *set;
  unipc_sysv_semaphores_options options = UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT;
  options.temporary = 1;
  CHECK_EQUAL(unipc_stop_create(&stop), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_create_private(&options, &set), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_wait(set, 0, 0, UNIPC_MILLISECOND), -ETIMEDOUT);
  CHECK_EQUAL(unipc_stop_request(stop), 0);
  CHECK_EQUAL(unipc_stop_bind(stop), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_wait(set, 0, 0, UNIPC_FOREVER), -ECANCELED);
  CHECK_EQUAL(unipc_stop_bind(NULL), 0);
  unipc_sysv_semaphores_close(set);
  unipc_stop_close(stop);
}

/* Two processes take turns by a word. */
static void futexes(void) {
  _Atomic uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(word != MAP_FAILED);
  pid_t child = fork();
  for (uint32_t round = 0; round < 200; round++) {
    uint32_t mine = 2 * round + (child == 0), now;
    while ((now = atomic_load(word)) != mine) CHECK_EQUAL(unipc_futex_wait((void *)word, now, LIMIT), 0);
    atomic_store(word, mine + 1);
    CHECK(unipc_futex_wake((void *)word, 1) >= 0);
  }
  if (child == 0) _exit(0);
  CHECK_EQUAL(exit_status_of(child), 0);
  CHECK_EQUAL(atomic_load(word), 400);
  munmap((void *)word, 4096);
}

int main(void) {
  CHECK_EQUAL(unipc_sysv_key("/", 's', &key), 0);
  key ^= getpid(); /* others may run this at the same time */
  house before = house_now();
  ours_then_plain();
  plain_then_ours();
  stops();
  futexes();
  house_check(before);
  return 0;
}
