/* Waits for what memory_and_semaphore_writer writes, reads it, and removes memory and semaphore. Either may
 * start first.
 *
 * Run:     memory_and_semaphore_reader NAME
 * Prints:  Reader read: Hello from writer process!
 */
#include "example.h"

static int read_message(unipc_memory *memory, unipc_posix_semaphore *ready) {
  char message[100];
  int r = unipc_posix_semaphore_wait(ready, PATIENCE);
  if (r == 0) r = unipc_memory_read(memory, 0, message, sizeof message);
  if (r < 0) return unipc_error_print("read", r);
  message[sizeof message - 1] = '\0';
  printf("Reader read: %s\n", message);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: memory_and_semaphore_reader NAME\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 4096;
  unipc_memory *memory;
  int r = unipc_memory_open_or_create_posix(argv[1], &options, &memory);
  if (r < 0) return unipc_error_print("memory_and_semaphore_reader", r);
  unipc_posix_semaphore *ready;
  r = unipc_posix_semaphore_open_or_create(argv[1], NULL, &ready);
  int failed = r < 0 ? unipc_error_print("memory_and_semaphore_reader", r) : read_message(memory, ready);
  unipc_posix_semaphore_close(ready);
  unipc_memory_close(memory);
  r = unipc_posix_semaphore_unlink(argv[1]);
  if (r < 0) failed = unipc_error_print("unlink the semaphore", r);
  r = unipc_memory_unlink_posix(argv[1]);
  return r < 0 ? unipc_error_print("unlink the memory", r) : failed;
}
