/* A named semaphore guards a counter in POSIX shared memory. Each process opens both by name, as unrelated
 * programs would.
 *
 * Whoever reads takes the semaphore too: without it, nothing says which value it sees.
 *
 * Run:     guarded_counter [NAME]
 * Prints:  4 processes x 100000 increments = 400000
 */
#include "example.h"

#define PROCESSES 4
#define INCREMENTS 100000

/* Adds so many times, and tells the value after it. */
static int add(volatile int64_t *counter, unipc_posix_semaphore *guard, long times, int64_t *value) {
  for (long i = 0; i <= times; i++) {
    int r = unipc_posix_semaphore_wait(guard, PATIENCE);
    if (r < 0) return unipc_error_print("wait", r);
    if (i < times) *counter = *counter + 1;
    *value = *counter;
    r = unipc_posix_semaphore_post(guard);
    if (r < 0) return unipc_error_print("post", r);
  }
  return 0;
}

static int work(const char *name, long times, int64_t *value) {
  unipc_memory_options least = UNIPC_MEMORY_OPTIONS_INIT;
  least.size = sizeof(int64_t);
  unipc_memory *memory;
  unipc_posix_semaphore *guard;
  int r = unipc_memory_open_posix(name, &least, &memory);
  if (r < 0) return unipc_error_print("guarded_counter", r);
  r = unipc_posix_semaphore_open(name, NULL, &guard);
  int failed = r < 0 ? unipc_error_print("guarded_counter", r)
                     : add((volatile int64_t *)unipc_memory_address(memory), guard, times, value);
  unipc_posix_semaphore_close(guard);
  unipc_memory_close(memory);
  return failed;
}

static int run(const char *name, unipc_posix_semaphore *guard) {
  pid_t children[PROCESSES];
  int64_t value = 0;
  int failed = 0;
  /* Nobody counts before all are there: they are held up where they must pass. */
  int r = unipc_posix_semaphore_wait(guard, PATIENCE);
  if (r < 0) return unipc_error_print("wait", r);
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(work(name, INCREMENTS, &value));
    failed |= children[i] < 0;
  }
  r = unipc_posix_semaphore_post(guard);
  if (r < 0) failed |= unipc_error_print("post", r);
  for (int i = 0; i < PROCESSES; i++) {
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  if (work(name, 0, &value) != 0) return 1;
  printf("%d processes x %d increments = %lld\n", PROCESSES, INCREMENTS, (long long)value);
  return failed;
}

int main(int argc, char **argv) {
  const char *name = example_name(argc, argv, "unipc-guarded");
  unipc_memory_options size = UNIPC_MEMORY_OPTIONS_INIT;
  size.size = sizeof(int64_t);
  size.temporary = 1;
  unipc_posix_semaphore_options one = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  one.value = 1;
  one.temporary = 1;
  unipc_memory *memory;
  unipc_posix_semaphore *guard;
  int r = unipc_memory_create_posix(name, &size, &memory);
  if (r < 0) return unipc_error_print("guarded_counter", r);
  r = unipc_posix_semaphore_create(name, &one, &guard);
  int failed = r < 0 ? unipc_error_print("guarded_counter", r) : run(name, guard);
  unipc_posix_semaphore_close(guard);
  unipc_memory_close(memory);
  return failed;
}
