/* Puts a million numbers into shared memory and has hybrid_server sum them up: eight megabytes that no socket
 * carries. It waits for the server to listen, so it may be started first.
 *
 * The memory is temporary: its name goes when this program closes it, whatever the server answered.
 *
 * Run:     hybrid_client PATH [NAME]    NAME is that of the memory
 * Prints:  Client: the sum is 499999500000
 */
#include "example.h"

#define COUNT 1000000

static int ask(unipc_framed *server, const char *name) {
  char text[128];
  snprintf(text, sizeof text, "%s %d", name, COUNT);
  int r = example_send_text(server, text);
  if (r < 0) return unipc_error_print("send", r);
  ptrdiff_t n = example_receive_text(server, text, sizeof text);
  if (n < 0) return unipc_error_print("receive", (int)n);
  printf("Client: the sum is %s\n", text);
  return 0;
}

static int run(const char *path, const char *name) {
  unipc_unix_connect_options options = UNIPC_UNIX_CONNECT_OPTIONS_INIT;
  options.wait_for_listener = 1;
  unipc_stream *stream;
  unipc_framed *server;
  int r = unipc_stream_connect_unix(path, &options, PATIENCE, &stream);
  if (r < 0) return unipc_error_print("hybrid_client", r);
  r = unipc_framed_create(stream, NULL, &server);
  if (r < 0) {
    unipc_stream_close(stream);
    return unipc_error_print("hybrid_client", r);
  }
  int failed = ask(server, name);
  unipc_framed_close(server);
  return failed;
}

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: hybrid_client PATH [NAME]\n");
    return 2;
  }
  const char *name = example_name(argc - 1, argv + 1, "unipc-hybrid");
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = COUNT * sizeof(int64_t);
  options.temporary = 1;
  unipc_memory *memory;
  int r = unipc_memory_create_posix(name, &options, &memory);
  if (r < 0) return unipc_error_print("hybrid_client", r);
  int64_t *numbers = (int64_t *)unipc_memory_address(memory);
  for (int64_t i = 0; i < COUNT; i++) numbers[i] = i; /* the request goes out after this, and orders it */
  int failed = run(argv[1], name);
  unipc_memory_close(memory);
  return failed;
}
