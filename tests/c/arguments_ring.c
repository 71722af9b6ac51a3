/* As arguments.c, for rings: what they refuse, and what they do with it where there is io_uring. */
#define _GNU_SOURCE
#include <unipc.h>

#include "arguments.h"

#include <limits.h>
#include <signal.h>
#include <sys/socket.h>

static unipc_ring_operation operation(uint32_t what, int fd, uint64_t token, const void *data, size_t length) {
  unipc_ring_operation made = {token, UNIPC_RING_POSITION, data, length, fd, what};
  return made;
}

static void refused(void) {
  unipc_ring *ring;
  unipc_ring_completion done[4];
  unipc_ring_operation one = operation(UNIPC_RING_READ, 0, 1, NULL, 1);
  INVALID(unipc_ring_create(4, NULL));
  REFUSED(ring, unipc_ring_create(0, &ring));
  REFUSED(ring, unipc_ring_create(32769, &ring));
  REFUSED(ring, unipc_ring_create(UINT32_MAX, &ring));
  INVALID(unipc_ring_submit(NULL, &one, 1));
  INVALID(unipc_ring_wait(NULL, done, 4, 0));
  INVALID(unipc_ring_cancel(NULL, 1));
  INVALID(unipc_ring_fd(NULL));
  unipc_ring_close(NULL);
}

static void used(void) {
  unipc_ring *ring;
  unipc_ring_completion done[4];
  unipc_ring_operation some[4];
  int fds[2], sockets[2];
  char gone[6] = "hello";
  CHECK_EQUAL(pipe(fds), 0);
  CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  CHECK_EQUAL(unipc_ring_create(4, &ring), 0);
  CHECK_EQUAL(unipc_ring_submit(ring, NULL, 0), 0);
  INVALID(unipc_ring_submit(ring, NULL, 1));
  INVALID(unipc_ring_submit(ring, NULL, SIZE_MAX));
  INVALID(unipc_ring_wait(ring, NULL, 4, 0));
  INVALID(unipc_ring_wait(ring, done, 0, 0));
  INVALID(unipc_ring_wait(ring, done, INT_MIN, 0));
  CHECK_EQUAL(unipc_ring_wait(ring, done, 4, UNIPC_FOREVER), 0);
  some[0] = operation(3, fds[0], 1, NULL, 1);
  INVALID(unipc_ring_submit(ring, some, 1));
  some[0] = operation(UNIPC_RING_WRITE, fds[1], 1, NULL, 1);
  INVALID(unipc_ring_submit(ring, some, 1));
  some[0] = operation(UNIPC_RING_READ, fds[0], 1, NULL, SIZE_MAX);
  INVALID(unipc_ring_submit(ring, some, 1));
  some[0] = operation(UNIPC_RING_WRITE, fds[1], 1, gone, SIZE_MAX);
  INVALID(unipc_ring_submit(ring, some, 1));
  /* More than there is memory for: what the kernel cannot move anyway needs none. */
  some[0] = operation(UNIPC_RING_READ, fds[0], 7, NULL, (size_t)PTRDIFF_MAX);
  int submitted = unipc_ring_submit(ring, some, 1);
  CHECK(submitted == 0 || submitted == -ENOMEM);
  if (submitted == 0) {
    CHECK_EQUAL(write(fds[1], "x", 1), 1);
    CHECK_EQUAL(unipc_ring_wait(ring, done, 4, UNIPC_FOREVER), 1);
    CHECK(done[0].token == 7 && done[0].result == 1 && *(const char *)done[0].data == 'x');
  }
  /* A descriptor that there is not is told by its completion. */
  some[0] = operation(UNIPC_RING_READ, -1, UINT64_MAX, NULL, 1);
  some[1] = operation(UNIPC_RING_WRITE, INT_MIN, UINT64_MAX, gone, 1);
  CHECK_EQUAL(unipc_ring_submit(ring, some, 2), 0);
  for (int i = 0; i < 2; i++) {
    CHECK_EQUAL(unipc_ring_wait(ring, done, 1, UNIPC_FOREVER), 1);
    CHECK(done[0].token == UINT64_MAX && done[0].result == -EBADF);
  }
  /* Bytes are copied when they are submitted. */
  some[0] = operation(UNIPC_RING_READ, fds[0], 1, NULL, 100);
  some[1] = operation(UNIPC_RING_READ, sockets[0], 2, NULL, 100);
  CHECK_EQUAL(unipc_ring_submit(ring, some, 2), 0);
  CHECK_EQUAL(unipc_ring_wait(ring, done, 4, INT64_MIN), -EAGAIN);
  CHECK_EQUAL(unipc_ring_wait(ring, done, 4, UNIPC_MILLISECOND), -ETIMEDOUT);
  some[0] = operation(UNIPC_RING_WRITE, fds[1], 3, gone, 5);
  some[1] = operation(UNIPC_RING_WRITE, sockets[1], 4, gone, 5);
  some[2] = some[1];
  CHECK_EQUAL(unipc_ring_submit(ring, some, 3), -EAGAIN);
  CHECK_EQUAL(unipc_ring_submit(ring, some, SIZE_MAX / sizeof *some), -EAGAIN);
  CHECK_EQUAL(unipc_ring_submit(ring, some, 2), 0);
  memset(gone, 0, sizeof gone);
  uint64_t told = 0;
  for (int left = 4; left > 0;) {
    int n = unipc_ring_wait(ring, done, 4, UNIPC_FOREVER);
    CHECK(n > 0);
    for (int i = 0; i < n; i++) {
      CHECK(done[i].result == 5 && memcmp(done[i].data, "hello", 5) == 0);
      told |= UINT64_C(1) << done[i].token;
    }
    left -= n;
  }
  CHECK_EQUAL(told, 30);
  some[0] = operation(UNIPC_RING_READ, fds[0], 5, NULL, 100);
  CHECK_EQUAL(unipc_ring_submit(ring, some, 1), 0);
  CHECK_EQUAL(unipc_ring_cancel(ring, 6), 0);
  CHECK_EQUAL(unipc_ring_cancel(ring, 5), 1);
  CHECK_EQUAL(unipc_ring_wait(ring, done, 4, UNIPC_FOREVER), 1);
  CHECK(done[0].token == 5 && done[0].result == -ECANCELED);
  close(sockets[1]);
  some[0] = operation(UNIPC_RING_READ, sockets[0], 7, NULL, 100);
  CHECK_EQUAL(unipc_ring_submit(ring, some, 1), 0);
  CHECK_EQUAL(unipc_ring_wait(ring, done, 4, UNIPC_FOREVER), 1);
  CHECK(done[0].token == 7 && done[0].result == 0);
  some[0] = operation(UNIPC_RING_WRITE, sockets[0], 8, "x", 1);
  CHECK_EQUAL(unipc_ring_submit(ring, some, 1), 0);
  CHECK_EQUAL(unipc_ring_wait(ring, done, 4, UNIPC_FOREVER), 1);
  CHECK(done[0].token == 8 && done[0].result == -EPIPE);
  CHECK(unipc_ring_fd(ring) >= 0);
  /* In flight when it is closed. */
  some[0] = operation(UNIPC_RING_READ, fds[0], 9, NULL, 100000);
  CHECK_EQUAL(unipc_ring_submit(ring, some, 1), 0);
  unipc_ring_close(ring);
  CHECK_EQUAL(write(fds[1], "mine", 4), 4);
  CHECK_EQUAL(read(fds[0], gone, 6), 4);
  close(fds[0]), close(fds[1]), close(sockets[0]);
}

int main(void) {
  house before = house_now();
  signal(SIGPIPE, SIG_DFL);
  refused();
  int r = unipc_ring_available();
  if (r == 0) used();
  else CHECK_EQUAL(r, UNIPC_UNAVAILABLE);
  house_check(before);
  return 0;
}
