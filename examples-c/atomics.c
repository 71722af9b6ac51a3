/* Several processes count in shared memory without a lock: each addition is atomic.
 *
 * The counter is a word at an offset of the memory. No order with other data is needed, so the additions are
 * relaxed.
 *
 * Run:     atomics [PROCESSES INCREMENTS]
 * Prints:  4 processes x 100000 increments = 400000
 */
#include "example.h"

#include <sched.h>

#define COUNTER 0
#define START 8 /* nobody counts before all are there */

static int wait_for_start(unipc_memory *memory) {
  uint64_t started = 0;
  while (started == 0) {
    int r = unipc_memory_load_u64(memory, START, UNIPC_ACQUIRE, &started);
    if (r < 0) return unipc_error_print("load", r);
    if (started == 0) sched_yield();
  }
  return 0;
}

static int work(unipc_memory *memory, long increments) {
  if (wait_for_start(memory) != 0) return 1;
  for (long i = 0; i < increments; i++) {
    int r = unipc_memory_fetch_add_u64(memory, COUNTER, UNIPC_RELAXED, 1, NULL);
    if (r < 0) return unipc_error_print("add", r);
  }
  return 0;
}

static int run(unipc_memory *memory, long processes, long increments) {
  pid_t children[64];
  int failed = 0;
  for (long i = 0; i < processes; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(work(memory, increments));
    failed |= children[i] < 0;
  }
  int r = unipc_memory_store_u64(memory, START, UNIPC_RELEASE, 1);
  if (r < 0) return unipc_error_print("store", r);
  for (long i = 0; i < processes; i++) {
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  uint64_t value;
  r = unipc_memory_load_u64(memory, COUNTER, UNIPC_ACQUIRE, &value);
  if (r < 0) return unipc_error_print("load", r);
  printf("%ld processes x %ld increments = %llu\n", processes, increments, (unsigned long long)value);
  return failed;
}

int main(int argc, char **argv) {
  long processes = argc == 3 ? example_number(argv[1], 1, 64) : 4;
  long increments = argc == 3 ? example_number(argv[2], 1, 10000000) : 100000;
  if ((argc != 1 && argc != 3) || processes < 0 || increments < 0) {
    fprintf(stderr, "usage: atomics [PROCESSES INCREMENTS]\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 2 * sizeof(uint64_t);
  unipc_memory *memory;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  int failed = run(memory, processes, increments);
  unipc_memory_close(memory);
  return failed;
}
