/* A child sends one message with a priority to its parent, through a POSIX message queue.
 *
 * The name goes when the parent closes. The child is waited for first: the message is in the queue, and not in
 * the child.
 *
 * Run:     mq_parent_child [NAME]
 * Prints:  Received (prio=1): Hello via message queue!
 */
#include "example.h"

#define LARGEST 256

static int child(unipc_mq *queue) {
  const char *message = "Hello via message queue!";
  int r = unipc_mq_send(queue, message, strlen(message), 1, PATIENCE);
  return r < 0 ? unipc_error_print("send", r) : 0;
}

static int parent(unipc_mq *queue) {
  char message[LARGEST];
  unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
  ptrdiff_t n = unipc_mq_receive(queue, message, sizeof message, PATIENCE, &info);
  if (n < 0) return unipc_error_print("receive", (int)n);
  printf("Received (prio=%u): %.*s\n", (unsigned)info.priority, (int)n, message);
  return 0;
}

int main(int argc, char **argv) {
  unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
  options.capacity = 10;
  options.largest = LARGEST;
  options.temporary = 1;
  unipc_mq *queue;
  int r = unipc_mq_create(example_name(argc, argv, "unipc-queue"), &options, &queue);
  if (r < 0) return unipc_error_print("mq_parent_child", r);
  pid_t pid = example_fork();
  if (pid == 0) example_exit(child(queue));
  int failed = pid < 0 || example_wait(pid) || parent(queue);
  unipc_mq_close(queue);
  return failed;
}
