/* A TCP server on the loopback interface, on purpose: what listens on every address is open to the network.
 * Its partner is tcp_client.
 *
 * Port 0 lets the system choose. A message ends when the client ends the stream.
 *
 * Run:     tcp_server PORT [--count N]     ends after N clients, or by SIGTERM
 * Prints:  Port: ...                       once it listens
 *          Message from client: ...        for each client
 */
#include "example.h"

static int serve(unipc_listener *listener, long count) {
  char message[1024];
  for (long served = 0; count == 0 || served < count; served++) {
    unipc_stream *client;
    ptrdiff_t r = unipc_listener_accept(listener, UNIPC_FOREVER, &client);
    if (r == -ECANCELED) return 0; /* SIGTERM */
    if (r < 0) return unipc_error_print("accept", (int)r);
    r = example_read_text(client, message, sizeof message);
    unipc_stream_close(client);
    if (r == -ECANCELED) return 0;
    if (r < 0) unipc_error_print("client", (int)r); /* its misfortune is not the server's */
    else printf("Message from client: %s\n", message);
    fflush(stdout);
  }
  return 0;
}

int main(int argc, char **argv) {
  long port = argc > 1 ? example_number(argv[1], 0, 65535) : -1;
  long count = argc > 1 ? example_count(argc, argv, 2) : -1;
  if (port < 0 || count < 0) {
    fprintf(stderr, "usage: tcp_server PORT [--count N]\n");
    return 2;
  }
  int r = example_stop_on_signals();
  if (r < 0) return unipc_error_print("signals", r);
  unipc_listener *listener;
  r = unipc_listener_open_tcp("127.0.0.1", (uint32_t)port, NULL, &listener);
  if (r < 0) return unipc_error_print("listen", r);
  printf("Port: %d\n", unipc_listener_port(listener));
  fflush(stdout);
  int failed = serve(listener, count);
  unipc_listener_close(listener);
  return failed;
}
