/* Receives one message through a FIFO, once, and removes the FIFO. Its partner is fifo_writer; either may
 * start first. The message ends with the stream.
 *
 * Run:     fifo_reader PATH
 * Prints:  Received: Hello FIFO!
 */
#include "example.h"

int main(int argc, char **argv) {
  char text[100];
  if (argc != 2) {
    fprintf(stderr, "usage: fifo_reader PATH\n");
    return 2;
  }
  unipc_stream *reader;
  int r = unipc_stream_open_or_create_fifo_reader(argv[1], NULL, PATIENCE, &reader);
  if (r < 0) return unipc_error_print("fifo_reader", r);
  ptrdiff_t n = example_read_text(reader, text, sizeof text);
  unipc_stream_close(reader);
  r = unipc_fifo_unlink(argv[1]);
  if (n < 0) return unipc_error_print("read", (int)n);
  printf("Received: %s\n", text);
  return r < 0 ? unipc_error_print("fifo_reader", r) : 0;
}
