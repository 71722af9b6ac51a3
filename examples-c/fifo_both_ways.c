/* Two FIFOs make a conversation: PATH.request carries the request, PATH.answer the answer.
 *
 * Both sides open the two in the same order; in different orders each would wait for the other. Messages end
 * with their streams.
 *
 * Run:     fifo_both_ways [PATH]
 * Prints:  Server received: What is six times seven?
 *          Client received: 42
 */
#include "example.h"

static char request_path[120], answer_path[120];

static int send_text(const char *path, const char *text) {
  unipc_stream *writer;
  int r = unipc_stream_open_fifo_writer(path, NULL, PATIENCE, &writer);
  if (r < 0) return unipc_error_print("fifo_both_ways", r);
  r = unipc_stream_write_all(writer, text, strlen(text), PATIENCE, NULL);
  unipc_stream_close(writer); /* the message ends here */
  return r < 0 ? unipc_error_print("fifo_both_ways", r) : 0;
}

static int receive_text(const char *path, char *text, size_t capacity) {
  unipc_stream *reader;
  int r = unipc_stream_open_fifo_reader(path, NULL, PATIENCE, &reader);
  if (r < 0) return unipc_error_print("fifo_both_ways", r);
  ptrdiff_t n = example_read_text(reader, text, capacity);
  unipc_stream_close(reader);
  return n < 0 ? unipc_error_print("fifo_both_ways", (int)n) : 0;
}

static int client(void) {
  char answer[100];
  if (send_text(request_path, "What is six times seven?") != 0) return 1;
  if (receive_text(answer_path, answer, sizeof answer) != 0) return 1;
  printf("Client received: %s\n", answer);
  return 0;
}

static int server(void) {
  char request[100];
  if (receive_text(request_path, request, sizeof request) != 0) return 1;
  printf("Server received: %s\n", request);
  fflush(stdout); /* before the client learns that it may print */
  return send_text(answer_path, "42");
}

static int run(void) {
  pid_t pid = example_fork();
  if (pid < 0) return 1;
  if (pid == 0) example_exit(client());
  int failed = server();
  return example_wait(pid) || failed;
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-both");
  snprintf(request_path, sizeof request_path, "%s.request", path);
  snprintf(answer_path, sizeof answer_path, "%s.answer", path);
  int r = unipc_fifo_create(request_path, NULL);
  if (r < 0) return unipc_error_print("fifo_both_ways", r);
  r = unipc_fifo_create(answer_path, NULL);
  int failed = r < 0 ? unipc_error_print("fifo_both_ways", r) : run();
  if (r == 0) {
    r = unipc_fifo_unlink(answer_path);
    if (r < 0) failed = unipc_error_print("fifo_both_ways", r);
  }
  r = unipc_fifo_unlink(request_path);
  return r < 0 ? unipc_error_print("fifo_both_ways", r) : failed;
}
