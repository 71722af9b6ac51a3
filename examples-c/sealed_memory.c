/* A memfd travels over a socket to a process that does not trust its sender. It is accepted when it is sealed:
 * then nobody can make it smaller, which would be SIGBUS, or change it while it is read.
 *
 * The sender fills, seals, and then sends; what it sends first is not sealed, and refused.
 *
 * Run:     sealed_memory
 * Prints:  Refused: not sealed
 *          Received: Hello from sealed memory!
 */
#include "example.h"

#define NEEDED (UNIPC_SEAL_SHRINK | UNIPC_SEAL_GROW | UNIPC_SEAL_WRITE)

static int send_memory(unipc_stream *channel, const unipc_memory *memory) {
  int fd = unipc_memory_fd(memory);
  return unipc_stream_send_fds(channel, "!", 1, &fd, 1, PATIENCE, NULL);
}

static int sender(unipc_stream *channel) {
  static const char text[] = "Hello from sealed memory!";
  char answer;
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 4096;
  unipc_memory *memory;
  int r = unipc_memory_create_memfd("message", &options, &memory);
  if (r < 0) return unipc_error_print("memfd", r);
  r = unipc_memory_write(memory, 0, text, sizeof text);
  if (r == 0) r = send_memory(channel, memory); /* too early */
  if (r == 0) r = unipc_stream_read_exact(channel, &answer, 1, PATIENCE, NULL);
  if (r == 0) r = unipc_memory_seal(memory, NEEDED);
  if (r == 0) r = send_memory(channel, memory);
  unipc_memory_close(memory);
  return r < 0 ? unipc_error_print("sender", r) : 0;
}

/* Accepts what is sealed; -EPERM if it is not. */
static int receive(unipc_stream *channel) {
  char byte, text[100];
  int fd;
  size_t count;
  ptrdiff_t n = unipc_stream_receive_fds(channel, &byte, 1, &fd, 1, &count, PATIENCE);
  if (n < 0) return (int)n;
  if (count != 1) return -EPROTO;
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof text;
  options.access = UNIPC_READ_ONLY;
  options.require_seals = NEEDED;
  unipc_memory *memory;
  int r = unipc_memory_from_fd(fd, &options, &memory);
  if (r < 0) {
    close(fd); /* it is taken over on success alone */
    return r;
  }
  r = unipc_memory_read(memory, 0, text, sizeof text);
  text[sizeof text - 1] = '\0';
  if (r == 0) printf("Received: %s\n", text);
  unipc_memory_close(memory);
  return r;
}

static int parent(unipc_stream *channel) {
  int r = receive(channel);
  if (r == -EPERM) {
    printf("Refused: not sealed\n");
    r = unipc_stream_write_all(channel, "!", 1, PATIENCE, NULL);
    if (r == 0) r = receive(channel);
  }
  return r < 0 ? unipc_error_print("receive", r) : 0;
}

int main(void) {
  unipc_stream *ours, *theirs;
  int r = unipc_stream_pair_unix(&ours, &theirs);
  if (r < 0) return unipc_error_print("sealed_memory", r);
  pid_t pid = example_fork();
  if (pid == 0) {
    unipc_stream_close(ours);
    example_exit(sender(theirs));
  }
  unipc_stream_close(theirs); /* a sender that dies is the end, and no wait */
  int failed = pid < 0 || parent(ours);
  unipc_stream_close(ours); /* a sender that still waits meets the end */
  if (pid > 0) failed |= example_wait(pid);
  return failed;
}
