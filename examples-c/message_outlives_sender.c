/* A message waits in the kernel: it is received when the process that has sent it is gone.
 *
 * So it is with POSIX and with System V message queues. The queues outlive everybody, too; here they go when
 * the parent closes them.
 *
 * Run:     message_outlives_sender [NAME]
 * Prints:  The sender is gone
 *          Received from the POSIX queue: I outlive my sender
 *          Received from the System V queue: I outlive my sender
 */
#include "example.h"

#define LARGEST 64

static int send_both(unipc_mq *posix, unipc_sysv_queue *sysv) {
  const char *text = "I outlive my sender";
  int r = unipc_mq_send(posix, text, strlen(text), 0, PATIENCE);
  if (r < 0) return unipc_error_print("send to the POSIX queue", r);
  r = unipc_sysv_queue_send(sysv, text, strlen(text), 1, PATIENCE);
  return r < 0 ? unipc_error_print("send to the System V queue", r) : 0;
}

static int receive_both(unipc_mq *posix, unipc_sysv_queue *sysv) {
  char text[LARGEST];
  ptrdiff_t n = unipc_mq_receive(posix, text, sizeof text, 0, NULL);
  if (n < 0) return unipc_error_print("receive from the POSIX queue", (int)n);
  printf("Received from the POSIX queue: %.*s\n", (int)n, text);
  n = unipc_sysv_queue_receive(sysv, 0, 0, text, sizeof text, 0, NULL);
  if (n < 0) return unipc_error_print("receive from the System V queue", (int)n);
  printf("Received from the System V queue: %.*s\n", (int)n, text);
  return 0;
}

static int run(unipc_mq *posix, unipc_sysv_queue *sysv) {
  pid_t pid = example_fork();
  if (pid == 0) example_exit(send_both(posix, sysv));
  if (pid < 0 || example_wait(pid)) return 1;
  if (kill(pid, 0) == 0 || errno != ESRCH) return unipc_error_print("the sender", -EBUSY);
  printf("The sender is gone\n");
  return receive_both(posix, sysv);
}

int main(int argc, char **argv) {
  unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
  options.capacity = 1;
  options.largest = LARGEST;
  options.temporary = 1;
  unipc_mq *posix;
  int r = unipc_mq_create(example_name(argc, argv, "unipc-left"), &options, &posix);
  if (r < 0) return unipc_error_print("message_outlives_sender", r);
  unipc_sysv_queue_options temporary = UNIPC_SYSV_QUEUE_OPTIONS_INIT;
  temporary.temporary = 1;
  unipc_sysv_queue *sysv;
  r = unipc_sysv_queue_create_private(&temporary, &sysv);
  int failed = r < 0 ? unipc_error_print("message_outlives_sender", r) : run(posix, sysv);
  unipc_sysv_queue_close(sysv);
  unipc_mq_close(posix);
  return failed;
}
