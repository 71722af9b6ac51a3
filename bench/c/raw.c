/* The reference: nothing but system calls, pthread and sem_t, as a careful C programmer writes them. */
#define _GNU_SOURCE
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct ends {
  int in, out;
  int is_socket;
};

static struct ends sides[2];
static int listener;

static int need(const char *what, int result) {
  if (result < 0) fail(what, strerror(errno));
  return result;
}

/* ---- Streams -------------------------------------------------------------------------------------------- */

static void write_message(struct ends *ends, const unsigned char *message, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = ends->is_socket ? send(ends->out, message + done, size - done, MSG_NOSIGNAL)
                                : write(ends->out, message + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write", strerror(errno));
    done += (size_t)n;
  }
}

static void read_message(struct ends *ends, unsigned char *message, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = ends->is_socket ? recv(ends->in, message + done, size - done, 0)
                                : read(ends->in, message + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read", strerror(errno));
    if (n == 0) fail("read", "the other process has ended");
    done += (size_t)n;
  }
}

static void prepare_pipes(void) {
  int there[2], back[2];
  need("pipe", pipe2(there, O_CLOEXEC));
  need("pipe", pipe2(back, O_CLOEXEC));
  sides[0] = (struct ends){back[0], there[1], 0};
  sides[1] = (struct ends){there[0], back[1], 0};
}

static void prepare_pair(void) {
  int pair[2];
  need("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
  sides[0] = (struct ends){pair[0], pair[0], 1};
  sides[1] = (struct ends){pair[1], pair[1], 1};
}

static void prepare_listener(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  listener = need("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  need("bind", bind(listener, (struct sockaddr *)&address, sizeof address));
  need("listen", listen(listener, 1));
}

static void prepare_streams(const char *mechanism) {
  signal(SIGPIPE, SIG_IGN);
  if (strcmp(mechanism, "pipe") == 0) {
    prepare_pipes();
  } else if (strcmp(mechanism, "fifo") == 0) {
    need("mkfifo", mkfifo("there", 0600));
    need("mkfifo", mkfifo("back", 0600));
  } else if (strcmp(mechanism, "unix") == 0) {
    prepare_pair();
  } else if (strcmp(mechanism, "tcp") == 0) {
    prepare_listener();
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
  return (struct ends){fd, fd, 1};
}

static struct ends *open_streams(const char *mechanism, int is_peer) {
  struct ends *ends = &sides[is_peer];
  if (strcmp(mechanism, "fifo") == 0) *ends = open_fifos(is_peer);
  if (strcmp(mechanism, "tcp") == 0) *ends = open_connection(is_peer);
  return ends;
}

/* ---- Mutex ---------------------------------------------------------------------------------------------- */

/* The layout that the library's objects have too: each on cache lines of its own. */
static struct {
  _Alignas(128) pthread_mutex_t lock;
  _Alignas(128) uint64_t number;
  _Alignas(128) sem_t semaphores[2];
} *shared;

static void share(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("mmap", strerror(errno));
}

static uint64_t *prepare_lock(void) {
  pthread_mutexattr_t attributes;
  share();
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  int r = pthread_mutex_init(&shared->lock, &attributes);
  if (r != 0) fail("mutex", strerror(r));
  return &shared->number;
}

static void lock(void) {
  int r = pthread_mutex_lock(&shared->lock);
  if (r != 0) fail("lock", strerror(r));
}

static void unlock(void) {
  int r = pthread_mutex_unlock(&shared->lock);
  if (r != 0) fail("unlock", strerror(r));
}

/* ---- Semaphores ----------------------------------------------------------------------------------------- */

static sem_t *semaphores[2];

static sem_t *open_named(const char *suffix) {
  char name[64];
  snprintf(name, sizeof name, "/unipc-bench-%d-%s", (int)getpid(), suffix);
  sem_t *semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  if (semaphore == SEM_FAILED) fail("sem_open", strerror(errno));
  sem_unlink(name); /* the peer inherits it */
  return semaphore;
}

static void prepare_semaphores(int with_name) {
  if (with_name) {
    semaphores[THERE] = open_named("there");
    semaphores[BACK] = open_named("back");
    return;
  }
  share();
  for (int i = THERE; i <= BACK; i++) {
    semaphores[i] = &shared->semaphores[i];
    need("sem_init", sem_init(semaphores[i], 1, 0));
  }
}

static void post(int which) {
  if (sem_post(semaphores[which]) != 0) fail("sem_post", strerror(errno));
}

static void take(int which) {
  while (sem_wait(semaphores[which]) != 0) {
    if (errno != EINTR) fail("sem_wait", strerror(errno));
  }
}
