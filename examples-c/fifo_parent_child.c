/* A FIFO is a pipe with a name in the file system. Here a child writes to it and its parent reads.
 *
 * Opening waits for the other side, within a limit: a child that dies before it opens costs the parent an
 * error and not its life. The message ends with the stream; the FIFO is removed at the end.
 *
 * Run:     fifo_parent_child [PATH]
 * Prints:  Received: Hello via FIFO!
 */
#include "example.h"

static int child(const char *path) {
  const char *message = "Hello via FIFO!";
  unipc_stream *writer;
  int r = unipc_stream_open_fifo_writer(path, NULL, PATIENCE, &writer);
  if (r < 0) return unipc_error_print("open for writing", r);
  r = unipc_stream_write_all(writer, message, strlen(message), PATIENCE, NULL);
  unipc_stream_close(writer);
  return r < 0 ? unipc_error_print("write", r) : 0;
}

static int parent(const char *path) {
  char text[100];
  unipc_stream *reader;
  int r = unipc_stream_open_fifo_reader(path, NULL, PATIENCE, &reader);
  if (r < 0) return unipc_error_print("open for reading", r);
  ptrdiff_t n = example_read_text(reader, text, sizeof text);
  unipc_stream_close(reader);
  if (n < 0) return unipc_error_print("read", (int)n);
  printf("Received: %s\n", text);
  return 0;
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-fifo");
  int r = unipc_fifo_create(path, NULL);
  if (r < 0) return unipc_error_print("fifo_parent_child", r);

  pid_t pid = example_fork();
  if (pid == 0) example_exit(child(path));
  int failed = pid < 0;
  if (pid > 0) {
    failed = parent(path);
    failed |= example_wait(pid);
  }
  r = unipc_fifo_unlink(path);
  return r < 0 ? unipc_error_print("fifo_parent_child", r) : failed;
}
