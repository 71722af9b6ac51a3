/* Locks on files with plain C on the other side: fcntl record locks, OFD locks, flock, as any program would take them. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <fcntl.h>
#include <sys/file.h>

#define LIMIT (20 * UNIPC_SECOND)

static char path[64];

static unipc_file_lock *opened(unsigned kind) {
  unipc_file_lock_options options = UNIPC_FILE_LOCK_OPTIONS_INIT;
  options.kind = kind;
  unipc_file_lock *lock;
  CHECK_EQUAL(unipc_file_lock_open_or_create(path, &options, &lock), 0);
  return lock;
}

/* What a process of plain C gets: 0, or its errno. */
static int plain_lock(unsigned kind, short type, long start, long length) {
  pid_t child = fork();
  if (child == 0) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    int r;
    if (kind == UNIPC_FILE_LOCK_FLOCK) {
      r = flock(fd, (type == F_WRLCK ? LOCK_EX : LOCK_SH) | LOCK_NB);
    } else {
      struct flock request = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
      r = fcntl(fd, kind == UNIPC_FILE_LOCK_RECORD ? F_SETLK : F_OFD_SETLK, &request);
    }
    _exit(r == 0 ? 0 : errno);
  }
  return exit_status_of(child);
}

static void ours_keeps_plain_out(unsigned kind) {
  unipc_file_lock *lock = opened(kind);
  CHECK_EQUAL(unipc_file_lock_upgrade(lock, 0, 0, 0), -EPERM); /* not held, and so not locked */
  CHECK_EQUAL(unipc_file_lock_downgrade(lock, 0, 0), -EPERM);
  CHECK_EQUAL(plain_lock(kind, F_WRLCK, 0, 0), 0);
  CHECK_EQUAL(unipc_file_lock_lock(lock, UNIPC_FILE_LOCK_SHARED, 0, 0, LIMIT), 0);
  CHECK_EQUAL(plain_lock(kind, F_WRLCK, 0, 0), EAGAIN);
  CHECK_EQUAL(plain_lock(kind, F_RDLCK, 0, 0), 0);
  CHECK_EQUAL(unipc_file_lock_upgrade(lock, 0, 0, LIMIT), 0);
  CHECK_EQUAL(plain_lock(kind, F_RDLCK, 0, 0), EAGAIN);
  CHECK_EQUAL(unipc_file_lock_downgrade(lock, 0, 0), 0);
  CHECK_EQUAL(plain_lock(kind, F_RDLCK, 0, 0), 0);
  CHECK_EQUAL(unipc_file_lock_unlock(lock, 0, 0), 0);
  CHECK_EQUAL(plain_lock(kind, F_WRLCK, 0, 0), 0);
  if (kind != UNIPC_FILE_LOCK_FLOCK) {
    CHECK_EQUAL(unipc_file_lock_lock(lock, UNIPC_FILE_LOCK_EXCLUSIVE, 100, 10, 0), 0);
    CHECK_EQUAL(plain_lock(kind, F_RDLCK, 99, 1), 0);
    CHECK_EQUAL(plain_lock(kind, F_RDLCK, 109, 1), EAGAIN);
    CHECK_EQUAL(plain_lock(kind, F_RDLCK, 110, 1), 0);
    /* Record and OFD locks meet. */
    CHECK_EQUAL(plain_lock(kind == UNIPC_FILE_LOCK_OFD ? UNIPC_FILE_LOCK_RECORD : UNIPC_FILE_LOCK_OFD, F_RDLCK, 109, 1), EAGAIN);
  }
  unipc_file_lock_close(lock);
  CHECK_EQUAL(plain_lock(kind, F_WRLCK, 0, 0), 0);
}

static void plain_keeps_ours_out(unsigned kind) {
  int pipes[2];
  char byte;
  CHECK_EQUAL(pipe(pipes), 0);
  pid_t child = fork();
  if (child == 0) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock request = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 7, .l_len = 3};
    CHECK_EQUAL(kind == UNIPC_FILE_LOCK_FLOCK ? flock(fd, LOCK_EX) : fcntl(fd, kind == UNIPC_FILE_LOCK_RECORD ? F_SETLK : F_OFD_SETLK, &request), 0);
    CHECK_EQUAL(write(pipes[1], "x", 1), 1);
    for (;;) pause();
  }
  CHECK_EQUAL(read(pipes[0], &byte, 1), 1);
  unipc_file_lock *lock = opened(kind);
  int64_t start = now();
  CHECK_EQUAL(unipc_file_lock_lock(lock, UNIPC_FILE_LOCK_SHARED, 0, 0, 0), -EAGAIN);
  CHECK_EQUAL(unipc_file_lock_lock(lock, UNIPC_FILE_LOCK_SHARED, 0, 0, 30 * UNIPC_MILLISECOND), -ETIMEDOUT);
  CHECK_AT_LEAST(now() - start, 30 * UNIPC_MILLISECOND);
  unipc_file_lock_holder holder = UNIPC_FILE_LOCK_HOLDER_INIT;
  CHECK_EQUAL(unipc_file_lock_find_holder(lock, UNIPC_FILE_LOCK_SHARED, 0, 0, &holder), 1);
  CHECK_EQUAL(holder.process, kind == UNIPC_FILE_LOCK_OFD ? 0 : child);
  CHECK_EQUAL(holder.mode, UNIPC_FILE_LOCK_EXCLUSIVE);
  CHECK_EQUAL(holder.start, kind == UNIPC_FILE_LOCK_FLOCK ? 0 : 7);
  CHECK_EQUAL(holder.length, kind == UNIPC_FILE_LOCK_FLOCK ? 0 : 3);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  /* Its death lets the plain wait go on. */
  CHECK_EQUAL(unipc_file_lock_lock(lock, UNIPC_FILE_LOCK_EXCLUSIVE, 0, 0, UNIPC_FOREVER), 0);
  CHECK_EQUAL(exit_status_of(child), 1000 + SIGKILL);
  CHECK_EQUAL(unipc_file_lock_find_holder(lock, UNIPC_FILE_LOCK_EXCLUSIVE, 0, 0, &holder), 0);
  unipc_file_lock_close(lock);
  close(pipes[0]);
  close(pipes[1]);
}

/* The lesson of record locks: any close of the file in this process loses them. */
static void plain_close(void) {
  for (unsigned kind = 0; kind < 3; kind++) {
    unipc_file_lock *lock = opened(kind);
    CHECK_EQUAL(unipc_file_lock_lock(lock, UNIPC_FILE_LOCK_EXCLUSIVE, 0, 0, 0), 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    close(fd);
    CHECK_EQUAL(plain_lock(kind, F_WRLCK, 0, 0), kind == UNIPC_FILE_LOCK_RECORD ? 0 : EAGAIN);
    unipc_file_lock_close(lock);
  }
}

static void a_stop_token_ends_the_wait(void) {
  unipc_stop *stop;
  unipc_file_lock *first = opened(UNIPC_FILE_LOCK_OFD), *second = opened(UNIPC_FILE_LOCK_OFD);
  CHECK_EQUAL(unipc_stop_create(&stop), 0);
  CHECK_EQUAL(unipc_stop_bind(stop), 0);
  CHECK_EQUAL(unipc_stop_request(stop), 0);
  CHECK_EQUAL(unipc_file_lock_lock(first, UNIPC_FILE_LOCK_EXCLUSIVE, 0, 0, UNIPC_FOREVER), 0);
  CHECK_EQUAL(unipc_file_lock_lock(second, UNIPC_FILE_LOCK_EXCLUSIVE, 0, 0, UNIPC_FOREVER), -ECANCELED);
  CHECK_EQUAL(unipc_stop_bind(NULL), 0);
  unipc_stop_close(stop);
  unipc_file_lock_close(first);
  unipc_file_lock_close(second);
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/file_locks.%d", (int)getpid());
  house before = house_now();
  for (unsigned kind = 0; kind < 3; kind++) {
    ours_keeps_plain_out(kind);
    plain_keeps_ours_out(kind);
  }
  plain_close();
  a_stop_token_ends_the_wait();
  unlink(path);
  house_check(before);
  return 0;
}
