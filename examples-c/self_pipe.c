/* An event loop that waits for a client and for SIGTERM at the same time: the signal is a descriptor beside the socket, so there is no moment
 * between a look at a flag and the sleep in which it could be missed.
 *
 * Run:     self_pipe
 * Prints:  Received: hello from the client / Shutting down gracefully...
 */
#include "example.h"

#include <poll.h>

static int client(unipc_stream *stream, pid_t server) {
  const char *message = "hello from the client";
  char answer[8];
  int r = unipc_stream_write_all(stream, message, strlen(message), PATIENCE, NULL);
  if (r == 0) r = unipc_stream_read_exact(stream, answer, 2, PATIENCE, NULL); /* it has been read */
  if (r == 0) r = unipc_signal_send(server, SIGTERM);
  return r < 0 ? unipc_error_print("client", r) : 0;
}

static int serve(unipc_stream *stream, unipc_signals *signals) {
  struct pollfd ready[] = {{unipc_signals_fd(signals), POLLIN, 0}, {unipc_stream_fd(stream), POLLIN, 0}};
  for (;;) {
    if (poll(ready, 2, 20000) <= 0 && errno != EINTR) return 1;
    if (ready[0].revents != 0 && unipc_signals_receive(signals, 0, NULL) == SIGTERM) {
      printf("Shutting down gracefully...\n");
      return 0;
    }
    if (ready[1].revents == 0) continue;
    char text[100];
    ptrdiff_t n = unipc_stream_read(stream, text, sizeof text, 0);
    if (n == 0) ready[1].fd = -1; /* the client has left */
    if (n <= 0) continue;
    printf("Received: %.*s\n", (int)n, text);
    int r = unipc_stream_write_all(stream, "OK", 2, PATIENCE, NULL);
    if (r < 0) return unipc_error_print("answer", r);
  }
}

int main(void) {
  const int terminate = SIGTERM;
  unipc_signals *signals;
  unipc_stream *ours, *theirs;
  int r = unipc_signals_open(&terminate, 1, NULL, &signals);
  if (r < 0) return unipc_error_print("signals", r);
  r = unipc_stream_pair_unix(&ours, &theirs);
  if (r < 0) return unipc_error_print("sockets", r);
  pid_t server = getpid(), pid = example_fork();
  if (pid == 0) {
    unipc_stream_close(ours);
    example_exit(client(theirs, server));
  }
  unipc_stream_close(theirs);
  int failed = pid < 0 || serve(ours, signals);
  unipc_stream_close(ours);
  unipc_signals_close(signals);
  return (pid > 0 && example_wait(pid)) || failed;
}
