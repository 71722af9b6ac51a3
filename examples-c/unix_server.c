/* A server on a Unix socket that serves one client after the other. Its partner is unix_client.
 *
 * The path appears when the socket listens, is taken over from a server that was killed, and never from one
 * that lives. A message ends when the client shuts its writing direction down; a client that says nothing
 * gets no answer, and one that leaves before the answer harms nobody.
 *
 * Run:     unix_server PATH [--count N]    ends after N clients, or by SIGTERM, and removes the path
 * Prints:  Received: ...                   for each message, which is answered by ACK
 */
#include "example.h"

static int answer(unipc_stream *client) {
  char message[1024];
  ptrdiff_t n = example_read_text(client, message, sizeof message);
  if (n == -ECANCELED) return (int)n;
  if (n < 0) {
    unipc_error_print("client", (int)n); /* this client's misfortune is not the server's */
    return 0;
  }
  if (n == 0) return 0;
  printf("Received: %s\n", message);
  fflush(stdout);
  int r = unipc_stream_write_all(client, "ACK", 3, PATIENCE, NULL);
  if (r < 0 && r != -EPIPE && r != -ECONNRESET) unipc_error_print("answer", r);
  return 0;
}

static int serve(unipc_listener *listener, long count) {
  for (long served = 0; count == 0 || served < count; served++) {
    unipc_stream *client;
    int r = unipc_listener_accept(listener, UNIPC_FOREVER, &client);
    if (r == 0) {
      r = answer(client);
      unipc_stream_close(client);
    }
    if (r == -ECANCELED) return 0; /* SIGTERM */
    if (r < 0) return unipc_error_print("accept", r);
  }
  return 0;
}

int main(int argc, char **argv) {
  long count = argc > 1 ? example_count(argc, argv, 2) : -1;
  if (count < 0) {
    fprintf(stderr, "usage: unix_server PATH [--count N]\n");
    return 2;
  }
  int r = example_stop_on_signals();
  if (r < 0) return unipc_error_print("signals", r);
  unipc_listener *listener;
  r = unipc_listener_open_unix(argv[1], NULL, &listener);
  if (r < 0) return unipc_error_print("unix_server", r);
  int failed = serve(listener, count);
  unipc_listener_close(listener);
  return failed;
}
