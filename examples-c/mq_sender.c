/* Sends a message to a POSIX message queue of the system's own size, for mq_receiver.
 *
 * Run:     mq_sender NAME
 * Prints:  nothing
 */
#include "example.h"

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: mq_sender NAME\n");
    return 2;
  }
  unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
  options.access = UNIPC_MQ_SEND;
  unipc_mq *queue;
  int r = unipc_mq_open_or_create(argv[1], &options, &queue);
  if (r < 0) return unipc_error_print("mq_sender", r);
  const char *message = "Hello via message queue!";
  r = unipc_mq_send(queue, message, strlen(message), 0, PATIENCE);
  unipc_mq_close(queue);
  return r < 0 ? unipc_error_print("mq_sender", r) : 0;
}
