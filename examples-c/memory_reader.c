/* Reads the counter that memory_writer has left, without the right to write, and removes the memory. May be
 * started first.
 *
 * Run:     memory_reader NAME
 * Prints:  Counter: 42
 */
#include "example.h"

struct shared { /* as memory_writer has it */
  int32_t counter;
  char message[256];
};

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: memory_reader NAME\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared); /* no smaller object will do */
  options.access = UNIPC_READ_ONLY;
  options.wait_for_creator = PATIENCE;
  unipc_memory *memory;
  int r = unipc_memory_open_posix(argv[1], &options, &memory);
  if (r < 0) return unipc_error_print("memory_reader", r);
  const struct shared *shared = (const struct shared *)unipc_memory_address(memory);
  printf("Counter: %d\n", (int)shared->counter);
  unipc_memory_close(memory);
  r = unipc_memory_unlink_posix(argv[1]);
  return r < 0 ? unipc_error_print("memory_reader", r) : 0;
}
