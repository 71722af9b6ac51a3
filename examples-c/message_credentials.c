/* A service that looks at who sent each message, not only at who connected.
 *
 * A connection tells who made it. When its end is handed on to another process, or the process has given up its
 * rights since, only the message can tell who speaks now: the kernel writes process, user and group beside it. Here
 * one end of a pair is used by a child that has become user 65534 (which takes root; without root it stays ours).
 *
 * Run:     message_credentials
 * Prints:  who made the connection, who sent each message, and what became of it
 */
#include "example.h"

#define OTHER_USER 65534

static int speak(unipc_seqpacket *service) {
  int r = unipc_seqpacket_send(service, "as myself", 9, PATIENCE);
  if (r < 0) return unipc_error_print("send", r);
  if (geteuid() == 0 && (setgid(OTHER_USER) < 0 || setuid(OTHER_USER) < 0)) {
    perror("setuid");
    return 1;
  }
  r = unipc_seqpacket_send(service, "as somebody else", 16, PATIENCE);
  return r < 0 ? unipc_error_print("send", r) : 0;
}

static int hear(unipc_seqpacket *client, pid_t child, uid_t own) {
  unipc_credentials maker = UNIPC_CREDENTIALS_INIT;
  int r = unipc_seqpacket_peer_credentials(client, &maker);
  if (r < 0) return unipc_error_print("credentials", r);
  printf("The connection was made by %s\n", maker.pid == getpid() ? "the service itself" : "another process");
  for (int number = 0;; number++) {
    char text[100];
    unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
    ptrdiff_t n = unipc_seqpacket_receive(client, text, sizeof text, PATIENCE, &info);
    if (n == UNIPC_END) return 0;
    if (n < 0) return unipc_error_print("receive", (int)n);
    int is_child = info.has_sender && info.sender_pid == child;
    /* Without root the second message is refused by number: its sender could not change. */
    int allowed = is_child && (own == 0 ? info.sender_uid == own : number == 0);
    printf("\"%.*s\" was sent by %s: %s\n", (int)n, text, is_child ? "the child" : "a stranger", allowed ? "done" : "refused");
  }
}

int main(void) {
  unipc_seqpacket_options options = UNIPC_SEQPACKET_OPTIONS_INIT;
  options.credentials = 1;
  unipc_seqpacket *ours, *theirs;
  int r = unipc_seqpacket_pair_unix(&options, &ours, &theirs);
  if (r < 0) return unipc_error_print("pair", r);
  pid_t pid = example_fork();
  if (pid == 0) {
    unipc_seqpacket_close(ours);
    int failed = speak(theirs);
    unipc_seqpacket_close(theirs);
    example_exit(failed);
  }
  unipc_seqpacket_close(theirs);
  int failed = pid < 0 || hear(ours, pid, geteuid());
  unipc_seqpacket_close(ours);
  return (pid > 0 && example_wait(pid)) || failed;
}
