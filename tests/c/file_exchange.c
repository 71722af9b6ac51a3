/* Files replaced, appended to and followed, with plain C on the other side: open, write, flock, rename, as any program would. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LIMIT (20 * UNIPC_SECOND)
#define SIZE 50000

static char path[64];

static void plain_append(const char *bytes) {
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  CHECK_EQUAL(flock(fd, LOCK_EX), 0);
  CHECK_EQUAL(write(fd, bytes, strlen(bytes)), strlen(bytes));
  close(fd);
}

static void expect_record(unipc_file_follower *follower, const char *record, uint64_t torn) {
  char buffer[64];
  unipc_file_follower_info info = UNIPC_FILE_FOLLOWER_INFO_INIT;
  CHECK_EQUAL(unipc_file_follower_receive(follower, buffer, sizeof buffer, LIMIT, &info), strlen(record));
  CHECK(memcmp(buffer, record, strlen(record)) == 0);
  CHECK_EQUAL(info.event, UNIPC_FILE_RECORD);
  CHECK_EQUAL(info.end - info.offset, strlen(record) + 1);
  CHECK_EQUAL(info.torn, torn);
}

static void expect_event(unipc_file_follower *follower, unsigned event) {
  char buffer[64];
  unipc_file_follower_info info = UNIPC_FILE_FOLLOWER_INFO_INIT;
  CHECK_EQUAL(unipc_file_follower_receive(follower, buffer, sizeof buffer, LIMIT, &info), 0);
  CHECK_EQUAL(info.event, event);
}

/* A plain writer, which is one of ours to the follower, torn records too; what ours writes is lines to a plain reader. */
static void records_pass_both_ways(void) {
  unipc_file_follower *follower;
  plain_append("plain\n");
  CHECK_EQUAL(unipc_file_append(path, "ours", 4, NULL, LIMIT), 0);
  CHECK_EQUAL(unipc_file_follower_open(path, NULL, &follower), 0);
  plain_append("torn");
  CHECK_EQUAL(unipc_file_append(path, "next", 4, NULL, LIMIT), 0);
  expect_record(follower, "plain", 0);
  expect_record(follower, "ours", 0);
  expect_record(follower, "next", 1);
  char text[64], late[8];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0);
  ssize_t length = read(fd, text, sizeof text);
  CHECK(length == 22 && memcmp(text, "plain\nours\ntorn\x18\nnext\n", 22) == 0);
  close(fd);
  char old[80];
  snprintf(old, sizeof old, "%s.old", path);
  CHECK_EQUAL(rename(path, old), 0);
  plain_append("rotated\n");
  expect_event(follower, UNIPC_FILE_REPLACED);
  expect_record(follower, "rotated", 0);
  CHECK_EQUAL(truncate(path, 0), 0);
  expect_event(follower, UNIPC_FILE_TRUNCATED);
  unlink(path);
  expect_event(follower, UNIPC_FILE_DELETED);
  CHECK_EQUAL(unipc_file_follower_receive(follower, late, sizeof late, UNIPC_MILLISECOND, NULL), -ETIMEDOUT);
  unipc_file_follower_close(follower);
  unlink(old);
}

/* Who holds a plain flock keeps ours out, until it is killed. */
static void a_plain_lock_keeps_ours_out(void) {
  int pipes[2];
  char byte;
  CHECK_EQUAL(pipe(pipes), 0);
  pid_t child = fork();
  if (child == 0) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    CHECK_EQUAL(flock(fd, LOCK_EX), 0);
    CHECK_EQUAL(write(fd, "half", 4), 4);
    CHECK_EQUAL(write(pipes[1], "x", 1), 1);
    for (;;) pause();
  }
  CHECK_EQUAL(read(pipes[0], &byte, 1), 1);
  CHECK_EQUAL(unipc_file_append(path, "x", 1, NULL, 0), -EAGAIN);
  CHECK_EQUAL(unipc_file_append(path, "x", 1, NULL, 20 * UNIPC_MILLISECOND), -ETIMEDOUT);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  CHECK_EQUAL(unipc_file_append(path, "x", 1, NULL, UNIPC_FOREVER), 0);
  CHECK_EQUAL(exit_status_of(child), 1000 + SIGKILL);
  unipc_file_follower *follower;
  CHECK_EQUAL(unipc_file_follower_open(path, NULL, &follower), 0);
  expect_record(follower, "x", 1);
  unipc_file_follower_close(follower);
  unlink(path);
  close(pipes[0]);
  close(pipes[1]);
}

/* A plain reader that opens and reads has the old content or the new one. */
static void a_plain_reader_sees_whole_contents(void) {
  static char content[SIZE], seen[SIZE + 1];
  unipc_file_replace_options options = UNIPC_FILE_REPLACE_OPTIONS_INIT;
  options.mode = 0640;
  CHECK_EQUAL(unipc_file_replace(path, content, SIZE, &options), 0);
  options.mode = 0, options.sync = UNIPC_FILE_SYNC_NOTHING;
  pid_t child = fork();
  if (child == 0) {
    for (int version = 1;; version++) {
      memset(content, version, SIZE);
      CHECK_EQUAL(unipc_file_replace(path, content, SIZE, &options), 0);
    }
  }
  for (int i = 0; i < 300; i++) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQUAL(read(fd, seen, sizeof seen), SIZE);
    for (int j = 1; j < SIZE; j++) CHECK(seen[j] == seen[0]);
    close(fd);
  }
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  CHECK_EQUAL(exit_status_of(child), 1000 + SIGKILL);
  CHECK_EQUAL(unipc_file_replace(path, "end", 3, NULL), 0);
  struct stat found;
  CHECK_EQUAL(stat(path, &found), 0);
  CHECK_EQUAL(found.st_mode & 07777, 0640);
  CHECK_EQUAL(found.st_size, 3);
  unlink(path);
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/file_exchange.%d", (int)getpid());
  house before = house_now();
  records_pass_both_ways();
  a_plain_lock_keeps_ours_out();
  a_plain_reader_sees_whole_contents();
  house_check(before);
  return 0;
}
