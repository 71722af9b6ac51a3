/* A set of System V semaphores: a lock that comes back from a holder that was killed, and two things that are
 * taken in one step, so that nobody holds the one and waits for the other.
 *
 * What a process does with UNIPC_SYSV_SEMAPHORES_UNDO the kernel takes back when the process ends, however it does. It
 * takes back with undo what it gave with undo, too: both sides of a pair are done so.
 *
 * Run:     sysv_semaphores [PATH]    a file to make the key of; else the set has none
 * Prints:  4 processes x 1000 increments = 4000, and what happened to the lock
 */
#include "example.h"

#define PROCESSES 4
#define INCREMENTS 1000
#define UNDO UNIPC_SYSV_SEMAPHORES_UNDO

enum { LOCK, TOLD, FORK, KNIFE };

static int count(unipc_sysv_semaphores *set, int64_t *counter) {
  for (int i = 0; i < INCREMENTS; i++) {
    int r = unipc_sysv_semaphores_wait(set, LOCK, UNDO, PATIENCE);
    if (r < 0) return unipc_error_print("lock", r);
    ++*counter;
    r = unipc_sysv_semaphores_post(set, LOCK, UNDO);
    if (r < 0) return unipc_error_print("unlock", r);
  }
  return 0;
}

static int hold(unipc_sysv_semaphores *set) {
  int r = unipc_sysv_semaphores_wait(set, LOCK, UNDO, PATIENCE);
  if (r < 0) return unipc_error_print("lock", r);
  r = unipc_sysv_semaphores_post(set, TOLD, 0); /* this stays given */
  if (r < 0) return unipc_error_print("tell", r);
  for (;;) pause();
}

/* Each begins with the other thing. Taken one after the other, this would not last long. */
static int eat(unipc_sysv_semaphores *set, uint16_t first, uint16_t second) {
  const unipc_sysv_operation take[] = {{first, -1, UNDO}, {second, -1, UNDO}}, give[] = {{first, 1, UNDO}, {second, 1, UNDO}};
  for (int i = 0; i < INCREMENTS; i++) {
    int r = unipc_sysv_semaphores_operate(set, take, 2, PATIENCE);
    if (r < 0) return unipc_error_print("take both", r);
    r = unipc_sysv_semaphores_operate(set, give, 2, PATIENCE);
    if (r < 0) return unipc_error_print("give both", r);
  }
  return 0;
}

static int counting(unipc_sysv_semaphores *set, int64_t *counter) {
  pid_t children[PROCESSES];
  int failed = 0;
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(count(set, counter));
    failed |= children[i] < 0;
  }
  for (int i = 0; i < PROCESSES; i++) {
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  printf("%d processes x %d increments = %lld\n", PROCESSES, INCREMENTS, (long long)*counter);
  return failed;
}

static int dying(unipc_sysv_semaphores *set) {
  pid_t holder = example_fork();
  if (holder < 0) return 1;
  if (holder == 0) example_exit(hold(set));
  int told = unipc_sysv_semaphores_wait(set, TOLD, 0, PATIENCE);
  int taken = unipc_sysv_semaphores_try_wait(set, LOCK, UNDO);
  kill(holder, SIGKILL);
  int back = unipc_sysv_semaphores_wait(set, LOCK, UNDO, PATIENCE);
  waitpid(holder, NULL, 0);
  if (told < 0) return unipc_error_print("holder", told);
  if (taken != -EAGAIN) return unipc_error_print("a lock that is held", taken);
  printf("The lock is held\n");
  if (back < 0) return unipc_error_print("lock", back);
  printf("Its holder was killed, and it came back\n");
  return unipc_sysv_semaphores_post(set, LOCK, UNDO) < 0;
}

static int dining(unipc_sysv_semaphores *set) {
  pid_t other = example_fork();
  if (other < 0) return 1;
  if (other == 0) example_exit(eat(set, KNIFE, FORK));
  int failed = eat(set, FORK, KNIFE);
  failed |= example_wait(other);
  if (!failed) printf("Two that take two things, each in its order, %d times: no deadlock\n", INCREMENTS);
  return failed;
}

static int make(int argc, char **argv, unipc_sysv_semaphores **set) {
  const uint32_t values[] = {1, 0, 1, 1};
  unipc_sysv_semaphores_options options = UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT;
  options.count = 4, options.values = values, options.temporary = 1;
  if (argc < 2) return unipc_sysv_semaphores_create_private(&options, set);
  int32_t key;
  int r = unipc_sysv_key(argv[1], 1, &key);
  return r < 0 ? r : unipc_sysv_semaphores_create(key, &options, set);
}

int main(int argc, char **argv) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(int64_t);
  unipc_memory *memory;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  unipc_sysv_semaphores *set;
  r = make(argc, argv, &set);
  if (r < 0) {
    unipc_memory_close(memory);
    return unipc_error_print("semaphores", r);
  }
  int failed = counting(set, (int64_t *)unipc_memory_address(memory)) || dying(set) || dining(set);
  unipc_sysv_semaphores_close(set);
  unipc_memory_close(memory);
  return failed;
}
