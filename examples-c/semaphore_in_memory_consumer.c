/* Waits at the semaphore in the memory of semaphore_in_memory_producer for the data, prints them, and
 * removes the memory. May be started first.
 *
 * Run:     semaphore_in_memory_consumer NAME
 * Prints:  Data: Hello shared memory!, Counter: 1
 */
#include "example.h"

struct shared { /* as the producer has it */
  unipc_semaphore ready;
  int32_t counter;
  char data[1024];
};

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: semaphore_in_memory_consumer NAME\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  options.wait_for_creator = PATIENCE;
  unipc_memory *memory;
  int r = unipc_memory_open_posix(argv[1], &options, &memory);
  if (r < 0) return unipc_error_print("semaphore_in_memory_consumer", r);
  struct shared *shared = (struct shared *)unipc_memory_address(memory);
  r = unipc_semaphore_wait(&shared->ready, PATIENCE);
  if (r == 0) {
    int length = (int)strnlen(shared->data, sizeof shared->data); /* whatever stands there, it ends here */
    printf("Data: %.*s, Counter: %d\n", length, shared->data, (int)shared->counter);
  }
  int failed = r < 0 ? unipc_error_print("wait", r) : 0;
  unipc_memory_close(memory);
  r = unipc_memory_unlink_posix(argv[1]);
  return r < 0 ? unipc_error_print("semaphore_in_memory_consumer", r) : failed;
}
