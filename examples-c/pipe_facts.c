/* What a pipe does, measured: how much it holds, what happens when it is full, when its end comes, and when
 * nobody reads any more.
 *
 * Run:     pipe_facts
 * Prints:  one fact a line
 */
#include "example.h"

static char block[4096];

/* Writes until the pipe is full; how many bytes fitted, or a code. */
static int64_t fill(unipc_stream *writer) {
  int64_t written = 0;
  for (;;) {
    ptrdiff_t n = unipc_stream_write(writer, block, sizeof block, 0);
    if (n == -EAGAIN) return written;
    if (n < 0) return n;
    written += n;
  }
}

static int capacity(unipc_stream *writer) {
  int64_t claimed = unipc_stream_capacity(writer);
  if (claimed < 0) return unipc_error_print("capacity", (int)claimed);
  int64_t written = fill(writer);
  if (written < 0) return unipc_error_print("fill", (int)written);
  printf("Capacity: %lld bytes, and %lld fitted\n", (long long)claimed, (long long)written);
  return 0;
}

/* A writer waits at a full pipe, and goes on when somebody reads. */
static int blocking(unipc_stream *reader, unipc_stream *writer) {
  ptrdiff_t n = unipc_stream_write(writer, "x", 1, 20 * UNIPC_MILLISECOND);
  printf("Writing into the full pipe for 20 ms: %s\n", unipc_error_name((int)n));
  pid_t pid = example_fork();
  if (pid < 0) return 1;
  if (pid == 0) {
    n = unipc_stream_write(writer, block, sizeof block, PATIENCE); /* blocks */
    example_exit(n == (ptrdiff_t)sizeof block ? 0 : 1);
  }
  int r = unipc_stream_read_exact(reader, block, sizeof block, PATIENCE, NULL);
  if (r < 0) unipc_error_print("read", r);
  int failed = example_wait(pid) || r < 0;
  if (!failed) printf("After %d bytes were read, the waiting writer went on\n", (int)sizeof block);
  return failed;
}

/* Reads what is there; 0: then the end came, else a code. */
static int drain(unipc_stream *reader) {
  for (;;) {
    ptrdiff_t n = unipc_stream_read(reader, block, sizeof block, 0);
    if (n <= 0) return (int)n;
  }
}

static const char *end_or_error(int r) {
  return r == 0 ? "the end" : unipc_error_name(r);
}

/* The end comes when the last writer has closed: here a child holds a second writing end until the parent
 * lets go of a pipe of its own. */
static int end_of_stream(unipc_stream *reader, unipc_stream *writer) {
  unipc_stream *hold_reader, *hold_writer;
  int r = unipc_pipe_create(NULL, &hold_reader, &hold_writer);
  if (r < 0) return unipc_error_print("pipe", r);
  pid_t pid = example_fork();
  if (pid == 0) {
    unipc_stream_close(hold_writer);
    example_exit(unipc_stream_read(hold_reader, block, 1, PATIENCE) == 0 ? 0 : 1);
  }
  unipc_stream_close(hold_reader);
  unipc_stream_close(writer);
  if (pid > 0) printf("One of two writers has closed: %s\n", end_or_error(drain(reader)));
  unipc_stream_close(hold_writer); /* the child exits, and closes the last writing end */
  if (pid < 0) return 1;
  int failed = example_wait(pid);
  printf("Both have closed: %s\n", end_or_error(drain(reader)));
  return failed;
}

static int no_reader(void) {
  unipc_stream *reader, *writer;
  int r = unipc_pipe_create(NULL, &reader, &writer);
  if (r < 0) return unipc_error_print("pipe", r);
  unipc_stream_close(reader);
  ptrdiff_t n = unipc_stream_write(writer, "x", 1, PATIENCE);
  unipc_stream_close(writer);
  printf("Writing without a reader: %s, and no signal\n", unipc_error_name((int)n));
  return 0;
}

int main(void) {
  unipc_stream *reader, *writer;
  int r = unipc_pipe_create(NULL, &reader, &writer);
  if (r < 0) return unipc_error_print("pipe", r);
  int failed = capacity(writer) || blocking(reader, writer);
  failed |= end_of_stream(reader, writer); /* closes the writer */
  unipc_stream_close(reader);
  return no_reader() || failed;
}
