/* A socket pair for a conversation between a parent and its child: one call, both directions.
 *
 * The parent asks, the child answers, until the parent ends the stream. The messages are framed.
 *
 * Run:     socketpair
 * Prints:  Child was asked: ... and Parent was told: ..., in turn
 */
#include "example.h"

static int child(unipc_framed *parent) {
  char question[100], answer[200];
  for (;;) {
    ptrdiff_t n = example_receive_text(parent, question, sizeof question);
    if (n == UNIPC_END) return 0;
    if (n < 0) return unipc_error_print("child receives", (int)n);
    printf("Child was asked: %s\n", question);
    fflush(stdout); /* before the parent learns that it may print */
    snprintf(answer, sizeof answer, "%s has %d letters", question, (int)n);
    int r = example_send_text(parent, answer);
    if (r < 0) return unipc_error_print("child sends", r);
  }
}

static int ask(unipc_framed *child, const char *question) {
  char answer[200];
  int r = example_send_text(child, question);
  if (r < 0) return unipc_error_print("parent sends", r);
  ptrdiff_t n = example_receive_text(child, answer, sizeof answer);
  if (n < 0) return unipc_error_print("parent receives", (int)n);
  printf("Parent was told: %s\n", answer);
  fflush(stdout);
  return 0;
}

static int frame(unipc_stream *stream, unipc_framed **framed) {
  int r = unipc_framed_create(stream, NULL, framed);
  if (r == 0) return 0;
  unipc_stream_close(stream);
  return unipc_error_print("framing", r);
}

static int talk(unipc_stream *stream) {
  unipc_framed *other;
  if (frame(stream, &other) != 0) return 1;
  int failed = ask(other, "pipe") || ask(other, "socket") || ask(other, "semaphore");
  unipc_framed_close(other); /* the child meets the end */
  return failed;
}

static int listen_to_parent(unipc_stream *stream) {
  unipc_framed *other;
  if (frame(stream, &other) != 0) return 1;
  int failed = child(other);
  unipc_framed_close(other);
  return failed;
}

int main(void) {
  unipc_stream *ours, *theirs;
  int r = unipc_stream_pair_unix(&ours, &theirs);
  if (r < 0) return unipc_error_print("pair", r);

  pid_t pid = example_fork();
  if (pid == 0) {
    unipc_stream_close(ours);
    example_exit(listen_to_parent(theirs));
  }
  unipc_stream_close(theirs);
  if (pid < 0) {
    unipc_stream_close(ours);
    return 1;
  }
  int failed = talk(ours);
  return example_wait(pid) || failed;
}
