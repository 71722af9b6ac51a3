/* Memory without a name, shared with a child by fork. The parent stores a value while the child runs.
 *
 * A semaphore beside the value tells the child when it stands there; its zero bytes are a valid semaphore
 * without a unit.
 *
 * Run:     anonymous_memory
 * Prints:  Child reads: 42
 */
#include "example.h"

struct shared {
  unipc_semaphore stored;
  int value;
};

static int child(struct shared *shared) {
  int r = unipc_semaphore_wait(&shared->stored, PATIENCE);
  if (r < 0) return unipc_error_print("wait", r);
  printf("Child reads: %d\n", shared->value);
  return 0;
}

int main(void) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  unipc_memory *memory;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  struct shared *shared = (struct shared *)unipc_memory_address(memory);

  pid_t pid = example_fork();
  if (pid == 0) example_exit(child(shared));
  int failed = pid < 0;
  if (pid > 0) {
    shared->value = 42;
    r = unipc_semaphore_post(&shared->stored);
    if (r < 0) failed = unipc_error_print("post", r);
    failed |= example_wait(pid);
  }
  unipc_memory_close(memory);
  return failed;
}
