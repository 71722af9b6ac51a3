/* Writes into POSIX shared memory and says so by a named semaphore. Its partner is
 * memory_and_semaphore_reader; either may start first.
 *
 * The semaphore begins at 0 and counts what stands ready: a reader waits for the data, and not merely for
 * its turn.
 *
 * Run:     memory_and_semaphore_writer NAME
 * Prints:  Writer wrote: Hello from writer process!
 */
#include "example.h"

int main(int argc, char **argv) {
  static const char message[] = "Hello from writer process!";
  if (argc != 2) {
    fprintf(stderr, "usage: memory_and_semaphore_writer NAME\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 4096;
  unipc_memory *memory;
  int r = unipc_memory_open_or_create_posix(argv[1], &options, &memory);
  if (r < 0) return unipc_error_print("memory_and_semaphore_writer", r);
  unipc_posix_semaphore *ready;
  r = unipc_posix_semaphore_open_or_create(argv[1], NULL, &ready);
  if (r == 0) r = unipc_memory_write(memory, 0, message, sizeof message);
  if (r == 0) {
    printf("Writer wrote: %s\n", message);
    fflush(stdout); /* before the reader learns that it may print */
    r = unipc_posix_semaphore_post(ready);
  }
  unipc_posix_semaphore_close(ready);
  unipc_memory_close(memory);
  return r < 0 ? unipc_error_print("memory_and_semaphore_writer", r) : 0;
}
