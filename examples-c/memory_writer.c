/* Leaves a counter and a message in POSIX shared memory, for memory_reader. The memory outlives this program.
 *
 * It gets its name after it was filled, so that no reader meets it empty or without its size.
 *
 * Run:     memory_writer NAME
 * Prints:  nothing
 */
#include "example.h"

struct shared { /* as memory_reader has it */
  int32_t counter;
  char message[256];
};

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: memory_writer NAME\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  options.unpublished = 1;
  unipc_memory *memory;
  int r = unipc_memory_create_posix(argv[1], &options, &memory);
  if (r < 0) return unipc_error_print("memory_writer", r);
  struct shared *shared = (struct shared *)unipc_memory_address(memory);
  shared->counter = 42;
  snprintf(shared->message, sizeof shared->message, "Hello from shared memory!");
  r = unipc_memory_publish(memory);
  unipc_memory_close(memory);
  return r < 0 ? unipc_error_print("memory_writer", r) : 0;
}
