/* The reference: nothing but system calls, pthread and sem_t, as a careful C programmer writes them. */
#define _GNU_SOURCE
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Which calls the two ends want. */
enum kind { DESCRIPTOR, SOCKET, MQ, SYSV_QUEUE };

struct ends {
  int in, out;
  enum kind kind;
};

enum { LARGEST = 8192 }; /* message of a queue, in bytes */

static struct ends sides[2];
static int listener;

static int need(const char *what, int result) {
  if (result < 0) fail(what, strerror(errno));
  return result;
}

/* ---- Streams and messages -------------------------------------------------------------------------------------------- */

static void write_all(struct ends *ends, const unsigned char *message, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = ends->kind == SOCKET ? send(ends->out, message + done, size - done, MSG_NOSIGNAL)
                                : write(ends->out, message + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write", strerror(errno));
    done += (size_t)n;
  }
}

static void read_exact(struct ends *ends, unsigned char *message, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = ends->kind == SOCKET ? recv(ends->in, message + done, size - done, 0)
                                : read(ends->in, message + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read", strerror(errno));
    if (n == 0) fail("read", "the other process has ended");
    done += (size_t)n;
  }
}

/* What msgsnd and msgrcv take: a type, and then the bytes. */
static struct {
  long type;
  unsigned char text[LARGEST];
} typed;

static void write_message(struct ends *ends, const unsigned char *message, size_t size) {
  if (ends->kind == MQ) {
    while (mq_send(ends->out, (const char *)message, size, 0) < 0) {
      if (errno != EINTR) fail("mq_send", strerror(errno));
    }
  } else if (ends->kind == SYSV_QUEUE) {
    typed.type = 1;
    memcpy(typed.text, message, size);
    while (msgsnd(ends->out, &typed, size, 0) < 0) {
      if (errno != EINTR) fail("msgsnd", strerror(errno));
    }
  } else {
    write_all(ends, message, size);
  }
}

static void read_message(struct ends *ends, unsigned char *message, size_t size) {
  ssize_t n;
  if (ends->kind == MQ) {
    /* A buffer must have room for the largest. */
    while ((n = mq_receive(ends->in, (char *)typed.text, LARGEST, NULL)) < 0) {
      if (errno != EINTR) fail("mq_receive", strerror(errno));
    }
  } else if (ends->kind == SYSV_QUEUE) {
    while ((n = msgrcv(ends->in, &typed, LARGEST, 0, 0)) < 0) {
      if (errno != EINTR) fail("msgrcv", strerror(errno));
    }
  } else {
    read_exact(ends, message, size);
    return;
  }
  if ((size_t)n != size) fail("message", "of another size");
  memcpy(message, typed.text, size);
}

static void prepare_pipes(void) {
  int there[2], back[2];
  need("pipe", pipe2(there, O_CLOEXEC));
  need("pipe", pipe2(back, O_CLOEXEC));
  sides[0] = (struct ends){back[0], there[1], DESCRIPTOR};
  sides[1] = (struct ends){there[0], back[1], DESCRIPTOR};
}

static void prepare_pair(int type) {
  int pair[2];
  need("socketpair", socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair));
  sides[0] = (struct ends){pair[0], pair[0], SOCKET};
  sides[1] = (struct ends){pair[1], pair[1], SOCKET};
}

static void prepare_udp(void) {
  struct sockaddr_in addresses[2];
  for (int i = 0; i < 2; i++) {
    socklen_t length = sizeof addresses[i];
    addresses[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = need("socket", socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    need("bind", bind(fd, (struct sockaddr *)&addresses[i], length));
    need("getsockname", getsockname(fd, (struct sockaddr *)&addresses[i], &length));
    sides[i] = (struct ends){fd, fd, SOCKET};
  }
  for (int i = 0; i < 2; i++) need("connect", connect(sides[i].in, (struct sockaddr *)&addresses[1 - i], sizeof *addresses));
}

static int make_mq(const char *suffix) {
  char name[64];
  struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = LARGEST};
  snprintf(name, sizeof name, "/unipc-bench-%d-%s", (int)getpid(), suffix);
  int fd = need("mq_open", mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes));
  mq_unlink(name); /* the peer inherits it */
  return fd;
}

static void prepare_mqs(void) {
  int there = make_mq("there"), back = make_mq("back");
  sides[0] = (struct ends){back, there, MQ};
  sides[1] = (struct ends){there, back, MQ};
}

/* Nobody but us removes a System V queue. */
static void remove_queues(void) {
  msgctl(sides[0].in, IPC_RMID, NULL);
  msgctl(sides[0].out, IPC_RMID, NULL);
}

static void prepare_sysv_queues(void) {
  int there = need("msgget", msgget(IPC_PRIVATE, 0600)), back = need("msgget", msgget(IPC_PRIVATE, 0600));
  sides[0] = (struct ends){back, there, SYSV_QUEUE};
  sides[1] = (struct ends){there, back, SYSV_QUEUE};
  atexit(remove_queues);
}

static void prepare_listener(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  listener = need("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  need("bind", bind(listener, (struct sockaddr *)&address, sizeof address));
  need("listen", listen(listener, 1));
}

static void prepare_ends(const char *mechanism) {
  signal(SIGPIPE, SIG_IGN);
  if (strcmp(mechanism, "pipe") == 0) {
    prepare_pipes();
  } else if (strcmp(mechanism, "fifo") == 0) {
    need("mkfifo", mkfifo("there", 0600));
    need("mkfifo", mkfifo("back", 0600));
  } else if (strcmp(mechanism, "unix") == 0) {
    prepare_pair(SOCK_STREAM);
  } else if (strcmp(mechanism, "tcp") == 0) {
    prepare_listener();
  } else if (strcmp(mechanism, "datagram") == 0) {
    prepare_pair(SOCK_DGRAM);
  } else if (strcmp(mechanism, "seqpacket") == 0) {
    prepare_pair(SOCK_SEQPACKET);
  } else if (strcmp(mechanism, "udp") == 0) {
    prepare_udp();
  } else if (strcmp(mechanism, "mq") == 0) {
    prepare_mqs();
  } else if (strcmp(mechanism, "sysv-queue") == 0) {
    prepare_sysv_queues();
  } else {
    fail(mechanism, "no such mechanism");
  }
}

static struct ends open_fifos(int is_peer) {
  struct ends ends = {0};
  if (is_peer) {
    ends.in = need("there", open("there", O_RDONLY | O_CLOEXEC));
    ends.out = need("back", open("back", O_WRONLY | O_CLOEXEC));
  } else {
    ends.out = need("there", open("there", O_WRONLY | O_CLOEXEC));
    ends.in = need("back", open("back", O_RDONLY | O_CLOEXEC));
  }
  return ends;
}

static struct ends open_connection(int is_peer) {
  int one = 1, fd;
  if (is_peer) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    need("getsockname", getsockname(listener, (struct sockaddr *)&address, &length));
    fd = need("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    need("connect", connect(fd, (struct sockaddr *)&address, length));
  } else {
    fd = need("accept", accept4(listener, NULL, NULL, SOCK_CLOEXEC));
  }
  need("TCP_NODELAY", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
  return (struct ends){fd, fd, SOCKET};
}

static struct ends *open_ends(const char *mechanism, int is_peer) {
  struct ends *ends = &sides[is_peer];
  if (strcmp(mechanism, "fifo") == 0) *ends = open_fifos(is_peer);
  if (strcmp(mechanism, "tcp") == 0) *ends = open_connection(is_peer);
  return ends;
}

#include "raw_sync.h"

#include "raw_calls.h"
