/* Opens the semaphore that semaphore_init makes, waiting until it is there, and enters a critical section.
 *
 * Run:     semaphore_use NAME
 * Prints:  In critical section
 */
#include "example.h"

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: semaphore_use NAME\n");
    return 2;
  }
  unipc_posix_semaphore_options options = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  options.wait_for_creator = PATIENCE;
  unipc_posix_semaphore *semaphore;
  int r = unipc_posix_semaphore_open(argv[1], &options, &semaphore);
  if (r < 0) return unipc_error_print("semaphore_use", r);
  r = unipc_posix_semaphore_wait(semaphore, PATIENCE);
  if (r == 0) {
    printf("In critical section\n");
    fflush(stdout);
    r = unipc_posix_semaphore_post(semaphore);
  }
  unipc_posix_semaphore_close(semaphore);
  return r < 0 ? unipc_error_print("semaphore_use", r) : 0;
}
