/* The reference for what is done and undone, or done on one side and seen on the other; a part of raw.c. */
#include <linux/futex.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static unsigned char *region, *copied;
static _Atomic uint32_t *words;
static int timer, blocks, nowhere, ends_of_pipe[2], pair[2], watched[2], watcher = -1;
static pid_t child;

static void *shared_pages(size_t size) {
  void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) fail("mmap", strerror(errno));
  return pages;
}

static void prepare_memory(void) {
  region = shared_pages(operand_size);
  copied = calloc(1, operand_size);
  if (!copied) fail("memory", "none");
}

static void copy_in(int which) {
  (void)which;
  memcpy(region, copied, operand_size);
}

static void copy_out(int which) {
  (void)which;
  memcpy(copied, region, operand_size);
}

static void prepare_timer(void) {
  timer = need("timerfd_create", timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
}

static void set_timer(int which) {
  struct itimerspec time = {.it_value.tv_sec = 1};
  (void)which;
  need("timerfd_settime", timerfd_settime(timer, 0, &time, NULL));
}

static void cancel_timer(int which) {
  struct itimerspec time = {0};
  (void)which;
  need("timerfd_settime", timerfd_settime(timer, 0, &time, NULL));
}

static void prepare_transfer(void) {
  signal(SIGPIPE, SIG_IGN);
  blocks = need("blocks", open("blocks", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  need("ftruncate", ftruncate(blocks, (off_t)operand_size));
  need("pipe", pipe2(ends_of_pipe, O_CLOEXEC));
  nowhere = need("/dev/null", open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static void splice_all(int from, loff_t *offset, int to) {
  for (size_t left = operand_size; left > 0;) {
    ssize_t n = splice(from, offset, to, NULL, left, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("splice", n < 0 ? strerror(errno) : "the end");
    left -= (size_t)n;
  }
}

static void transfer_in(int which) {
  loff_t begin = 0;
  (void)which;
  splice_all(blocks, &begin, ends_of_pipe[1]);
}

static void transfer_out(int which) {
  (void)which;
  splice_all(ends_of_pipe[0], NULL, nowhere);
}

static void prepare_spawn(void) {}

static void start_child(int which) {
  char *arguments[] = {"true", NULL};
  extern char **environ;
  (void)which;
  done("posix_spawn", posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ));
}

static void await_child(int which) {
  int status;
  (void)which;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) fail("waitpid", strerror(errno));
  }
  if (status != 0) fail("child", "it failed");
}

static void prepare_passing(void) {
  need("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
  nowhere = need("/dev/null", open("/dev/null", O_WRONLY | O_CLOEXEC));
}

union control {
  struct cmsghdr header;
  unsigned char bytes[CMSG_SPACE(sizeof(int))];
};

static void pass(int which) {
  char byte = 1;
  union control control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  (void)which;
  memcpy(CMSG_DATA(&control.header), &nowhere, sizeof nowhere);
  while (sendmsg(pair[0], &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) fail("sendmsg", strerror(errno));
  }
}

static void take_passed(int which) {
  char byte;
  int passed;
  union control control;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  (void)which;
  while (recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) != 1) {
    if (errno != EINTR) fail("recvmsg", strerror(errno));
  }
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS || (message.msg_flags & MSG_CTRUNC)) fail("recvmsg", "no descriptor");
  memcpy(&passed, CMSG_DATA(header), sizeof passed);
  close(passed);
}

static void prepare_poller(void) {
  for (int i = THERE; i <= BACK; i++) watched[i] = need("eventfd", eventfd(0, EFD_CLOEXEC));
}

static void add_to_watched(int which) {
  uint64_t one = 1;
  while (write(watched[which], &one, sizeof one) != sizeof one) {
    if (errno != EINTR) fail("eventfd", strerror(errno));
  }
}

/* Each process watches the counter that it takes from. */
static void take_when_told(int which) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7}, told[8];
  uint64_t value;
  int n;
  if (watcher < 0) {
    watcher = need("epoll_create", epoll_create1(EPOLL_CLOEXEC));
    need("epoll_ctl", epoll_ctl(watcher, EPOLL_CTL_ADD, watched[which], &event));
  }
  while ((n = epoll_wait(watcher, told, 8, -1)) < 0) {
    if (errno != EINTR) fail("epoll_wait", strerror(errno));
  }
  if (n != 1 || told[0].data.u64 != 7) fail("epoll_wait", "another source");
  while (read(watched[which], &value, sizeof value) != sizeof value) {
    if (errno != EINTR) fail("eventfd", strerror(errno));
  }
}

static void prepare_futex(void) {
  words = shared_pages(2 * sizeof *words);
}

static void set_and_wake(int which) {
  atomic_store(&words[which], 1);
  need("futex", (int)syscall(SYS_futex, &words[which], FUTEX_WAKE, 1, NULL, NULL, 0));
}

static void sleep_until_set(int which) {
  while (atomic_load(&words[which]) == 0) {
    if (syscall(SYS_futex, &words[which], FUTEX_WAIT, 0, NULL, NULL, 0) != 0 && errno != EAGAIN && errno != EINTR) {
      fail("futex", strerror(errno));
    }
  }
  atomic_store(&words[which], 0);
}
