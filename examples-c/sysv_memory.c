/* System V shared memory between two processes that know nothing of each other but a file: the key is made of
 * it, as ftok does. The child writes, the parent reads after the child has ended.
 *
 * "temporary" removes the memory when its creator closes; the pages go with the last process. Without that it
 * would stay until somebody removes it (ipcrm -m) or the machine restarts.
 *
 * Run:     sysv_memory [PATH]    a file that is made for the key, and removed
 * Prints:  Parent read: Hello from child (System V)!
 */
#include "example.h"

#include <fcntl.h>

static int child(const char *path) {
  static const char message[] = "Hello from child (System V)!";
  unipc_memory_options least = UNIPC_MEMORY_OPTIONS_INIT;
  least.size = sizeof message;
  int32_t key;
  unipc_memory *memory;
  int r = unipc_sysv_key(path, 'M', &key); /* the same file, the same key */
  if (r == 0) r = unipc_memory_open_sysv(key, &least, &memory);
  if (r < 0) return unipc_error_print("child", r);
  r = unipc_memory_write(memory, 0, message, sizeof message);
  unipc_memory_close(memory);
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

static int run(const char *path) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 4096;
  options.temporary = 1;
  int32_t key;
  unipc_memory *memory;
  int r = unipc_sysv_key(path, 'M', &key);
  if (r == 0) r = unipc_memory_create_sysv(key, &options, &memory);
  if (r < 0) return unipc_error_print("sysv_memory", r);
  pid_t pid = example_fork();
  if (pid == 0) example_exit(child(path));
  int failed = pid < 0 || example_wait(pid) || parent(memory);
  unipc_memory_close(memory);
  return failed;
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-key");
  int file = open(path, O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0600); /* a key needs a file that is there */
  if (file < 0) {
    perror(path);
    return 1;
  }
  close(file);
  int failed = run(path);
  unlink(path);
  return failed;
}
