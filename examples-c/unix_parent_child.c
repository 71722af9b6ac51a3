/* A Unix socket in one program: the parent serves, its child is the client.
 *
 * The parent listens before it forks, so the child never comes too early. A stream keeps no boundaries: the
 * messages are framed.
 *
 * Run:     unix_parent_child [PATH]
 * Prints:  Server received: Hello from client!
 *          Client received: Hello from server!
 */
#include "example.h"

/* Takes the stream over, whatever happens. */
static int frame(unipc_stream *stream, unipc_framed **framed) {
  int r = unipc_framed_create(stream, NULL, framed);
  if (r < 0) unipc_stream_close(stream);
  return r;
}

static int client(const char *path) {
  char answer[100];
  unipc_stream *stream;
  unipc_framed *server;
  int r = unipc_stream_connect_unix(path, NULL, PATIENCE, &stream);
  if (r == 0) r = frame(stream, &server);
  if (r < 0) return unipc_error_print("unix_parent_child", r);
  r = example_send_text(server, "Hello from client!");
  ptrdiff_t n = r < 0 ? r : example_receive_text(server, answer, sizeof answer);
  unipc_framed_close(server);
  if (n < 0) return unipc_error_print("client", (int)n);
  printf("Client received: %s\n", answer);
  return 0;
}

static int serve(unipc_listener *listener) {
  char request[100];
  unipc_stream *stream;
  unipc_framed *peer;
  int r = unipc_listener_accept(listener, PATIENCE, &stream);
  if (r == 0) r = frame(stream, &peer);
  if (r < 0) return unipc_error_print("accept", r);
  ptrdiff_t n = example_receive_text(peer, request, sizeof request);
  if (n >= 0) {
    printf("Server received: %s\n", request);
    fflush(stdout); /* before the client learns that it may print */
    n = example_send_text(peer, "Hello from server!");
  }
  unipc_framed_close(peer);
  return n < 0 ? unipc_error_print("server", (int)n) : 0;
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-socket");
  unipc_listener *listener;
  int r = unipc_listener_open_unix(path, NULL, &listener);
  if (r < 0) return unipc_error_print("unix_parent_child", r);

  pid_t pid = example_fork();
  if (pid == 0) {
    unipc_listener_close(listener); /* in a child this removes no path */
    example_exit(client(path));
  }
  int failed = pid < 0;
  if (pid > 0) {
    failed = serve(listener);
    failed |= example_wait(pid);
  }
  unipc_listener_close(listener);
  return failed;
}
