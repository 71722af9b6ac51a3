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

#include <sys/socket.h>

#define NEEDED (UNIPC_SEAL_SHRINK | UNIPC_SEAL_GROW | UNIPC_SEAL_WRITE)

union control {
  struct cmsghdr header; /* for its alignment */
  char bytes[CMSG_SPACE(sizeof(int))];
};

/* A descriptor goes with at least one byte. */
static int send_descriptor(int channel, int fd) {
  char byte = '!';
  struct iovec data = {&byte, 1};
  union control control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {0};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return sendmsg(channel, &message, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* The descriptor, or a negative code. */
static int receive_descriptor(int channel) {
  char byte;
  struct iovec data = {&byte, 1};
  union control control;
  struct msghdr message = {0};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  ssize_t n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
  if (n < 0) return -errno;
  struct cmsghdr *header = n == 0 ? NULL : CMSG_FIRSTHDR(&message);
  int fd;
  if (header == NULL || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof fd)) return -EPROTO;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

static int sender(int channel) {
  static const char text[] = "Hello from sealed memory!";
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 4096;
  unipc_memory *memory;
  int r = unipc_memory_create_memfd("message", &options, &memory);
  if (r < 0) return unipc_error_print("memfd", r);
  r = unipc_memory_write(memory, 0, text, sizeof text);
  if (r == 0) r = send_descriptor(channel, unipc_memory_fd(memory)); /* too early */
  char answer;
  if (r == 0 && recv(channel, &answer, 1, 0) != 1) r = -ECONNRESET;
  if (r == 0) r = unipc_memory_seal(memory, NEEDED);
  if (r == 0) r = send_descriptor(channel, unipc_memory_fd(memory));
  unipc_memory_close(memory);
  return r < 0 ? unipc_error_print("sender", r) : 0;
}

/* Accepts what is sealed. The result of unipc_memory_from_fd. */
static int receive(int channel) {
  char text[100];
  int fd = receive_descriptor(channel);
  if (fd < 0) return fd;
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

int main(void) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
    perror("socketpair");
    return 1;
  }
  pid_t pid = example_fork();
  if (pid == 0) {
    close(ends[0]);
    example_exit(sender(ends[1]));
  }
  close(ends[1]); /* a sender that dies is the end, and no wait */
  int failed = pid < 0;
  int r = receive(ends[0]);
  if (r == -EPERM) {
    printf("Refused: not sealed\n");
    r = send(ends[0], "!", 1, MSG_NOSIGNAL) == 1 ? receive(ends[0]) : -errno;
  }
  if (r < 0) failed |= unipc_error_print("receive", r);
  close(ends[0]);
  return (pid > 0 && example_wait(pid)) || failed;
}
