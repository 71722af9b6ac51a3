/* Receives a message of a type from a System V message queue, whatever came before it, and removes the queue.
 *
 * Run:     sysv_receiver PATH [TYPE] [--keep]    else type 1; --keep leaves the queue for others
 * Prints:  Received: Hello World
 */
#include "example.h"

#define LARGEST 100

int main(int argc, char **argv) {
  int keep = argc > 2 && strcmp(argv[argc - 1], "--keep") == 0;
  int arguments = argc - keep;
  long type = arguments == 3 ? example_number(argv[2], 1, 1000000) : 1;
  if (arguments < 2 || arguments > 3 || type < 0) {
    fprintf(stderr, "usage: sysv_receiver PATH [TYPE] [--keep]\n");
    return 2;
  }
  int32_t key;
  int r = unipc_sysv_key(argv[1], 65, &key);
  if (r < 0) return unipc_error_print("sysv_receiver", r);
  unipc_sysv_queue_options options = UNIPC_SYSV_QUEUE_OPTIONS_INIT;
  options.wait_for_creator = PATIENCE;
  unipc_sysv_queue *queue;
  r = unipc_sysv_queue_open(key, &options, &queue);
  if (r < 0) return unipc_error_print("sysv_receiver", r);
  char text[LARGEST];
  ptrdiff_t n = unipc_sysv_queue_receive(queue, type, 0, text, sizeof text, PATIENCE, NULL);
  if (n >= 0) printf("Received: %.*s\n", (int)n, text);
  int failed = n < 0 ? unipc_error_print("receive", (int)n) : 0;
  r = keep ? 0 : unipc_sysv_queue_remove(queue);
  unipc_sysv_queue_close(queue);
  return r < 0 ? unipc_error_print("sysv_receiver", r) : failed;
}
