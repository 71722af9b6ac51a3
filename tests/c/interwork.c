/* Plain C with the raw calls on the other end of every kernel object, both ways: nothing here needs unipc on both sides. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LIMIT (20 * UNIPC_SECOND)

static char name[64], slashed[65], path[96];

static void say(int fd) { CHECK_EQUAL(write(fd, "hello", 5), 5); }
static void hear(int fd) {
  char text[5];
  size_t got = 0;
  while (got < 5) {
    ssize_t r = read(fd, text + got, 5 - got);
    CHECK(r > 0);
    got += (size_t)r;
  }
  CHECK(memcmp(text, "hello", 5) == 0);
}
static void say_ours(unipc_stream *stream) { CHECK_EQUAL(unipc_stream_write_all(stream, "hello", 5, LIMIT, NULL), 0); }
static void hear_ours(unipc_stream *stream) {
  char text[5];
  CHECK_EQUAL(unipc_stream_read_exact(stream, text, 5, LIMIT, NULL), 0);
  CHECK(memcmp(text, "hello", 5) == 0);
}
/* What the raw side of a connection does, and what ours does. */
static void talk_raw(int fd) {
  say(fd);
  hear(fd);
  close(fd);
}
static void talk_ours(unipc_stream *stream) {
  hear_ours(stream);
  say_ours(stream);
  char byte;
  CHECK_EQUAL(unipc_stream_read(stream, &byte, 1, LIMIT), 0);
  unipc_stream_close(stream);
}
#define IN_CHILD(...)        \
  do {                       \
    pid_t child_pid = fork();\
    if (child_pid == 0) {    \
      __VA_ARGS__;           \
      _exit(0);              \
    }                        \
    child = child_pid;       \
  } while (0)

static void pipes(void) {
  unipc_stream *reader, *writer;
  pid_t child;
  int raw[2];
  CHECK_EQUAL(unipc_pipe_create(NULL, &reader, &writer), 0);
  IN_CHILD(say(unipc_stream_fd(writer)));
  hear_ours(reader);
  CHECK_EQUAL(exit_status_of(child), 0);
  IN_CHILD(hear(unipc_stream_fd(reader)));
  say_ours(writer);
  CHECK_EQUAL(exit_status_of(child), 0);
  /* A raw blocking reader must stay blocking after our calls with limits on the other end, and on the same description. */
  char byte;
  CHECK_EQUAL(unipc_stream_read(reader, &byte, 1, UNIPC_MILLISECOND), -ETIMEDOUT);
  CHECK_EQUAL(fcntl(unipc_stream_fd(reader), F_GETFL) & O_NONBLOCK, 0);
  CHECK_EQUAL(fcntl(unipc_stream_fd(writer), F_GETFL) & O_NONBLOCK, 0);
  CHECK_EQUAL(fcntl(unipc_stream_fd(reader), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  unipc_stream_close(reader);
  unipc_stream_close(writer);

  CHECK_EQUAL(pipe(raw), 0);
  CHECK_EQUAL(unipc_stream_from_fd(raw[0], &reader), 0);
  IN_CHILD(say(raw[1]));
  hear_ours(reader);
  CHECK_EQUAL(exit_status_of(child), 0);
  close(raw[1]);
  CHECK_EQUAL(unipc_stream_read(reader, &byte, 1, LIMIT), 0);
  unipc_stream_close(reader);
}

static void fifos(void) {
  unipc_stream *stream;
  pid_t child;
  CHECK_EQUAL(mkfifo(path, 0600), 0);
  IN_CHILD(int fd = open(path, O_WRONLY); say(fd));
  CHECK_EQUAL(unipc_stream_open_fifo_reader(path, NULL, LIMIT, &stream), 0);
  hear_ours(stream);
  unipc_stream_close(stream);
  CHECK_EQUAL(exit_status_of(child), 0);
  CHECK_EQUAL(unlink(path), 0);

  CHECK_EQUAL(unipc_fifo_create(path, NULL), 0);
  struct stat status;
  CHECK(stat(path, &status) == 0 && S_ISFIFO(status.st_mode) && (status.st_mode & 07777) == 0600);
  IN_CHILD(int fd = open(path, O_RDONLY); hear(fd));
  CHECK_EQUAL(unipc_stream_open_fifo_writer(path, NULL, LIMIT, &stream), 0);
  say_ours(stream);
  unipc_stream_close(stream);
  CHECK_EQUAL(exit_status_of(child), 0);
  CHECK_EQUAL(unipc_fifo_unlink(path), 0);
}

static void sockets(int family) {
  struct sockaddr_un local = {.sun_family = AF_UNIX};
  struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr *address = family == AF_UNIX ? (struct sockaddr *)&local : (struct sockaddr *)&inet;
  socklen_t size = family == AF_UNIX ? sizeof local : sizeof inet;
  unipc_listener *listener;
  unipc_stream *stream;
  pid_t child;
  memcpy(local.sun_path, path, strlen(path) + 1);

  /* A raw client of our listener. */
  if (family == AF_UNIX) {
    CHECK_EQUAL(unipc_listener_open_unix(path, NULL, &listener), 0);
  } else {
    CHECK_EQUAL(unipc_listener_open_tcp("127.0.0.1", 0, NULL, &listener), 0);
    inet.sin_port = htons((uint16_t)unipc_listener_port(listener));
  }
  IN_CHILD(int fd = socket(family, SOCK_STREAM, 0); CHECK_EQUAL(connect(fd, address, size), 0); talk_raw(fd));
  CHECK_EQUAL(unipc_listener_accept(listener, LIMIT, &stream), 0);
  if (family == AF_UNIX) {
    unipc_credentials peer = UNIPC_CREDENTIALS_INIT;
    CHECK_EQUAL(unipc_stream_peer_credentials(stream, &peer), 0);
    CHECK_EQUAL(peer.pid, child);
  }
  talk_ours(stream);
  CHECK_EQUAL(exit_status_of(child), 0);
  unipc_listener_close(listener);

  /* Our client of a raw listener, and our listener made of it. */
  int fd = socket(family, SOCK_STREAM, 0);
  inet.sin_port = 0;
  CHECK_EQUAL(bind(fd, address, size), 0);
  CHECK_EQUAL(listen(fd, 5), 0);
  CHECK_EQUAL(getsockname(fd, address, &size), 0);
  IN_CHILD(talk_raw(accept(fd, NULL, NULL)));
  if (family == AF_UNIX) {
    CHECK_EQUAL(unipc_stream_connect_unix(path, NULL, LIMIT, &stream), 0);
  } else {
    CHECK_EQUAL(unipc_stream_connect_tcp("127.0.0.1", ntohs(inet.sin_port), NULL, LIMIT, &stream), 0);
  }
  talk_ours(stream);
  CHECK_EQUAL(exit_status_of(child), 0);
  CHECK_EQUAL(unipc_listener_from_fd(fd, &listener), 0);
  IN_CHILD(int raw = socket(family, SOCK_STREAM, 0); CHECK_EQUAL(connect(raw, address, size), 0); talk_raw(raw));
  CHECK_EQUAL(unipc_listener_accept(listener, LIMIT, &stream), 0);
  talk_ours(stream);
  CHECK_EQUAL(exit_status_of(child), 0);
  unipc_listener_close(listener);
  if (family == AF_UNIX) CHECK_EQUAL(unlink(path), 0); /* not ours to remove: it was adopted */
}

static void memories(void) {
  unipc_memory *memory;
  pid_t child;
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 1000;
  CHECK_EQUAL(unipc_memory_create_posix(name, &options, &memory), 0);
  CHECK_EQUAL(unipc_memory_write(memory, 990, "ours", 4), 0);
  IN_CHILD(int fd = shm_open(slashed, O_RDWR, 0); struct stat status; CHECK(fstat(fd, &status) == 0); CHECK_EQUAL(status.st_size, 1000);
           char *p = mmap(NULL, 1000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); CHECK(p != MAP_FAILED);
           CHECK(memcmp(p + 990, "ours", 4) == 0); memcpy(p, "theirs", 6); CHECK_EQUAL(ftruncate(fd, 5000), 0));
  CHECK_EQUAL(exit_status_of(child), 0);
  CHECK(memcmp(unipc_memory_address(memory), "theirs", 6) == 0);
  CHECK_EQUAL(unipc_memory_refresh(memory), 0);
  CHECK_EQUAL(unipc_memory_size(memory), 5000);
  unipc_memory_close(memory);
  CHECK_EQUAL(shm_unlink(slashed), 0);

  int fd = shm_open(slashed, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK_EQUAL(ftruncate(fd, 300), 0);
  char *p = mmap(NULL, 300, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(p != MAP_FAILED);
  CHECK_EQUAL(unipc_memory_open_posix(slashed, NULL, &memory), 0);
  CHECK_EQUAL(unipc_memory_size(memory), 300);
  CHECK_EQUAL(unipc_memory_store_u32(memory, 296, UNIPC_RELEASE, 4711), 0);
  uint32_t value;
  memcpy(&value, p + 296, 4);
  CHECK_EQUAL(value, 4711);
  unipc_memory_close(memory);
  CHECK_EQUAL(munmap(p, 300), 0);
  CHECK_EQUAL(close(fd), 0);
  CHECK_EQUAL(unipc_memory_unlink_posix(name), 0);
  CHECK_EQUAL(unipc_memory_create_posix(name, &options, &memory), 0);
  CHECK_EQUAL(shm_unlink(slashed), 0);
  unipc_memory_close(memory);
}

static void semaphores(void) {
  unipc_posix_semaphore *ours;
  unipc_posix_semaphore_options options = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  pid_t child;
  int value;
  options.value = 2;
  CHECK_EQUAL(unipc_posix_semaphore_create(name, &options, &ours), 0);
  IN_CHILD(sem_t *raw = sem_open(slashed, 0); CHECK(raw != SEM_FAILED); CHECK(sem_getvalue(raw, &value) == 0 && value == 2);
           CHECK_EQUAL(sem_wait(raw), 0); CHECK_EQUAL(sem_wait(raw), 0); CHECK_EQUAL(sem_trywait(raw), -1));
  CHECK_EQUAL(exit_status_of(child), 0);
  CHECK_EQUAL(unipc_posix_semaphore_value(ours), 0);
  /* Each wakes the other out of its sleep. */
  IN_CHILD(sem_t *raw = sem_open(slashed, 0); CHECK_EQUAL(sem_post(raw), 0));
  CHECK_EQUAL(unipc_posix_semaphore_wait(ours, LIMIT), 0);
  CHECK_EQUAL(exit_status_of(child), 0);
  IN_CHILD(sem_t *raw = sem_open(slashed, 0); CHECK_EQUAL(sem_wait(raw), 0));
  CHECK_EQUAL(unipc_posix_semaphore_post(ours), 0);
  CHECK_EQUAL(exit_status_of(child), 0);
  unipc_posix_semaphore_close(ours);
  CHECK_EQUAL(sem_unlink(slashed), 0);

  sem_t *raw = sem_open(slashed, O_CREAT | O_EXCL, 0600, 3);
  CHECK(raw != SEM_FAILED);
  CHECK_EQUAL(unipc_posix_semaphore_open(slashed, NULL, &ours), 0);
  CHECK_EQUAL(unipc_posix_semaphore_value(ours), 3);
  CHECK_EQUAL(unipc_posix_semaphore_post(ours), 0);
  CHECK(sem_getvalue(raw, &value) == 0 && value == 4);
  unipc_posix_semaphore_close(ours);
  CHECK_EQUAL(sem_close(raw), 0);
  CHECK_EQUAL(unipc_posix_semaphore_unlink(name), 0);
}

int main(void) {
  snprintf(name, sizeof name, "interwork.%d", (int)getpid());
  snprintf(slashed, sizeof slashed, "/%s", name);
  snprintf(path, sizeof path, "/tmp/interwork.%d", (int)getpid());
  signal(SIGPIPE, SIG_IGN);
  house before = house_now();
  pipes();
  fifos();
  sockets(AF_UNIX);
  sockets(AF_INET);
  memories();
  semaphores();
  house_check(before);
  return 0;
}
