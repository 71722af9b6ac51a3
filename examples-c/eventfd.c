/* Shared memory for the data, an eventfd to say that there is some. The writer writes first and then adds; the reader takes first and then
 * reads all there is, however large the number was: so it never sleeps on data.
 *
 * Run:     eventfd
 * Prints:  Received 1000 values, their sum is 500500
 */
#include "example.h"

#include <stdatomic.h>

#define COUNT 1000

struct shared {
  _Atomic int64_t written; /* how many of the values stand there */
  int64_t values[COUNT];
};

static int child(struct shared *shared, unipc_eventfd *counter) {
  for (int64_t i = 0; i < COUNT; i++) {
    shared->values[i] = i + 1;
    atomic_store_explicit(&shared->written, i + 1, memory_order_release);
    int r = unipc_eventfd_add(counter, 1, PATIENCE);
    if (r < 0) return unipc_error_print("add", r);
  }
  return 0;
}

static int parent(struct shared *shared, unipc_eventfd *counter) {
  int64_t read = 0, sum = 0;
  while (read < COUNT) {
    int r = unipc_eventfd_take(counter, PATIENCE, NULL);
    if (r < 0) return unipc_error_print("take", r);
    int64_t written = atomic_load_explicit(&shared->written, memory_order_acquire);
    while (read < written) sum += shared->values[read++];
  }
  printf("Received %d values, their sum is %lld\n", (int)read, (long long)sum);
  return 0;
}

int main(void) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  unipc_memory *memory;
  unipc_eventfd *counter;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  r = unipc_eventfd_create(NULL, &counter);
  if (r < 0) return unipc_error_print("eventfd", r);
  struct shared *shared = unipc_memory_address(memory);
  pid_t pid = example_fork();
  if (pid == 0) example_exit(child(shared, counter));
  int failed = pid < 0 || parent(shared, counter);
  unipc_eventfd_close(counter);
  unipc_memory_close(memory);
  return (pid > 0 && example_wait(pid)) || failed;
}
