/* Two pipes make a conversation: one carries the request, the other the answer.
 *
 * A message ends with its stream, so each side closes its writing end when it has spoken. Neither can fill
 * one pipe while the other waits to be read, which is how two pipes deadlock.
 *
 * Run:     two_pipes
 * Prints:  Child received: What is six times seven?
 *          Parent received: 42
 */
#include "example.h"

/* Takes both ends over. */
static int child(unipc_stream *requests, unipc_stream *answers) {
  char request[100];
  ptrdiff_t n = example_read_text(requests, request, sizeof request);
  unipc_stream_close(requests);
  if (n >= 0) {
    printf("Child received: %s\n", request);
    fflush(stdout); /* before the parent learns that it may print */
    n = unipc_stream_write_all(answers, "42", 2, PATIENCE, NULL);
  }
  unipc_stream_close(answers);
  return n < 0 ? unipc_error_print("child", (int)n) : 0;
}

/* Takes both ends over. */
static int parent(unipc_stream *requests, unipc_stream *answers) {
  const char *request = "What is six times seven?";
  char answer[100];
  ptrdiff_t n = unipc_stream_write_all(requests, request, strlen(request), PATIENCE, NULL);
  unipc_stream_close(requests); /* the request ends here */
  if (n >= 0) n = example_read_text(answers, answer, sizeof answer);
  unipc_stream_close(answers);
  if (n < 0) return unipc_error_print("parent", (int)n);
  printf("Parent received: %s\n", answer);
  return 0;
}

int main(void) {
  unipc_stream *request_reader, *request_writer, *answer_reader, *answer_writer;
  int r = unipc_pipe_create(NULL, &request_reader, &request_writer);
  if (r < 0) return unipc_error_print("pipe", r);
  r = unipc_pipe_create(NULL, &answer_reader, &answer_writer);
  if (r < 0) {
    unipc_stream_close(request_reader);
    unipc_stream_close(request_writer);
    return unipc_error_print("pipe", r);
  }

  pid_t pid = example_fork();
  if (pid == 0) {
    unipc_stream_close(request_writer);
    unipc_stream_close(answer_reader);
    example_exit(child(request_reader, answer_writer));
  }
  unipc_stream_close(request_reader);
  unipc_stream_close(answer_writer);
  if (pid < 0) {
    unipc_stream_close(request_writer);
    unipc_stream_close(answer_reader);
    return 1;
  }
  int failed = parent(request_writer, answer_reader);
  return example_wait(pid) || failed;
}
