/* A mistake, and how it is done well. A FIFO is one stream of bytes: who opens it for both ways gets back
 * what it has written itself, whenever it reads before the other side does. A Unix socket has two
 * directions.
 *
 * Run:     fifo_one_for_both [PATH]        PATH is used for the FIFO and then for the socket
 * Prints:  Mistake, one FIFO for both ways: sent "request", received "request"
 *          Corrected, a Unix socket: sent "request", received "response"
 */
#include "example.h"

/* Asks, and says what came back. Neither side ends the stream, so it is agreed how long each message is. */
static int ask(unipc_stream *out, unipc_stream *in, size_t expected, const char *how) {
  char answer[100];
  int r = unipc_stream_write_all(out, "request", 7, PATIENCE, NULL);
  if (r < 0) return unipc_error_print("write", r);
  r = unipc_stream_read_exact(in, answer, expected, PATIENCE, NULL);
  if (r < 0) return unipc_error_print("read", r);
  printf("%s: sent \"request\", received \"%.*s\"\n", how, (int)expected, answer);
  return 0;
}

static int mistake(const char *path) {
  unipc_fifo_options options = UNIPC_FIFO_OPTIONS_INIT;
  options.unpaired = 1; /* nobody else has it open */
  unipc_stream *in, *out;
  int r = unipc_stream_open_or_create_fifo_reader(path, &options, 0, &in);
  if (r < 0) return unipc_error_print("fifo_one_for_both", r);
  r = unipc_stream_open_fifo_writer(path, NULL, PATIENCE, &out);
  int failed = r < 0 ? unipc_error_print("fifo_one_for_both", r) : 0;
  if (r == 0) {
    failed = ask(out, in, 7, "Mistake, one FIFO for both ways");
    unipc_stream_close(out);
  }
  unipc_stream_close(in);
  r = unipc_fifo_unlink(path);
  return r < 0 ? unipc_error_print("fifo_one_for_both", r) : failed;
}

static int serve(unipc_listener *listener) {
  char request[7];
  unipc_stream *client;
  int r = unipc_listener_accept(listener, PATIENCE, &client);
  if (r < 0) return unipc_error_print("accept", r);
  r = unipc_stream_read_exact(client, request, sizeof request, PATIENCE, NULL);
  if (r == 0) r = unipc_stream_write_all(client, "response", 8, PATIENCE, NULL);
  unipc_stream_close(client);
  return r < 0 ? unipc_error_print("serve", r) : 0;
}

static int corrected(const char *path) {
  unipc_listener *listener;
  int r = unipc_listener_open_unix(path, NULL, &listener);
  if (r < 0) return unipc_error_print("fifo_one_for_both", r);
  pid_t pid = example_fork();
  if (pid == 0) {
    int failed = serve(listener);
    unipc_listener_close(listener);
    example_exit(failed);
  }
  int failed = pid < 0;
  if (pid > 0) {
    unipc_stream *server;
    r = unipc_stream_connect_unix(path, NULL, PATIENCE, &server);
    if (r < 0) failed = unipc_error_print("fifo_one_for_both", r);
    else {
      failed = ask(server, server, 8, "Corrected, a Unix socket");
      unipc_stream_close(server);
    }
    failed |= example_wait(pid);
  }
  unipc_listener_close(listener);
  return failed;
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-mistake");
  int failed = mistake(path);
  return corrected(path) || failed;
}
