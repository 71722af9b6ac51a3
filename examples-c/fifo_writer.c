/* Sends one message through a FIFO, once. Its partner is fifo_reader; either may start first, and creates
 * the FIFO. The message ends with the stream.
 *
 * Run:     fifo_writer PATH
 * Prints:  nothing
 */
#include "example.h"

int main(int argc, char **argv) {
  const char *message = "Hello FIFO!";
  if (argc != 2) {
    fprintf(stderr, "usage: fifo_writer PATH\n");
    return 2;
  }
  unipc_stream *writer;
  int r = unipc_stream_open_or_create_fifo_writer(argv[1], NULL, PATIENCE, &writer);
  if (r < 0) return unipc_error_print("fifo_writer", r);
  r = unipc_stream_write_all(writer, message, strlen(message), PATIENCE, NULL);
  unipc_stream_close(writer);
  return r < 0 ? unipc_error_print("write", r) : 0;
}
