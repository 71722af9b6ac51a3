/* Sends a message to tcp_server over the loopback interface. The message ends with the stream.
 *
 * Run:     tcp_client PORT [MESSAGE]
 * Prints:  nothing
 */
#include "example.h"

int main(int argc, char **argv) {
  long port = argc == 2 || argc == 3 ? example_number(argv[1], 1, 65535) : -1;
  if (port < 0) {
    fprintf(stderr, "usage: tcp_client PORT [MESSAGE]\n");
    return 2;
  }
  const char *message = argc == 3 ? argv[2] : "Hello from the client!";
  unipc_tcp_options options = UNIPC_TCP_OPTIONS_INIT;
  options.wait_for_listener = 1;
  unipc_stream *server;
  int r = unipc_stream_connect_tcp("127.0.0.1", (uint32_t)port, &options, PATIENCE, &server);
  if (r < 0) return unipc_error_print("connect", r);
  r = unipc_stream_write_all(server, message, strlen(message), PATIENCE, NULL);
  unipc_stream_close(server);
  return r < 0 ? unipc_error_print("write", r) : 0;
}
