/* As arguments.c, for locks on files, and files replaced, appended to and followed. */
#define _GNU_SOURCE
#include <unipc.h>

#include "arguments.h"

#include <fcntl.h>

static char path[96];

static void initialisers(void) {
#define SAME(type, initial)                                  \
  do {                                                       \
    type with_macro = initial, with_function;                \
    memset(&with_function, 0xff, sizeof with_function);      \
    type##_init(&with_function);                             \
    CHECK_EQUAL(with_macro.struct_size, sizeof(type));       \
    CHECK(memcmp(&with_macro, &with_function, sizeof(type)) == 0); \
    type##_init(NULL);                                       \
  } while (0)
  SAME(unipc_file_lock_options, UNIPC_FILE_LOCK_OPTIONS_INIT); /* unipc_file_lock_options_init */
  SAME(unipc_file_lock_holder, UNIPC_FILE_LOCK_HOLDER_INIT); /* unipc_file_lock_holder_init */
  SAME(unipc_file_replace_options, UNIPC_FILE_REPLACE_OPTIONS_INIT); /* unipc_file_replace_options_init */
  SAME(unipc_file_append_options, UNIPC_FILE_APPEND_OPTIONS_INIT); /* unipc_file_append_options_init */
  SAME(unipc_file_follower_options, UNIPC_FILE_FOLLOWER_OPTIONS_INIT); /* unipc_file_follower_options_init */
  SAME(unipc_file_follower_info, UNIPC_FILE_FOLLOWER_INFO_INIT); /* unipc_file_follower_info_init */
}

static void locks(void) {
  unipc_file_lock *lock;
  static int (*const makes[])(const char *, const unipc_file_lock_options *, unipc_file_lock **) = {unipc_file_lock_open,
                                                                                                    unipc_file_lock_open_or_create};
  REFUSED_AS(-ENOENT, lock, unipc_file_lock_open(path, NULL, &lock));
  CHECK_EQUAL(unipc_file_lock_open_or_create(path, NULL, &lock), 0);
  unipc_file_lock_close(lock);
  for (size_t i = 0; i < 2; i++) {
    REFUSED(lock, makes[i](NULL, NULL, &lock));
    REFUSED(lock, makes[i]("", NULL, &lock));
    INVALID(makes[i](path, NULL, NULL));
    unipc_file_lock_options bad = UNIPC_FILE_LOCK_OPTIONS_INIT;
    bad.kind = 3;
    REFUSED(lock, makes[i](path, &bad, &lock));
    bad.kind = 0, bad.read_only = 2;
    REFUSED(lock, makes[i](path, &bad, &lock));
    bad.read_only = 0, bad.any_owner = 2;
    REFUSED(lock, makes[i](path, &bad, &lock));
    SIZES(unipc_file_lock_options, UNIPC_FILE_LOCK_OPTIONS_INIT, makes[i](path, o, &lock), 0, unipc_file_lock_close(lock));
  }
  unipc_file_lock_options bad = UNIPC_FILE_LOCK_OPTIONS_INIT;
  bad.mode = 01000;
  REFUSED(lock, unipc_file_lock_open_or_create(path, &bad, &lock));
  bad.mode = 0, bad.group = "no such group";
  REFUSED(lock, unipc_file_lock_open_or_create(path, &bad, &lock));

  INVALID(unipc_file_lock_from_fd(0, 0, NULL));
  REFUSED(lock, unipc_file_lock_from_fd(0, 3, &lock));
  REFUSED_AS(-EBADF, lock, unipc_file_lock_from_fd(-1, 0, &lock));
  REFUSED_AS(-EBADF, lock, unipc_file_lock_from_fd(1 << 30, 0, &lock));
  unipc_file_lock_holder holder = UNIPC_FILE_LOCK_HOLDER_INIT;
  INVALID(unipc_file_lock_lock(NULL, 0, 0, 0, 0));
  INVALID(unipc_file_lock_upgrade(NULL, 0, 0, 0));
  INVALID(unipc_file_lock_downgrade(NULL, 0, 0));
  INVALID(unipc_file_lock_unlock(NULL, 0, 0));
  INVALID(unipc_file_lock_find_holder(NULL, 0, 0, 0, &holder));
  INVALID(unipc_file_lock_fd(NULL));
  INVALID(unipc_file_lock_into_fd(NULL));
  unipc_file_lock_close(NULL);

  CHECK_EQUAL(unipc_file_lock_open(path, NULL, &lock), 0);
  INVALID(unipc_file_lock_lock(lock, 2, 0, 0, 0));
  INVALID(unipc_file_lock_lock(lock, 0, UINT64_MAX, 0, 0));
  INVALID(unipc_file_lock_lock(lock, 0, 0, UINT64_MAX, 0));
  INVALID(unipc_file_lock_lock(lock, 0, INT64_MAX, 2, UNIPC_FOREVER));
  INVALID(unipc_file_lock_upgrade(lock, UINT64_MAX, 1, 0));
  INVALID(unipc_file_lock_downgrade(lock, 1, UINT64_MAX));
  INVALID(unipc_file_lock_unlock(lock, UINT64_MAX, 0));
  INVALID(unipc_file_lock_find_holder(lock, 2, 0, 0, &holder));
  INVALID(unipc_file_lock_find_holder(lock, 0, UINT64_MAX, 0, &holder));
  CHECK_EQUAL(unipc_file_lock_find_holder(lock, 0, 0, 0, NULL), 0);
  CHECK_EQUAL(unipc_file_lock_lock(lock, 0, INT64_MAX, 1, INT64_MIN), 0);
  CHECK_EQUAL(unipc_file_lock_lock(lock, 1, 0, 0, INT64_MIN), 0);
  unipc_file_lock *other;
  CHECK_EQUAL(unipc_file_lock_open(path, NULL, &other), 0);
  for (size_t size = 0; size < sizeof(size_t); size++) {
    holder.struct_size = size;
    INVALID(unipc_file_lock_find_holder(other, 0, 0, 0, &holder));
  }
  holder.struct_size = sizeof(size_t); /* a caller who wants nothing told */
  CHECK_EQUAL(unipc_file_lock_find_holder(other, 0, 0, 0, &holder), 1);
  CHECK_EQUAL(holder.mode, 0);
  holder.struct_size = sizeof holder;
  CHECK_EQUAL(unipc_file_lock_find_holder(other, 0, 0, 0, &holder), 1);
  CHECK_EQUAL(holder.mode, UNIPC_FILE_LOCK_SHARED);
  CHECK_EQUAL(unipc_file_lock_find_holder(other, UNIPC_FILE_LOCK_EXCLUSIVE, 0, 0, NULL), 1);
  unipc_file_lock_close(other);
  int fd = unipc_file_lock_into_fd(lock);
  CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
  CHECK_EQUAL(unipc_file_lock_from_fd(fd, UNIPC_FILE_LOCK_FLOCK, &lock), 0);
  CHECK_EQUAL(unipc_file_lock_fd(lock), fd);
  INVALID(unipc_file_lock_lock(lock, 0, 0, 1, 0));
  unipc_file_lock_close(lock);
}

static void replacing(void) {
  INVALID(unipc_file_replace(NULL, "x", 1, NULL));
  INVALID(unipc_file_replace("", "x", 1, NULL));
  INVALID(unipc_file_replace(path, NULL, 1, NULL));
  HUGE_SIZES(size) INVALID(unipc_file_replace(path, "x", size, NULL));
  unipc_file_replace_options bad = UNIPC_FILE_REPLACE_OPTIONS_INIT;
  bad.sync = 3;
  INVALID(unipc_file_replace(path, "x", 1, &bad));
  bad.sync = 0, bad.take_ownership = 2;
  INVALID(unipc_file_replace(path, "x", 1, &bad));
  bad.take_ownership = 0, bad.follow_links = 2;
  INVALID(unipc_file_replace(path, "x", 1, &bad));
  bad.follow_links = 0, bad.mode = 01000;
  INVALID(unipc_file_replace(path, "x", 1, &bad));
  bad.mode = 0, bad.group = "no such group";
  INVALID(unipc_file_replace(path, "x", 1, &bad));
  CHECK(access(path, F_OK) < 0);
  SIZES(unipc_file_replace_options, UNIPC_FILE_REPLACE_OPTIONS_INIT, unipc_file_replace(path, NULL, 0, o), 0, unlink(path));
  CHECK_EQUAL(unipc_file_replace("/dev/null", "x", 1, NULL), UNIPC_WRONG_KIND);
  CHECK_EQUAL(unipc_file_replace("/tmp/no/such/directory", "x", 1, NULL), -ENOENT);
}

static void appending(void) {
  INVALID(unipc_file_append(NULL, "x", 1, NULL, 0));
  INVALID(unipc_file_append("", "x", 1, NULL, 0));
  INVALID(unipc_file_append(path, NULL, 1, NULL, 0));
  INVALID(unipc_file_append(path, "a\nb", 3, NULL, 0));
  INVALID(unipc_file_append(path, "a\x18", 2, NULL, 0));
  HUGE_SIZES(size) INVALID(unipc_file_append(path, "x", size, NULL, 0));
  unipc_file_append_options bad = UNIPC_FILE_APPEND_OPTIONS_INIT;
  bad.any_owner = 2;
  INVALID(unipc_file_append(path, "x", 1, &bad, 0));
  bad.any_owner = 0, bad.sync = 2;
  INVALID(unipc_file_append(path, "x", 1, &bad, 0));
  bad.sync = 0, bad.reserved = 1;
  INVALID(unipc_file_append(path, "x", 1, &bad, 0));
  bad.reserved = 0, bad.mode = 01000;
  INVALID(unipc_file_append(path, "x", 1, &bad, 0));
  CHECK(access(path, F_OK) < 0);
  SIZES(unipc_file_append_options, UNIPC_FILE_APPEND_OPTIONS_INIT, unipc_file_append(path, NULL, 0, o, INT64_MIN), 0, unlink(path));
}

static void following(void) {
  unipc_file_follower *follower;
  unipc_file_follower_info info = UNIPC_FILE_FOLLOWER_INFO_INIT;
  char buffer[8];
  REFUSED_AS(-ENOENT, follower, unipc_file_follower_open(path, NULL, &follower));
  CHECK_EQUAL(unipc_file_append(path, "record", 6, NULL, UNIPC_FOREVER), 0);
  REFUSED(follower, unipc_file_follower_open(NULL, NULL, &follower));
  REFUSED(follower, unipc_file_follower_open("", NULL, &follower));
  INVALID(unipc_file_follower_open(path, NULL, NULL));
  unipc_file_follower_options bad = UNIPC_FILE_FOLLOWER_OPTIONS_INIT;
  bad.from_end = 2;
  REFUSED(follower, unipc_file_follower_open(path, &bad, &follower));
  bad.from_end = 1, bad.start = 1;
  REFUSED(follower, unipc_file_follower_open(path, &bad, &follower));
  bad.from_end = 0, bad.start = 0, bad.any_owner = 2;
  REFUSED(follower, unipc_file_follower_open(path, &bad, &follower));
  bad.any_owner = 0, bad.follow_links = 2;
  REFUSED(follower, unipc_file_follower_open(path, &bad, &follower));
  bad.follow_links = 0, bad.reserved = 1;
  REFUSED(follower, unipc_file_follower_open(path, &bad, &follower));
  SIZES(unipc_file_follower_options, UNIPC_FILE_FOLLOWER_OPTIONS_INIT, unipc_file_follower_open(path, o, &follower), 0,
        unipc_file_follower_close(follower));
  unipc_file_follower_options large = UNIPC_FILE_FOLLOWER_OPTIONS_INIT;
  large.largest = SIZE_MAX;
  CHECK_EQUAL(unipc_file_follower_open(path, &large, &follower), 0);

  INVALID(unipc_file_follower_receive(NULL, buffer, sizeof buffer, 0, &info));
  INVALID(unipc_file_follower_receive(follower, NULL, 1, 0, &info));
  HUGE_SIZES(size) INVALID(unipc_file_follower_receive(follower, buffer, size, 0, &info));
  for (size_t size = 0; size < sizeof(size_t); size++) {
    info.struct_size = size;
    INVALID(unipc_file_follower_receive(follower, buffer, sizeof buffer, 0, &info));
  }
  info.struct_size = sizeof info;
  CHECK_EQUAL(unipc_file_follower_receive(follower, buffer, 5, 0, &info), -EMSGSIZE);
  CHECK_EQUAL(info.size, 6);
  CHECK_EQUAL(unipc_file_follower_receive(follower, NULL, 0, 0, NULL), -EMSGSIZE);
  CHECK_EQUAL(unipc_file_follower_receive(follower, buffer, 6, 0, &info), 6);
  CHECK(memcmp(buffer, "record", 6) == 0);
  CHECK_EQUAL(info.event, UNIPC_FILE_RECORD);
  CHECK_EQUAL(info.end, 7);
  CHECK_EQUAL(unipc_file_follower_receive(follower, buffer, sizeof buffer, INT64_MIN, NULL), -EAGAIN);
  CHECK_EQUAL(unipc_file_follower_receive(follower, buffer, sizeof buffer, UNIPC_MILLISECOND, &info), -ETIMEDOUT);
  INVALID(unipc_file_follower_fd(NULL));
  CHECK(unipc_file_follower_fd(follower) >= 0);
  unipc_file_follower_close(NULL);
  unipc_file_follower_close(follower);
  unlink(path);
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/arguments_files.%d", (int)getpid());
  house before = house_now();
  initialisers();
  locks();
  unlink(path);
  replacing();
  appending();
  following();
  house_check(before);
  return 0;
}
