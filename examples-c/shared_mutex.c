/* Several processes count in shared memory under a mutex that lies beside the counter. Zero bytes are an
 * unlocked mutex: nobody has to be first.
 *
 * With --kill-holder one more process dies while it holds the mutex, in the middle of a change. Whoever
 * locks next is told, and restores the value from its backup; the death costs nothing.
 *
 * Run:     shared_mutex [--kill-holder] [PROCESSES INCREMENTS]
 * Prints:  4 processes x 100000 increments = 400000, and how often a repair was needed
 */
#include "example.h"

struct shared {
  unipc_mutex lock;
  unipc_semaphore start; /* nobody counts before all are there */
  int64_t value;
  int64_t backup; /* the value before the change that is under way */
  int64_t repairs;
};

/* Locks; 0, or 1 after saying why not. */
static int lock(struct shared *shared) {
  int r = unipc_mutex_lock_recover(&shared->lock, PATIENCE);
  if (r < 0) return unipc_error_print("lock", r); /* negative: not held */
  if (r == UNIPC_NEEDS_REPAIR) {                  /* held, and the last holder died */
    shared->value = shared->backup;
    shared->repairs++;
    r = unipc_mutex_mark_consistent(&shared->lock);
    if (r < 0) return unipc_error_print("repair", r);
  }
  return 0;
}

static int unlock(struct shared *shared) {
  int r = unipc_mutex_unlock(&shared->lock);
  return r < 0 ? unipc_error_print("unlock", r) : 0;
}

static int work(struct shared *shared, long increments) {
  int r = unipc_semaphore_wait(&shared->start, PATIENCE);
  if (r < 0) return unipc_error_print("start", r);
  for (long i = 0; i < increments; i++) {
    if (lock(shared) != 0) return 1;
    shared->backup = shared->value;
    shared->value++;
    if (unlock(shared) != 0) return 1;
  }
  return 0;
}

/* Dies in the middle of a change. */
static int die_holding(struct shared *shared) {
  if (lock(shared) != 0) return 1;
  shared->backup = shared->value;
  shared->value += 1000000;
  kill(getpid(), SIGKILL);
  return 1;
}

/* Waits for the process that is to be killed, and for nothing else. */
static int wait_killed(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) != child) {
    perror("waitpid");
    return 1;
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return 0;
  fprintf(stderr, "the process that was to die holding ended otherwise\n");
  return 1;
}

static int run(struct shared *shared, int kill_holder, long processes, long increments) {
  pid_t children[64], victim = 0;
  int failed = 0;
  if (kill_holder) {
    victim = example_fork();
    if (victim < 0) return 1;
    if (victim == 0) example_exit(die_holding(shared));
  }
  for (long i = 0; i < processes; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(work(shared, increments));
    failed |= children[i] < 0;
  }
  for (long i = 0; i < processes; i++) failed |= unipc_semaphore_post(&shared->start) < 0;
  for (long i = 0; i < processes; i++) {
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  if (kill_holder) failed |= wait_killed(victim);
  if (lock(shared) != 0) return 1; /* repairs, if nobody came after the one that died */
  printf("%ld processes x %ld increments = %lld\n", processes, increments, (long long)shared->value);
  if (kill_holder) printf("Repairs after a killed holder: %lld\n", (long long)shared->repairs);
  return unlock(shared) || failed;
}

int main(int argc, char **argv) {
  int kill_holder = argc > 1 && strcmp(argv[1], "--kill-holder") == 0;
  int rest = argc - kill_holder;
  long processes = rest == 3 ? example_number(argv[kill_holder + 1], 1, 64) : 4;
  long increments = rest == 3 ? example_number(argv[kill_holder + 2], 1, 10000000) : 100000;
  if ((rest != 1 && rest != 3) || processes < 0 || increments < 0) {
    fprintf(stderr, "usage: shared_mutex [--kill-holder] [PROCESSES INCREMENTS]\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  unipc_memory *memory;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  int failed = run((struct shared *)unipc_memory_address(memory), kill_holder, processes, increments);
  unipc_memory_close(memory);
  return failed;
}
