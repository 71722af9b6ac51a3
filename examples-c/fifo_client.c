/* Sends one line from standard input to fifo_server. It may be started before the server: it waits for the
 * FIFO and for its reader.
 *
 * Run:     fifo_client PATH
 * Prints:  Enter message:
 */
#include "example.h"

#define LARGEST 4092 /* as the server's: what goes out in one piece */

static int send_line(const char *path, const char *line) {
  unipc_fifo_options options = UNIPC_FIFO_OPTIONS_INIT;
  options.wait_for_creator = PATIENCE;
  unipc_stream *stream;
  int r = unipc_stream_open_fifo_writer(path, &options, PATIENCE, &stream);
  if (r < 0) return unipc_error_print("fifo_client", r);

  unipc_framed_options framing = UNIPC_FRAMED_OPTIONS_INIT;
  framing.largest = LARGEST;
  unipc_framed *server;
  r = unipc_framed_create(stream, &framing, &server);
  if (r < 0) {
    unipc_stream_close(stream);
    return unipc_error_print("framing", r);
  }
  r = example_send_text(server, line);
  unipc_framed_close(server);
  return r < 0 ? unipc_error_print("send", r) : 0;
}

int main(int argc, char **argv) {
  char line[LARGEST + 2];
  if (argc != 2) {
    fprintf(stderr, "usage: fifo_client PATH\n");
    return 2;
  }
  printf("Enter message: ");
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) {
    fprintf(stderr, "no message\n");
    return 1;
  }
  line[strcspn(line, "\n")] = '\0';
  return send_line(argv[1], line);
}
