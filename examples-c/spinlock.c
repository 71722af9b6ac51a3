/* Several processes update a few words in shared memory, hundreds of thousands of times each: a critical section of
 * some nanoseconds, for which a spinlock is enough.
 *
 * Who finds it held spins for some microseconds, then sleeps: a plain loop would burn a processor for as long as the
 * holder is not running. With --kill-holder one more process dies inside; whoever comes next is told.
 *
 * Run:     spinlock [--kill-holder]
 * Prints:  4 processes x 50000 updates = 200000, sum right
 */
#include "example.h"

#define PROCESSES 4
#define UPDATES 50000

struct shared {
  unipc_spinlock lock;
  long count, sum; /* belong together: the sum of 1 to count */
  long repairs;
};

static int update(struct shared *shared, int dies) {
  int r = unipc_spinlock_lock_recover(&shared->lock, PATIENCE);
  if (r < 0) return unipc_error_print("lock", r);
  if (r == UNIPC_NEEDS_REPAIR) { /* the last holder died between the two */
    shared->sum = shared->count * (shared->count + 1) / 2;
    shared->repairs++;
    unipc_spinlock_mark_consistent(&shared->lock);
  }
  if (dies) {
    shared->sum += 1000000;
    kill(getpid(), SIGKILL);
  }
  shared->count++;
  shared->sum += shared->count;
  r = unipc_spinlock_unlock(&shared->lock);
  return r < 0 ? unipc_error_print("unlock", r) : 0;
}

static int work(struct shared *shared) {
  for (int i = 0; i < UPDATES; i++) {
    if (update(shared, 0) != 0) return 1;
  }
  return 0;
}

static int wait_killed(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return 0;
  fprintf(stderr, "the process that was to die inside ended otherwise\n");
  return 1;
}

static int run(struct shared *shared, int kill_holder) {
  pid_t children[PROCESSES];
  int failed = 0;
  if (kill_holder) {
    pid_t victim = example_fork();
    if (victim < 0) return 1;
    if (victim == 0) example_exit(update(shared, 1));
    failed |= wait_killed(victim);
  }
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(work(shared));
    failed |= children[i] < 0;
  }
  for (int i = 0; i < PROCESSES; i++) {
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  printf("%d processes x %d updates = %ld, sum %s\n", PROCESSES, UPDATES, shared->count,
         shared->sum == shared->count * (shared->count + 1) / 2 ? "right" : "wrong");
  if (kill_holder) printf("Repairs after a killed holder: %ld\n", shared->repairs);
  return failed;
}

int main(int argc, char **argv) {
  int kill_holder = argc == 2 && strcmp(argv[1], "--kill-holder") == 0;
  if (argc > 1 + kill_holder) {
    fprintf(stderr, "usage: spinlock [--kill-holder]\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  unipc_memory *memory;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  int failed = run((struct shared *)unipc_memory_address(memory), kill_holder);
  unipc_memory_close(memory);
  return failed;
}
