/* A server that reads messages from a FIFO, from one client after the other. Its partner is fifo_client.
 *
 * keep_open makes the server hold a writing end itself: the stream does not end when a client leaves, so
 * nothing is lost between two clients. Messages are framed. One of at most 4092 bytes goes out with its
 * length in one piece of PIPE_BUF bytes, which the kernel never mixes with another client's.
 *
 * Run:     fifo_server PATH [--count N]    ends after N messages, or by SIGTERM, and removes the FIFO
 * Prints:  Received: ...                   for each message
 */
#include "example.h"

#define LARGEST 4092 /* PIPE_BUF less the four bytes of the length */

static int serve(unipc_framed *clients, long count) {
  char message[LARGEST + 1];
  for (long served = 0; count == 0 || served < count; served++) {
    ptrdiff_t n = unipc_framed_receive(clients, message, LARGEST, UNIPC_FOREVER, NULL);
    if (n == -ECANCELED) return 0; /* SIGTERM */
    if (n < 0) return unipc_error_print("receive", (int)n);
    message[n] = '\0';
    printf("Received: %s\n", message);
    fflush(stdout);
  }
  return 0;
}

static int run(const char *path, long count) {
  unipc_fifo_options options = UNIPC_FIFO_OPTIONS_INIT;
  options.keep_open = 1;
  unipc_stream *stream;
  int r = unipc_stream_open_or_create_fifo_reader(path, &options, 0, &stream);
  if (r < 0) return unipc_error_print("fifo_server", r);

  unipc_framed_options framing = UNIPC_FRAMED_OPTIONS_INIT;
  framing.largest = LARGEST;
  unipc_framed *clients;
  r = unipc_framed_create(stream, &framing, &clients);
  if (r < 0) {
    unipc_stream_close(stream);
    return unipc_error_print("framing", r);
  }
  int failed = serve(clients, count);
  r = unipc_fifo_unlink(path); /* first the name: nobody writes what nobody will read */
  unipc_framed_close(clients);
  return r < 0 ? unipc_error_print("fifo_server", r) : failed;
}

int main(int argc, char **argv) {
  long count = argc > 1 ? example_count(argc, argv, 2) : -1;
  if (count < 0) {
    fprintf(stderr, "usage: fifo_server PATH [--count N]\n");
    return 2;
  }
  int r = example_stop_on_signals();
  if (r < 0) return unipc_error_print("signals", r);
  return run(argv[1], count);
}
