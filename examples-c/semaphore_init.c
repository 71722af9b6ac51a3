/* Makes a named semaphore of value 1 for semaphore_use, and removes it at the end of its time.
 *
 * It is made exclusively: one that exists may be in use, and its value is not ours to assume.
 *
 * Run:     semaphore_init NAME             makes it
 *          semaphore_init NAME --remove    removes it
 * Prints:  nothing
 */
#include "example.h"

static int make(const char *name) {
  unipc_posix_semaphore_options options = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  options.value = 1;
  unipc_posix_semaphore *semaphore;
  int r = unipc_posix_semaphore_create(name, &options, &semaphore);
  unipc_posix_semaphore_close(semaphore); /* the name stays */
  return r;
}

int main(int argc, char **argv) {
  int removes = argc == 3 && strcmp(argv[2], "--remove") == 0;
  if (argc != 2 && !removes) {
    fprintf(stderr, "usage: semaphore_init NAME [--remove]\n");
    return 2;
  }
  int r = removes ? unipc_posix_semaphore_unlink(argv[1]) : make(argv[1]);
  return r < 0 ? unipc_error_print("semaphore_init", r) : 0;
}
