/* Receives what is in a POSIX message queue, the highest priority first, and removes the queue.
 *
 * Run:     mq_priority_receiver NAME       after mq_priority_sender: what is not there yet cannot come first
 * Prints:  Priority 10: High priority!
 *          Priority 1: Low priority
 */
#include "example.h"

#define LARGEST 256

/* Until the queue is empty. */
static int receive_all(unipc_mq *queue) {
  for (;;) {
    char message[LARGEST];
    unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
    ptrdiff_t n = unipc_mq_receive(queue, message, sizeof message, 0, &info);
    if (n == -EAGAIN) return 0;
    if (n < 0) return unipc_error_print("receive", (int)n);
    printf("Priority %u: %.*s\n", (unsigned)info.priority, (int)n, message);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: mq_priority_receiver NAME\n");
    return 2;
  }
  unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
  options.access = UNIPC_MQ_RECEIVE;
  unipc_mq *queue;
  int r = unipc_mq_open(argv[1], &options, &queue);
  if (r < 0) return unipc_error_print("mq_priority_receiver", r);
  int failed = receive_all(queue);
  unipc_mq_close(queue);
  r = unipc_mq_unlink(argv[1]);
  return r < 0 ? unipc_error_print("mq_priority_receiver", r) : failed;
}
