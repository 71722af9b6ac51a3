/* POSIX shared memory between a parent and its child: the child writes, the parent reads after the child has
 * ended.
 *
 * Memory brings no order of its own; here the end of the child is the order. "temporary" removes the name
 * when the parent closes.
 *
 * Run:     memory_parent_child [NAME]
 * Prints:  Parent read: Hello from child process!
 */
#include "example.h"

static int child(unipc_memory *memory) {
  static const char message[] = "Hello from child process!";
  int r = unipc_memory_write(memory, 0, message, sizeof message);
  return r < 0 ? unipc_error_print("write", r) : 0;
}

static int parent(const unipc_memory *memory) {
  char message[100];
  int r = unipc_memory_read(memory, 0, message, sizeof message);
  if (r < 0) return unipc_error_print("read", r);
  message[sizeof message - 1] = '\0'; /* whatever stands in the memory, it ends here */
  printf("Parent read: %s\n", message);
  return 0;
}

int main(int argc, char **argv) {
  const char *name = example_name(argc, argv, "unipc-memory");
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 4096;
  options.temporary = 1;
  unipc_memory *memory;
  int r = unipc_memory_create_posix(name, &options, &memory);
  if (r < 0) return unipc_error_print("memory_parent_child", r);

  pid_t pid = example_fork();
  if (pid == 0) example_exit(child(memory)); /* the child has the same pages */
  int failed = pid < 0 || example_wait(pid) || parent(memory);
  unipc_memory_close(memory);
  return failed;
}
