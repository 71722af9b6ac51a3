/* Sums up numbers that stand in shared memory, for clients that say over a Unix socket where: the socket is for
 * control, the memory for data. Its partner is hybrid_client; the two are unrelated.
 *
 * What a client says is checked: a name that is none, a memory that is not there or too small is that client's
 * error, and not the server's.
 *
 * Run:     hybrid_server PATH [--count N]    ends after N clients, or by SIGTERM, and removes the path
 * Prints:  Server: 1000000 numbers, sum 499999500000
 */
#include "example.h"

/* What stands in a request: "NAME COUNT". The answer: the sum, or "error". */
static int sum_up(const char *request, char *answer, size_t capacity) {
  char name[64];
  unsigned long long count, sum = 0;
  if (sscanf(request, "%63s %llu", name, &count) != 2 || count == 0 || count > SIZE_MAX / sizeof(int64_t)) return -EPROTO;
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = count * sizeof(int64_t); /* no smaller memory will do */
  options.access = UNIPC_READ_ONLY;
  options.checked = 1; /* a client that makes it smaller meanwhile does not end the server */
  unipc_memory *memory;
  int r = unipc_memory_open_posix(name, &options, &memory);
  for (unsigned long long done = 0; r == 0 && done < count;) {
    int64_t numbers[4096];
    unsigned long long most = count - done < 4096 ? count - done : 4096;
    r = unipc_memory_read(memory, done * sizeof *numbers, numbers, most * sizeof *numbers);
    for (unsigned long long i = 0; r == 0 && i < most; i++) sum += (unsigned long long)numbers[i];
    done += most;
  }
  unipc_memory_close(memory);
  if (r < 0) return r;
  printf("Server: %llu numbers, sum %llu\n", count, sum);
  fflush(stdout);
  snprintf(answer, capacity, "%llu", sum);
  return 0;
}

static int answer(unipc_stream *client) {
  char request[128], text[64] = "error";
  unipc_framed *framed;
  int r = unipc_framed_create(client, NULL, &framed); /* it takes the stream over */
  if (r < 0) {
    unipc_stream_close(client);
    return r;
  }
  ptrdiff_t n = example_receive_text(framed, request, sizeof request);
  r = (int)n;
  if (n >= 0) {
    r = sum_up(request, text, sizeof text);
    if (r < 0) unipc_error_print("request", r);
    r = example_send_text(framed, text);
  }
  unipc_framed_close(framed);
  if (r == -ECANCELED) return r;
  if (r < 0) unipc_error_print("client", r);
  return 0;
}

static int serve(unipc_listener *listener, long count) {
  for (long served = 0; count == 0 || served < count; served++) {
    unipc_stream *client;
    int r = unipc_listener_accept(listener, UNIPC_FOREVER, &client);
    if (r == 0) r = answer(client);
    if (r == -ECANCELED) return 0; /* SIGTERM */
    if (r < 0) return unipc_error_print("accept", r);
  }
  return 0;
}

int main(int argc, char **argv) {
  long count = argc > 1 ? example_count(argc, argv, 2) : -1;
  if (count < 0) {
    fprintf(stderr, "usage: hybrid_server PATH [--count N]\n");
    return 2;
  }
  int r = example_stop_on_signals();
  if (r < 0) return unipc_error_print("signals", r);
  unipc_listener *listener;
  r = unipc_listener_open_unix(argv[1], NULL, &listener);
  if (r < 0) return unipc_error_print("hybrid_server", r);
  int failed = serve(listener, count);
  unipc_listener_close(listener);
  return failed;
}
