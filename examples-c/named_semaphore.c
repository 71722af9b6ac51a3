/* A parent waits for its child's signal at a named semaphore that begins at 0.
 *
 * The name is new, so no older value can be in it, and it goes when the parent closes. The order of the
 * lines is the program's, not the scheduler's, also when they go into a pipe: each is written out before the
 * other process can know of it.
 *
 * Run:     named_semaphore [NAME]
 * Prints:  Parent: waiting for signal...
 *          Child: doing work...
 *          Child: signaling parent
 *          Parent: received signal!
 */
#include "example.h"

static int child(unipc_posix_semaphore *semaphore) {
  printf("Child: doing work...\n");
  unsigned long sum = 0;
  for (unsigned long i = 1; i <= 1000000; i++) sum += i;
  if (sum == 0) return 1;
  printf("Child: signaling parent\n");
  fflush(stdout);
  int r = unipc_posix_semaphore_post(semaphore);
  return r < 0 ? unipc_error_print("post", r) : 0;
}

static int parent(unipc_posix_semaphore *semaphore) {
  int r = unipc_posix_semaphore_wait(semaphore, PATIENCE); /* a child that died would never post */
  if (r < 0) return unipc_error_print("wait", r);
  printf("Parent: received signal!\n");
  return 0;
}

int main(int argc, char **argv) {
  const char *name = example_name(argc, argv, "unipc-signal");
  unipc_posix_semaphore_options options = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  options.temporary = 1;
  unipc_posix_semaphore *semaphore;
  int r = unipc_posix_semaphore_create(name, &options, &semaphore);
  if (r < 0) return unipc_error_print("named_semaphore", r);

  printf("Parent: waiting for signal...\n");
  pid_t pid = example_fork();
  if (pid == 0) example_exit(child(semaphore));
  int failed = pid < 0;
  if (pid > 0) {
    failed = parent(semaphore);
    failed |= example_wait(pid);
  }
  unipc_posix_semaphore_close(semaphore);
  return failed;
}
