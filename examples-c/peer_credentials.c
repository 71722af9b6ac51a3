/* A server that asks the kernel who is at the other end, and refuses every user but its own.
 *
 * The kernel notes process, user and group when the connection is made: a client cannot lie about them. A
 * pidfd names the very process, even when its number is used again. The second client runs as user 65534,
 * which takes root; without root the server allows nobody's user but one that we are not.
 *
 * Run:     peer_credentials [@NAME]        in the abstract namespace: there are no file permissions to hide
 * behind
 * Prints:  who was accepted and who was refused, and what each client was told
 */
#include "example.h"

#include <poll.h>

#define OTHER_USER 65534

static int client(const char *name, uid_t user) {
  char text[100];
  unipc_stream *server;
  if (user != geteuid() && (setgid(OTHER_USER) < 0 || setuid(user) < 0)) {
    perror("setuid");
    return 1;
  }
  int r = unipc_stream_connect_unix(name, NULL, PATIENCE, &server);
  if (r < 0) return unipc_error_print("peer_credentials", r);
  ptrdiff_t n = example_read_text(server, text, sizeof text);
  unipc_stream_close(server);
  if (n < 0) return unipc_error_print("read", (int)n);
  printf("Client was told: %s\n", text);
  return 0;
}

/* Waits until the peer has exited, whatever became of its connection. */
static int wait_for_exit(int pidfd) {
  struct pollfd exited = {.fd = pidfd, .events = POLLIN, .revents = 0};
  int ready = poll(&exited, 1, (int)(PATIENCE / UNIPC_MILLISECOND));
  close(pidfd);
  if (ready == 1) return 0;
  fprintf(stderr, "the peer has not exited\n");
  return 1;
}

static int judge(unipc_stream *peer, pid_t child, uid_t allowed) {
  unipc_credentials who = UNIPC_CREDENTIALS_INIT;
  int r = unipc_stream_peer_credentials(peer, &who);
  if (r < 0) return unipc_error_print("credentials", r);
  if (who.pid != child) {
    fprintf(stderr, "connected: process %d, not the child %d\n", (int)who.pid, (int)child);
    return 1;
  }
  int pidfd = unipc_stream_peer_pidfd(peer);
  if (pidfd < 0 && pidfd != UNIPC_UNAVAILABLE) return unipc_error_print("pidfd", pidfd);

  const char *answer = who.uid == allowed ? "welcome" : "refused";
  printf("A peer of %s user: %s\n", who.uid == allowed ? "the allowed" : "another", answer);
  fflush(stdout); /* before the client prints */
  r = unipc_stream_write_all(peer, answer, strlen(answer), PATIENCE, NULL);
  if (r == 0) r = unipc_stream_shutdown(peer, UNIPC_SHUTDOWN_BOTH);
  if (r < 0) unipc_error_print("answer", r);
  int stays = pidfd < 0 ? 0 : wait_for_exit(pidfd);
  return r < 0 || stays;
}

/* One client of the user, judged by a server that allows the other. */
static int meet(unipc_listener *listener, const char *name, uid_t user, uid_t allowed) {
  pid_t pid = example_fork();
  if (pid < 0) return 1;
  if (pid == 0) {
    unipc_listener_close(listener);
    example_exit(client(name, user));
  }
  unipc_stream *peer;
  int failed;
  int r = unipc_listener_accept(listener, PATIENCE, &peer);
  if (r < 0) failed = unipc_error_print("accept", r);
  else {
    failed = judge(peer, pid, allowed);
    unipc_stream_close(peer);
  }
  return example_wait(pid) || failed;
}

int main(int argc, char **argv) {
  const char *name = example_name(argc, argv, "@unipc-credentials");
  uid_t own = geteuid();
  unipc_listener *listener;
  int r = unipc_listener_open_unix(name, NULL, &listener);
  if (r < 0) return unipc_error_print("peer_credentials", r);

  int failed = meet(listener, name, own, own);
  if (own == 0) failed |= meet(listener, name, OTHER_USER, own);
  else {
    fprintf(stderr, "not root: the second server allows another user than ours instead\n");
    failed |= meet(listener, name, own, own + 1);
  }
  unipc_listener_close(listener);
  return failed;
}
