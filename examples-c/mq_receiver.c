/* Receives a message from a POSIX message queue that somebody else makes, and removes the queue.
 *
 * The buffer has the size that the queue asks for: a smaller one is refused, however small the message.
 *
 * Run:     mq_receiver NAME                before or after mq_sender
 * Prints:  Received: Hello via message queue!
 */
#include "example.h"

static int receive(unipc_mq *queue) {
  size_t size = unipc_mq_largest(queue);
  char *message = malloc(size);
  if (message == NULL) return unipc_error_print("receive", -ENOMEM);
  ptrdiff_t n = unipc_mq_receive(queue, message, size, PATIENCE, NULL);
  if (n >= 0) printf("Received: %.*s\n", (int)n, message);
  free(message);
  return n < 0 ? unipc_error_print("receive", (int)n) : 0;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: mq_receiver NAME\n");
    return 2;
  }
  unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
  options.access = UNIPC_MQ_RECEIVE;
  options.wait_for_creator = PATIENCE;
  unipc_mq *queue;
  int r = unipc_mq_open(argv[1], &options, &queue);
  if (r < 0) return unipc_error_print("mq_receiver", r);
  int failed = receive(queue);
  unipc_mq_close(queue);
  r = unipc_mq_unlink(argv[1]);
  return r < 0 ? unipc_error_print("mq_receiver", r) : failed;
}
