/* As arguments.c, for locks on files. */
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

int main(void) {
  snprintf(path, sizeof path, "/tmp/arguments_files.%d", (int)getpid());
  house before = house_now();
  initialisers();
  locks();
  unlink(path);
  house_check(before);
  return 0;
}
