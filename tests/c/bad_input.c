/* Input that must be refused: each case gives a clear code, a text that names the object (and the limit, where one is broken), and leaves
   everything as it was. What needs another user or a mount is left out, aloud, when the program does not run as root. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define LIMIT (20 * UNIPC_SECOND)
enum { NOBODY = 65534 };

static char name[64], directory[96];

/* The text of the last failure, which must contain the word. */
static void says(int code, const char *word) {
  char text[2048];
  unipc_error_text(code, text, sizeof text);
  if (strstr(text, word) == NULL) {
    fprintf(stderr, "bad_input.c: the text of %s does not say \"%s\": %s\n", unipc_error_name(code), word, text);
    _exit(1);
  }
}

#define FAILS(expected, word, call)   \
  do {                                \
    int got = (int)(call);            \
    CHECK_EQUAL(got, expected);       \
    says(got, word);                  \
  } while (0)

static const char *in_directory(const char *leaf) {
  static char path[2][200];
  static int turn;
  turn = !turn;
  snprintf(path[turn], sizeof path[turn], "%s/%s", directory, leaf);
  return path[turn];
}

static void long_unix_paths(void) {
  unipc_listener *listener;
  unipc_stream *stream;
  char path[200];
  for (size_t length = 107; length <= 108; length++) {
    size_t start = (size_t)snprintf(path, sizeof path, "%s/", directory);
    memset(path + start, 'p', length - start);
    path[length] = '\0';
    if (length == 107) {
      CHECK_EQUAL(unipc_listener_open_unix(path, NULL, &listener), 0);
      CHECK_EQUAL(unipc_stream_connect_unix(path, NULL, LIMIT, &stream), 0);
      unipc_stream_close(stream);
      unipc_listener_close(listener);
    } else {
      FAILS(-ENAMETOOLONG, "107", unipc_listener_open_unix(path, NULL, &listener));
      says(-ENAMETOOLONG, "ppp");
      FAILS(-ENAMETOOLONG, "107", unipc_stream_connect_unix(path, NULL, LIMIT, &stream));
      path[0] = '@', path[108] = 'p', path[109] = '\0'; /* 108 bytes behind the sign */
      FAILS(-ENAMETOOLONG, "107", unipc_listener_open_unix(path, NULL, &listener));
    }
  }
  CHECK_EQUAL(unipc_listener_open_unix("@", NULL, &listener), -EINVAL);
}

static void names(void) {
  unipc_memory *memory;
  unipc_posix_semaphore *semaphore;
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 100;
  static const char *const bad[] = {"", "/", ".", "..", "/.", "/..", "a/b", "/a/b", "//a", "a/", "../etc/passwd"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    CHECK_EQUAL(unipc_memory_create_posix(bad[i], &options, &memory), -EINVAL);
    CHECK_EQUAL(unipc_memory_open_posix(bad[i], NULL, &memory), -EINVAL);
    CHECK_EQUAL(unipc_memory_open_or_create_posix(bad[i], &options, &memory), -EINVAL);
    CHECK_EQUAL(unipc_memory_unlink_posix(bad[i]), -EINVAL);
    CHECK_EQUAL(unipc_posix_semaphore_create(bad[i], NULL, &semaphore), -EINVAL);
    CHECK_EQUAL(unipc_posix_semaphore_open(bad[i], NULL, &semaphore), -EINVAL);
    CHECK_EQUAL(unipc_posix_semaphore_open_or_create(bad[i], NULL, &semaphore), -EINVAL);
    FAILS(-EINVAL, bad[i], unipc_posix_semaphore_unlink(bad[i]));
  }
  char longest[300];
  int start = snprintf(longest, sizeof longest, "%s.", name);
  memset(longest + start, 'n', sizeof longest - (size_t)start);
  longest[255] = '\0';
  CHECK_EQUAL(unipc_memory_create_posix(longest, &options, &memory), 0);
  unipc_memory_close(memory);
  CHECK_EQUAL(unipc_memory_unlink_posix(longest), 0);
  longest[255] = 'n', longest[256] = '\0';
  FAILS(-ENAMETOOLONG, "255", unipc_memory_create_posix(longest, &options, &memory));
  says(-ENAMETOOLONG, name);
  FAILS(-ENAMETOOLONG, "255", unipc_memory_unlink_posix(longest));
  longest[251] = '\0';
  CHECK_EQUAL(unipc_posix_semaphore_create(longest, NULL, &semaphore), 0);
  unipc_posix_semaphore_close(semaphore);
  CHECK_EQUAL(unipc_posix_semaphore_unlink(longest), 0);
  longest[251] = 'n', longest[252] = '\0';
  FAILS(-ENAMETOOLONG, "251", unipc_posix_semaphore_create(longest, NULL, &semaphore));
}

static void wrong_things(void) {
  unipc_stream *stream;
  unipc_listener *listener;
  unipc_memory *memory;
  unipc_posix_semaphore *semaphore;
  const char *absent = in_directory("no/such");
  FAILS(-ENOENT, "no/such", unipc_fifo_create(absent, NULL));
  FAILS(-ENOENT, "no/such", unipc_listener_open_unix(absent, NULL, &listener));
  FAILS(-ENOENT, "no/such", unipc_stream_connect_unix(absent, NULL, 0, &stream));
  FAILS(-ENOENT, "no/such", unipc_stream_open_fifo_reader(absent, NULL, 0, &stream));
  FAILS(-ENOENT, name, unipc_memory_open_posix(name, NULL, &memory));
  FAILS(-ENOENT, name, unipc_posix_semaphore_open(name, NULL, &semaphore));

  char plain[200];
  snprintf(plain, sizeof plain, "%s", in_directory("plain"));
  int fd = open(plain, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  CHECK_EQUAL(write(fd, "keep", 4), 4);
  close(fd);
  FAILS(UNIPC_WRONG_KIND, plain, unipc_stream_open_fifo_reader(plain, NULL, 0, &stream));
  FAILS(UNIPC_WRONG_KIND, plain, unipc_stream_open_fifo_writer(plain, NULL, 0, &stream));
  FAILS(UNIPC_WRONG_KIND, plain, unipc_stream_open_or_create_fifo_reader(plain, NULL, 0, &stream));
  FAILS(UNIPC_WRONG_KIND, plain, unipc_fifo_unlink(plain));
  FAILS(UNIPC_WRONG_KIND, plain, unipc_stream_connect_unix(plain, NULL, 0, &stream));
  FAILS(UNIPC_WRONG_KIND, plain, unipc_listener_open_unix(plain, NULL, &listener));
  struct stat status;
  CHECK(stat(plain, &status) == 0 && status.st_size == 4);
  CHECK_EQUAL(unlink(plain), 0);

  char shm[200], shm_semaphore[200];
  snprintf(shm, sizeof shm, "/dev/shm/%s", name);
  snprintf(shm_semaphore, sizeof shm_semaphore, "/dev/shm/sem.%s", name);
  CHECK_EQUAL(mkfifo(shm, 0600), 0);
  FAILS(UNIPC_WRONG_KIND, name, unipc_memory_open_posix(name, NULL, &memory));
  CHECK_EQUAL(unlink(shm), 0);
  fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
  CHECK_EQUAL(ftruncate(fd, 99), 0);
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 100;
  FAILS(UNIPC_WRONG_SIZE, name, unipc_memory_open_posix(name, &options, &memory));
  says(UNIPC_WRONG_SIZE, "99");
  FAILS(UNIPC_WRONG_SIZE, name, unipc_memory_open_or_create_posix(name, &options, &memory));
  FAILS(-EEXIST, name, unipc_memory_create_posix(name, &options, &memory));
  CHECK(fstat(fd, &status) == 0 && status.st_size == 99);
  close(fd);
  CHECK_EQUAL(rename(shm, shm_semaphore), 0);
  FAILS(UNIPC_WRONG_SIZE, name, unipc_posix_semaphore_open(name, NULL, &semaphore));
  CHECK_EQUAL(unlink(shm_semaphore), 0);

  /* Links that somebody has planted: to an object that would otherwise do. */
  char target[80], target_shm[200];
  snprintf(target, sizeof target, "%s.target", name);
  snprintf(target_shm, sizeof target_shm, "/dev/shm/%s", target);
  CHECK_EQUAL(unipc_memory_create_posix(target, &options, &memory), 0);
  unipc_memory_close(memory);
  CHECK_EQUAL(symlink(target_shm, shm), 0);
  FAILS(-ELOOP, name, unipc_memory_open_posix(name, NULL, &memory));
  FAILS(-ELOOP, name, unipc_memory_open_or_create_posix(name, &options, &memory));
  FAILS(-EEXIST, name, unipc_memory_create_posix(name, &options, &memory));
  CHECK_EQUAL(rename(shm, shm_semaphore), 0);
  FAILS(-ELOOP, name, unipc_posix_semaphore_open(name, NULL, &semaphore));
  FAILS(-ELOOP, name, unipc_posix_semaphore_open_or_create(name, NULL, &semaphore));
  CHECK_EQUAL(unlink(shm_semaphore), 0);
  CHECK_EQUAL(unipc_memory_unlink_posix(target), 0);
  char link[200], fifo[200];
  snprintf(link, sizeof link, "%s", in_directory("link"));
  snprintf(fifo, sizeof fifo, "%s", in_directory("fifo"));
  CHECK_EQUAL(mkfifo(fifo, 0600), 0);
  CHECK_EQUAL(symlink(fifo, link), 0);
  FAILS(-ELOOP, link, unipc_stream_open_fifo_reader(link, NULL, 0, &stream));
  FAILS(-ELOOP, link, unipc_stream_open_fifo_writer(link, NULL, 0, &stream));
  FAILS(-ELOOP, link, unipc_stream_open_or_create_fifo_writer(link, NULL, 0, &stream));
  FAILS(-ELOOP, link, unipc_fifo_unlink(link));
  FAILS(-EEXIST, link, unipc_fifo_create(link, NULL));
  CHECK(unlink(link) == 0 && unlink(fifo) == 0);
}

static void frames(void) {
  unipc_framed_options options = UNIPC_FRAMED_OPTIONS_INIT;
  static const uint32_t claims[] = {UINT32_MAX, 0x80000000u, 1001};
  static char message[2000];
  options.largest = 1000;
  for (size_t i = 0; i < 3; i++) {
    unipc_stream *first, *second;
    unipc_framed *framed;
    uint32_t header = htonl(claims[i]);
    CHECK_EQUAL(unipc_stream_pair_unix(&first, &second), 0);
    CHECK_EQUAL(unipc_framed_create(first, &options, &framed), 0);
    CHECK_EQUAL(write(unipc_stream_fd(second), &header, 4), 4);
    FAILS(-EBADMSG, "1000", unipc_framed_receive(framed, message, sizeof message, LIMIT, NULL));
    CHECK_EQUAL(unipc_framed_receive(framed, message, sizeof message, LIMIT, NULL), -EBADMSG);
    FAILS(-EMSGSIZE, "1000", unipc_framed_send(framed, message, 1001, LIMIT));
    CHECK_EQUAL(unipc_stream_read(second, message, sizeof message, 0), -EAGAIN); /* nothing of it went out */
    unipc_framed_close(framed);
    unipc_stream_close(second);
  }
  unipc_stream *first, *second;
  unipc_framed *ours;
  unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
  CHECK_EQUAL(unipc_stream_pair_unix(&first, &second), 0);
  CHECK_EQUAL(unipc_framed_create(first, &options, &ours), 0);
  CHECK_EQUAL(write(unipc_stream_fd(second), "\0\0\0\5hello\0\0\0\0", 13), 13);
  CHECK_EQUAL(unipc_framed_receive(ours, message, 4, LIMIT, &info), -EMSGSIZE);
  CHECK_EQUAL(info.size, 5);
  CHECK_EQUAL(unipc_framed_receive(ours, message, 5, LIMIT, &info), 5);
  CHECK(memcmp(message, "hello", 5) == 0);
  CHECK_EQUAL(unipc_framed_receive(ours, NULL, 0, LIMIT, NULL), 0);
  unipc_framed_close(ours);
  unipc_stream_close(second);
}

static void ports_and_hosts(void) {
  unipc_listener *listener;
  unipc_stream *stream;
  FAILS(-EINVAL, "65536", unipc_listener_open_tcp("127.0.0.1", 65536, NULL, &listener));
  FAILS(-EINVAL, "4294967295", unipc_stream_connect_tcp("127.0.0.1", UINT32_MAX, NULL, 0, &stream));
  FAILS(-EADDRNOTAVAIL, "192.0.2.1", unipc_listener_open_tcp("192.0.2.1", 0, NULL, &listener));
  CHECK_LESS(unipc_stream_connect_tcp("", 1, NULL, 0, &stream), 0);
  CHECK_LESS(unipc_stream_connect_tcp("999.1.1.1", 1, NULL, UNIPC_SECOND, &stream), 0);
}

/* Objects of another user: refused, also to root, until one says any_owner. */
static void anothers(void) {
  char fifo[200], socket_path[200];
  unipc_memory *memory;
  unipc_posix_semaphore *semaphore;
  unipc_stream *stream;
  snprintf(fifo, sizeof fifo, "%s", in_directory("anothers.fifo"));
  snprintf(socket_path, sizeof socket_path, "%s", in_directory("anothers.socket"));
  CHECK_EQUAL(chmod(directory, 0777), 0);
  int done[2];
  CHECK_EQUAL(pipe(done), 0);
  pid_t child = fork();
  if (child == 0) {
    unipc_memory_options page = UNIPC_MEMORY_OPTIONS_INIT;
    unipc_listener *listener;
    page.size = 100, page.mode = 0666;
    close(done[0]);
    CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHECK_EQUAL(unipc_memory_create_posix(name, &page, &memory), 0);
    CHECK_EQUAL(unipc_posix_semaphore_create(name, NULL, &semaphore), 0);
    CHECK_EQUAL(unipc_fifo_create(fifo, NULL), 0);
    CHECK_EQUAL(unipc_listener_open_unix(socket_path, NULL, &listener), 0);
    CHECK_EQUAL(write(done[1], "x", 1), 1);
    for (;;) pause();
  }
  close(done[1]);
  char byte;
  CHECK_EQUAL(read(done[0], &byte, 1), 1);
  close(done[0]);
  unipc_memory_options memory_options = UNIPC_MEMORY_OPTIONS_INIT;
  unipc_posix_semaphore_options semaphore_options = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  unipc_fifo_options fifo_options = UNIPC_FIFO_OPTIONS_INIT;
  unipc_unix_connect_options connect_options = UNIPC_UNIX_CONNECT_OPTIONS_INIT;
  memory_options.size = 100;
  FAILS(-EPERM, name, unipc_memory_open_posix(name, &memory_options, &memory));
  FAILS(-EPERM, "65534", unipc_memory_open_or_create_posix(name, &memory_options, &memory));
  FAILS(-EPERM, name, unipc_posix_semaphore_open(name, NULL, &semaphore));
  FAILS(-EPERM, name, unipc_posix_semaphore_open_or_create(name, NULL, &semaphore));
  FAILS(-EPERM, fifo, unipc_stream_open_fifo_reader(fifo, NULL, 0, &stream));
  FAILS(-EPERM, fifo, unipc_stream_open_or_create_fifo_writer(fifo, NULL, 0, &stream));
  FAILS(-EPERM, socket_path, unipc_stream_connect_unix(socket_path, NULL, LIMIT, &stream));
  memory_options.any_owner = semaphore_options.any_owner = fifo_options.any_owner = connect_options.any_owner = 1;
  CHECK_EQUAL(unipc_memory_open_posix(name, &memory_options, &memory), 0);
  unipc_memory_close(memory);
  CHECK_EQUAL(unipc_posix_semaphore_open(name, &semaphore_options, &semaphore), 0);
  unipc_posix_semaphore_close(semaphore);
  fifo_options.unpaired = 1;
  CHECK_EQUAL(unipc_stream_open_fifo_reader(fifo, &fifo_options, 0, &stream), 0);
  unipc_stream_close(stream);
  CHECK_EQUAL(unipc_stream_connect_unix(socket_path, &connect_options, LIMIT, &stream), 0);
  unipc_stream_close(stream);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  CHECK_EQUAL(exit_status_of(child), 1000 + SIGKILL);
  CHECK_EQUAL(unipc_memory_unlink_posix(name), 0);
  CHECK_EQUAL(unipc_posix_semaphore_unlink(name), 0);
  CHECK(unlink(fifo) == 0 && unlink(socket_path) == 0);
}

/* A /dev/shm of 1 MiB, in a mount namespace of the child's own. */
static void full_system(void) {
  pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) _exit(77);
    if (mount("small", "/dev/shm", "tmpfs", 0, "size=1m,mode=1777") != 0) _exit(77);
    unipc_memory *memory, *second;
    unipc_posix_semaphore *semaphore;
    unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
    house before = house_now();
    int empty = entries_of("/dev/shm");
    options.size = 4 << 20;
    FAILS(-ENOSPC, name, unipc_memory_create_posix(name, &options, &memory));
    says(-ENOSPC, "left");
    FAILS(-ENOSPC, name, unipc_memory_open_or_create_posix(name, &options, &memory));
    CHECK_EQUAL(entries_of("/dev/shm"), empty);
    options.size = 512 << 10;
    CHECK_EQUAL(unipc_memory_create_posix(name, &options, &memory), 0);
    memset(unipc_memory_address(memory), 1, options.size); /* the pages are there: no SIGBUS */
    FAILS(-ENOSPC, name, unipc_memory_resize(memory, 2 << 20));
    struct stat status;
    CHECK(fstat(unipc_memory_fd(memory), &status) == 0 && status.st_size == 512 << 10);
    CHECK_EQUAL(unipc_memory_size(memory), 512 << 10);
    CHECK_EQUAL(unipc_memory_create_posix("second", &options, &second), 0);
    FAILS(-ENOSPC, "bytes left", unipc_posix_semaphore_create(name, NULL, &semaphore));
    unipc_memory_close(second);
    unipc_memory_close(memory);
    CHECK_EQUAL(entries_of("/dev/shm"), empty + 2);
    house_check(before);
    _exit(0);
  }
  int status = exit_status_of(child);
  if (status == 77) puts("  left out: a full /dev/shm (no mount namespace here)");
  else CHECK_EQUAL(status, 0);
}

int main(void) {
  snprintf(name, sizeof name, "bad_input.%d", (int)getpid());
  snprintf(directory, sizeof directory, "/tmp/bad_input.%d", (int)getpid());
  CHECK_EQUAL(mkdir(directory, 0700), 0);
  house before = house_now();
  long_unix_paths();
  names();
  wrong_things();
  frames();
  ports_and_hosts();
  if (geteuid() == 0) {
    anothers();
    full_system();
  } else {
    puts("  left out: other users' objects and a full /dev/shm (not root)");
  }
  house_check(before);
  CHECK_EQUAL(rmdir(directory), 0);
  return 0;
}
