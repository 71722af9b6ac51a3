/* An anonymous pipe carries bytes from a parent to its child.
 *
 * Each side closes the end that it does not use: the child would otherwise hold a writing end itself and
 * never meet the end of the stream. The message ends with the stream.
 *
 * Run:     pipe_parent_child
 * Prints:  Child received: Hello from parent!
 */
#include "example.h"

static int child(unipc_stream *reader) {
  char text[100];
  ptrdiff_t n = example_read_text(reader, text, sizeof text);
  unipc_stream_close(reader);
  if (n < 0) return unipc_error_print("read", (int)n);
  printf("Child received: %s\n", text);
  return 0;
}

static int parent(unipc_stream *writer) {
  const char *message = "Hello from parent!";
  int r = unipc_stream_write_all(writer, message, strlen(message), PATIENCE, NULL);
  unipc_stream_close(writer); /* the child meets the end */
  return r < 0 ? unipc_error_print("write", r) : 0;
}

int main(void) {
  unipc_stream *reader, *writer;
  int r = unipc_pipe_create(NULL, &reader, &writer);
  if (r < 0) return unipc_error_print("pipe", r);

  pid_t pid = example_fork();
  if (pid == 0) {
    unipc_stream_close(writer);
    example_exit(child(reader));
  }
  unipc_stream_close(reader);
  if (pid < 0) {
    unipc_stream_close(writer);
    return 1;
  }
  int failed = parent(writer);
  return example_wait(pid) || failed;
}
