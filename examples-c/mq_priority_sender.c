/* Leaves two messages in a POSIX message queue, for mq_priority_receiver: the one of low priority first.
 *
 * Who comes first, sender or receiver, makes the queue.
 *
 * Run:     mq_priority_sender NAME
 * Prints:  nothing
 */
#include "example.h"

static int send_text(unipc_mq *queue, const char *text, unsigned priority) {
  int r = unipc_mq_send(queue, text, strlen(text), priority, PATIENCE);
  return r < 0 ? unipc_error_print("send", r) : 0;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: mq_priority_sender NAME\n");
    return 2;
  }
  unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
  options.capacity = 10;
  options.largest = 256;
  options.access = UNIPC_MQ_SEND;
  unipc_mq *queue;
  int r = unipc_mq_open_or_create(argv[1], &options, &queue);
  if (r < 0) return unipc_error_print("mq_priority_sender", r);
  int failed = send_text(queue, "Low priority", 1) || send_text(queue, "High priority!", 10);
  unipc_mq_close(queue);
  return failed;
}
