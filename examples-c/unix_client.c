/* Sends a message to unix_server and prints its answer. It waits for the server to listen, so it may be
 * started first.
 *
 * Run:     unix_client PATH [MESSAGE]
 * Prints:  Answer: ACK
 */
#include "example.h"

static int talk(unipc_stream *server, const char *message) {
  char text[100];
  int r = unipc_stream_write_all(server, message, strlen(message), PATIENCE, NULL);
  if (r < 0) return unipc_error_print("write", r);
  r = unipc_stream_shutdown(server, UNIPC_SHUTDOWN_WRITE); /* the message ends here */
  if (r < 0) return unipc_error_print("shutdown", r);
  ptrdiff_t n = example_read_text(server, text, sizeof text);
  if (n < 0) return unipc_error_print("read", (int)n);
  printf("Answer: %s\n", text);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: unix_client PATH [MESSAGE]\n");
    return 2;
  }
  unipc_unix_connect_options options = UNIPC_UNIX_CONNECT_OPTIONS_INIT;
  options.wait_for_listener = 1;
  unipc_stream *server;
  int r = unipc_stream_connect_unix(argv[1], &options, PATIENCE, &server);
  if (r < 0) return unipc_error_print("unix_client", r);
  int failed = talk(server, argc == 3 ? argv[2] : "Hello from the client!");
  unipc_stream_close(server);
  return failed;
}
