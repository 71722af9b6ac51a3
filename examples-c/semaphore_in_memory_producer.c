/* A semaphore without a name of its own lies in shared memory, beside the data that it guards. Partner:
 * semaphore_in_memory_consumer.
 *
 * The memory gets its name after the semaphore was made: nobody meets a half-made one, and a live one is
 * never made anew. The semaphore begins at 0; the producer posts when the data stand there.
 *
 * Run:     semaphore_in_memory_producer NAME
 * Prints:  nothing
 */
#include "example.h"

struct shared { /* as the consumer has it */
  unipc_semaphore ready;
  int32_t counter;
  char data[1024];
};

static int produce(unipc_memory *memory) {
  struct shared *shared = (struct shared *)unipc_memory_address(memory);
  int r = unipc_semaphore_init(&shared->ready, NULL); /* a unit for each message; none yet */
  if (r < 0) return unipc_error_print("semaphore", r);
  r = unipc_memory_publish(memory);
  if (r < 0) return unipc_error_print("publish", r);
  snprintf(shared->data, sizeof shared->data, "Hello shared memory!");
  shared->counter++;
  r = unipc_semaphore_post(&shared->ready);
  return r < 0 ? unipc_error_print("post", r) : 0;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: semaphore_in_memory_producer NAME\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  options.unpublished = 1;
  unipc_memory *memory;
  int r = unipc_memory_create_posix(argv[1], &options, &memory);
  if (r < 0) return unipc_error_print("semaphore_in_memory_producer", r);
  int failed = produce(memory);
  unipc_memory_close(memory);
  return failed;
}
