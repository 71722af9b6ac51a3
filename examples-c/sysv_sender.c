/* Sends a message of a type to a System V message queue, for sysv_receiver. The message outlives this program.
 *
 * Both programs find the queue by the key of a file that they know.
 *
 * Run:     sysv_sender PATH [TYPE TEXT]    else type 1, "Hello World"
 * Prints:  Sent: Hello World
 */
#include "example.h"

int main(int argc, char **argv) {
  long type = argc == 4 ? example_number(argv[2], 1, 1000000) : 1;
  if ((argc != 2 && argc != 4) || type < 0) {
    fprintf(stderr, "usage: sysv_sender PATH [TYPE TEXT]\n");
    return 2;
  }
  const char *text = argc == 4 ? argv[3] : "Hello World";
  int32_t key;
  int r = unipc_sysv_key(argv[1], 65, &key);
  if (r < 0) return unipc_error_print("sysv_sender", r);
  unipc_sysv_queue *queue;
  r = unipc_sysv_queue_open_or_create(key, NULL, &queue);
  if (r < 0) return unipc_error_print("sysv_sender", r);
  r = unipc_sysv_queue_send(queue, text, strlen(text), type, PATIENCE);
  unipc_sysv_queue_close(queue);
  if (r < 0) return unipc_error_print("send", r);
  printf("Sent: %s\n", text);
  return 0;
}
