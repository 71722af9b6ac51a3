/* Bytes that never pass through the process which sends them on: a file to a socket by sendfile, a pipe to a pipe by splice. The library takes
 * the fastest way that a pair of descriptors allows, and says which it was.
 *
 * Run:     zero_copy [PATH]       (of a file that is made for it, and removed)
 * Prints:  File to socket: 1000000 bytes by sendfile, all as they were / Pipe to pipe: 1000000 bytes by splice, all as they were
 */
#include "example.h"

#define SIZE 1000000

static unsigned char byte_at(size_t index) { return (unsigned char)(index * 7 + index / 251); }

static int write_all(unipc_stream *stream) {
  static unsigned char data[SIZE];
  for (size_t i = 0; i < SIZE; i++) data[i] = byte_at(i);
  int r = unipc_stream_write_all(stream, data, SIZE, PATIENCE, NULL);
  return r < 0 ? unipc_error_print("write", r) : 0;
}

/* Reads to the end; 0 if every byte is what it was. */
static int check_all(unipc_stream *stream) {
  unsigned char part[4096];
  size_t count = 0;
  for (;;) {
    ptrdiff_t n = unipc_stream_read(stream, part, sizeof part, PATIENCE);
    if (n < 0) return unipc_error_print("read", (int)n);
    if (n == 0) break;
    for (ptrdiff_t i = 0; i < n; i++) {
      if (part[i] != byte_at(count++)) return 1;
    }
  }
  return count == SIZE ? 0 : 1;
}

/* Sends all that comes from one descriptor to the other, and says how. */
static int send_on(int from, int to, unipc_transfer_result *result) {
  int r = unipc_transfer(from, to, NULL, PATIENCE, result);
  return r < 0 ? unipc_error_print("transfer", r) : 0;
}

static void report(const char *what, const unipc_transfer_result *result) {
  printf("%s: %llu bytes by %s, all as they were\n", what, (unsigned long long)result->bytes, unipc_transfer_way_name(result->way));
}

static int file_to_socket(const char *path) {
  FILE *file = fopen(path, "wxe+");
  if (file == NULL) {
    perror(path);
    return 1;
  }
  unlink(path);
  for (size_t i = 0; i < SIZE; i++) putc(byte_at(i), file);
  rewind(file); /* what stdio holds back is written, and the position is the beginning */
  unipc_stream *near, *far;
  int r = unipc_stream_pair_unix(&near, &far);
  if (r < 0) return unipc_error_print("socket pair", r);
  pid_t pid = example_fork();
  if (pid == 0) {
    unipc_stream_close(near);
    example_exit(check_all(far));
  }
  unipc_stream_close(far);
  unipc_transfer_result result = UNIPC_TRANSFER_RESULT_INIT;
  int failed = pid < 0 || send_on(fileno(file), unipc_stream_fd(near), &result);
  unipc_stream_close(near); /* the end */
  fclose(file);
  if ((pid > 0 && example_wait(pid)) || failed) return 1;
  report("File to socket", &result);
  return 0;
}

static int pipe_to_pipe(void) {
  unipc_stream *from, *from_writer, *to_reader, *to;
  int r = unipc_pipe_create(NULL, &from, &from_writer);
  if (r == 0) r = unipc_pipe_create(NULL, &to_reader, &to);
  if (r < 0) return unipc_error_print("pipe", r);
  pid_t writer = example_fork();
  if (writer == 0) example_exit(write_all(from_writer));
  unipc_stream_close(from_writer);
  pid_t reader = example_fork();
  if (reader == 0) {
    unipc_stream_close(to);
    example_exit(check_all(to_reader));
  }
  unipc_stream_close(to_reader);
  unipc_transfer_result result = UNIPC_TRANSFER_RESULT_INIT;
  int failed = writer < 0 || reader < 0 || send_on(unipc_stream_fd(from), unipc_stream_fd(to), &result);
  unipc_stream_close(from);
  unipc_stream_close(to);
  if (writer > 0 && example_wait(writer)) failed = 1;
  if (reader > 0 && example_wait(reader)) failed = 1;
  if (!failed) report("Pipe to pipe", &result);
  return failed;
}

int main(int argc, char **argv) {
  return file_to_socket(example_path(argc, argv, "unipc-zero-copy")) || pipe_to_pipe();
}
