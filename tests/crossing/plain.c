/* Somebody else's peer in the crossing tests: the same roles, as far as they apply, by the calls of the C library alone. */
#define _GNU_SOURCE
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define CHECK(condition)                                                                        \
  do {                                                                                          \
    if (!(condition)) {                                                                         \
      fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
      _exit(1);                                                                                 \
    }                                                                                           \
  } while (0)

static unsigned char data[BYTES], echo[LARGEST];

static void pause_shortly(void) {
  static const struct timespec moment = {0, 1000000};
  nanosleep(&moment, NULL);
}

/* ---- bytes and messages: four bytes of length, most significant first ---- */

static void write_whole(int fd, const void *from, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t n = write(fd, (const char *)from + done, length - done);
    CHECK(n > 0);
    done += (size_t)n;
  }
}

/* Reads until there are `length` bytes, or the end comes, and says how many there are. */
static size_t read_up_to(int fd, void *to, size_t length) {
  size_t done = 0;
  while (done < length) {
    ssize_t n = read(fd, (char *)to + done, length - done);
    CHECK(n >= 0);
    if (n == 0) break;
    done += (size_t)n;
  }
  return done;
}

static void write_length(int fd, size_t length) {
  unsigned char header[4];
  for (int i = 0; i < 4; i++) header[i] = (unsigned char)(length >> (24 - 8 * i));
  write_whole(fd, header, 4);
}

static size_t read_length(int fd) {
  unsigned char header[4];
  CHECK(read_up_to(fd, header, 4) == 4);
  return (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
}

static void send_filled(int fd, size_t size, size_t salt) {
  fill(data, size, salt);
  write_length(fd, size);
  write_whole(fd, data, size);
}

static void receive_filled(int fd, size_t size, size_t salt) {
  CHECK(read_length(fd) == size);
  CHECK(read_up_to(fd, echo, size) == size);
  CHECK(is_filled(echo, size, salt));
}

static void send_back(int fd, size_t size) {
  write_length(fd, size);
  write_whole(fd, echo, size);
}

static int is_at_end(int fd) {
  char byte;
  return read_up_to(fd, &byte, 1) == 0;
}

/* ---- one FIFO ---- */

static int open_reader(const char *path) {
  CHECK(mkfifo(path, 0600) == 0);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0);
  return fd;
}

static int open_writer(const char *path) {
  int fd;
  while ((fd = open(path, O_WRONLY | O_CLOEXEC)) < 0) {
    CHECK(errno == ENOENT);
    pause_shortly();
  }
  return fd;
}

static void fifo_read(char **arguments) {
  int fd = open_reader(arguments[0]);
  CHECK(read_up_to(fd, data, BYTES) == BYTES);
  CHECK(is_filled(data, BYTES, SALT_BYTES));
  for (size_t i = 0; i < SIZES; i++) receive_filled(fd, sizes[i], SALT_FRAMES + i);
  CHECK(is_at_end(fd));
  CHECK(close(fd) == 0);
  CHECK(unlink(arguments[0]) == 0);
}

static void fifo_write(char **arguments) {
  int fd = open_writer(arguments[0]);
  fill(data, BYTES, SALT_BYTES);
  write_whole(fd, data, BYTES);
  for (size_t i = 0; i < SIZES; i++) send_filled(fd, sizes[i], SALT_FRAMES + i);
  CHECK(close(fd) == 0);
}

static void fifo_read_cut(char **arguments) {
  int fd = open_reader(arguments[0]);
  say("open");
  await_go();
  receive_filled(fd, 5, SALT_FRAMES);
  CHECK(read_length(fd) == CUT);
  size_t length = read_up_to(fd, data, BYTES);
  CHECK(length > 0 && length < BYTES && is_filled(data, length, SALT_FRAMES));
  CHECK(close(fd) == 0);
  CHECK(unlink(arguments[0]) == 0);
}

static void fifo_write_cut(char **arguments) {
  int fd = open_writer(arguments[0]);
  send_filled(fd, 5, SALT_FRAMES);
  fill(data, 1000, SALT_FRAMES);
  write_length(fd, CUT);
  write_whole(fd, data, 1000);
  say("cut");
  await_death();
}

/* ---- one Unix socket ---- */

static struct sockaddr_un address_of(const char *path) {
  struct sockaddr_un address = {0};
  address.sun_family = AF_UNIX;
  CHECK(strlen(path) < sizeof address.sun_path);
  strcpy(address.sun_path, path);
  return address;
}

/* As such programs do, it removes whatever stands at the path first. */
static int listen_at(const char *path) {
  struct sockaddr_un address = address_of(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(fd >= 0);
  CHECK(unlink(path) == 0 || errno == ENOENT);
  CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(listen(fd, 5) == 0);
  say("listening");
  return fd;
}

static int accept_from(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  CHECK(fd >= 0);
  return fd;
}

static int connect_to(const char *path) {
  struct sockaddr_un address = address_of(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(fd >= 0);
  while (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    CHECK(errno == ENOENT || errno == ECONNREFUSED);
    pause_shortly();
  }
  return fd;
}

static void tell_peer(int fd) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0);
  CHECK(peer.uid == geteuid());
  printf("peer %d\n", (int)peer.pid);
  fflush(stdout);
}

static void unix_serve(char **arguments) {
  int listener = listen_at(arguments[0]);
  int fd = accept_from(listener);
  tell_peer(fd);
  for (size_t i = 0; i < SIZES; i++) {
    receive_filled(fd, sizes[i], SALT_TO_SERVER + i);
    send_back(fd, sizes[i]);
  }
  for (size_t i = 0; i < SIZES; i++) {
    send_filled(fd, sizes[i], SALT_TO_CLIENT + i);
    receive_filled(fd, sizes[i], SALT_TO_CLIENT + i);
  }
  CHECK(is_at_end(fd));
  write_whole(fd, "last", 4);
  CHECK(close(fd) == 0);
  CHECK(close(listener) == 0);
  CHECK(unlink(arguments[0]) == 0);
}

static void unix_connect(char **arguments) {
  int fd = connect_to(arguments[0]);
  tell_peer(fd);
  for (size_t i = 0; i < SIZES; i++) {
    send_filled(fd, sizes[i], SALT_TO_SERVER + i);
    receive_filled(fd, sizes[i], SALT_TO_SERVER + i);
  }
  for (size_t i = 0; i < SIZES; i++) {
    receive_filled(fd, sizes[i], SALT_TO_CLIENT + i);
    send_back(fd, sizes[i]);
  }
  CHECK(shutdown(fd, SHUT_WR) == 0);
  CHECK(read_up_to(fd, data, 5) == 4 && memcmp(data, "last", 4) == 0);
  CHECK(close(fd) == 0);
}

static void unix_serve_hold(char **arguments) {
  int fd = accept_from(listen_at(arguments[0]));
  receive_filled(fd, 5, SALT_TO_SERVER);
  say("served");
  await_death();
}

static void unix_lose(char **arguments) {
  int fd = connect_to(arguments[0]), messages = atoi(arguments[1]);
  char byte;
  for (int i = 0; i < messages; i++) send_filled(fd, 5, SALT_TO_SERVER);
  say("sent");
  ssize_t n = read(fd, &byte, 1);
  CHECK(messages == 1 ? n == 0 : n == -1 && errno == ECONNRESET);
  CHECK(close(fd) == 0);
}

/* ---- one memory and one named semaphore ---- */

static const char *slashed(const char *name) {
  static char text[256];
  snprintf(text, sizeof text, "/%s", name);
  return text;
}

static unsigned char *map(int fd) {
  void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(page != MAP_FAILED);
  CHECK(close(fd) == 0);
  return page;
}

static void memory_write(char **arguments) {
  const char *name = slashed(arguments[0]);
  int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0);
  pause_shortly(); /* for others it has a name and no size */
  CHECK(ftruncate(fd, PAGE) == 0);
  unsigned char *page = map(fd);
  sem_t *filled = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  CHECK(filled != SEM_FAILED);
  say("created");
  await_go();
  fill(page, PAGE, SALT_MEMORY);
  CHECK(sem_post(filled) == 0);
  say("posted");
  await_go();
  CHECK(shm_unlink(name) == -1 && errno == ENOENT);
  CHECK(sem_unlink(name) == 0);
  CHECK(sem_close(filled) == 0);
  CHECK(munmap(page, PAGE) == 0);
}

static struct timespec in_milliseconds(long milliseconds) {
  struct timespec t;
  CHECK(clock_gettime(CLOCK_REALTIME, &t) == 0);
  t.tv_nsec += milliseconds % 1000 * 1000000;
  t.tv_sec += milliseconds / 1000 + t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}

static void memory_read(char **arguments) {
  const char *name = slashed(arguments[0]);
  struct stat status = {0};
  sem_t *filled;
  int fd;
  CHECK(shm_open(name, O_RDWR, 0) == -1 && errno == ENOENT);
  say("starting");
  while ((fd = shm_open(name, O_RDWR, 0)) < 0) {
    CHECK(errno == ENOENT);
    pause_shortly();
  }
  CHECK(fstat(fd, &status) == 0 && status.st_size == PAGE);
  unsigned char *page = map(fd);
  while ((filled = sem_open(name, 0)) == SEM_FAILED) {
    CHECK(errno == ENOENT);
    pause_shortly();
  }
  CHECK(sem_trywait(filled) == -1 && errno == EAGAIN);
  say("opened");
  struct timespec end = in_milliseconds(SECONDS * 1000);
  CHECK(sem_timedwait(filled, &end) == 0);
  CHECK(is_filled(page, PAGE, SALT_MEMORY));
  end = in_milliseconds(20);
  CHECK(sem_timedwait(filled, &end) == -1 && errno == ETIMEDOUT);
  CHECK(shm_unlink(name) == 0);
  say("read");
  CHECK(sem_close(filled) == 0);
  CHECK(munmap(page, PAGE) == 0);
}

static const role roles[] = {
    {"fifo-read", fifo_read, 1},
    {"fifo-write", fifo_write, 1},
    {"fifo-read-cut", fifo_read_cut, 1},
    {"fifo-write-cut", fifo_write_cut, 1},
    {"unix-serve", unix_serve, 1},
    {"unix-connect", unix_connect, 1},
    {"unix-serve-hold", unix_serve_hold, 1},
    {"unix-lose", unix_lose, 2},
    {"memory-write", memory_write, 1},
    {"memory-read", memory_read, 1},
    {NULL, NULL, 0},
};

int main(int argc, char **argv) {
  alarm(SECONDS); /* the one limit for all of its waits */
  return play(roles, argc, argv);
}
