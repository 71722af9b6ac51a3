/* Several processes count in shared memory without a lock: each addition is atomic.
 *
 * The counter is a word at an offset of the memory. No order with other data is needed, so the additions are
 * relaxed.
 *
 * Run:     atomics [PROCESSES INCREMENTS]
 * Prints:  4 processes x 10000 increments = 40000
 */
#include "example.h"

static int work(unipc_memory *memory, long increments) {
  for (long i = 0; i < increments; i++) {
    int r = unipc_memory_fetch_add_u64(memory, 0, UNIPC_RELAXED, 1, NULL);
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
  for (long i = 0; i < processes; i++) {
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  uint64_t value;
  int r = unipc_memory_load_u64(memory, 0, UNIPC_ACQUIRE, &value);
  if (r < 0) return unipc_error_print("load", r);
  printf("%ld processes x %ld increments = %llu\n", processes, increments, (unsigned long long)value);
  return failed;
}

int main(int argc, char **argv) {
  long processes = argc == 3 ? example_number(argv[1], 1, 64) : 4;
  long increments = argc == 3 ? example_number(argv[2], 1, 10000000) : 10000;
  if ((argc != 1 && argc != 3) || processes < 0 || increments < 0) {
    fprintf(stderr, "usage: atomics [PROCESSES INCREMENTS]\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(uint64_t);
  unipc_memory *memory;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  int failed = run(memory, processes, increments);
  unipc_memory_close(memory);
  return failed;
}
