/* A file of numbers, each guarded by a lock on its own bytes: two processes that change different numbers do not
 * wait for each other, two that change the same one do. The kernel gives the locks of a killed process back.
 *
 * These are the locks of fcntl, in the form that belongs to the open file (F_OFD_SETLK): the older form is lost
 * whenever the process closes any descriptor of the file, whoever in it has opened that.
 *
 * Run:     locked_records [PATH]
 * Prints:  Number 1 is locked by another: yes
 *          Number 2 is locked by another: no
 *          4 processes x 500 increments = 2000
 */
#include "example.h"

#define PROCESSES 4
#define INCREMENTS 500
#define SIZE sizeof(int64_t)

static int add(unipc_file_lock *lock, uint64_t number) {
  int64_t value = 0;
  int r = unipc_file_lock_lock(lock, UNIPC_FILE_LOCK_EXCLUSIVE, number * SIZE, SIZE, PATIENCE);
  if (r < 0) return unipc_error_print("lock", r);
  int fd = unipc_file_lock_fd(lock);
  /* Read only now: what was read before the lock was held may be old. */
  int failed = pread(fd, &value, SIZE, (off_t)(number * SIZE)) < 0;
  value++;
  failed |= pwrite(fd, &value, SIZE, (off_t)(number * SIZE)) != (ssize_t)SIZE;
  if (failed) perror("number");
  r = unipc_file_lock_unlock(lock, number * SIZE, SIZE);
  return r < 0 ? unipc_error_print("unlock", r) : failed;
}

static int count(const char *path) {
  unipc_file_lock *lock;
  int r = unipc_file_lock_open(path, NULL, &lock);
  if (r < 0) return unipc_error_print("locked_records", r);
  int failed = 0;
  for (int i = 0; i < INCREMENTS && !failed; i++) failed = add(lock, 0);
  unipc_file_lock_close(lock);
  return failed;
}

/* What somebody else sees while this process holds number 1. */
static int look(const char *path) {
  unipc_file_lock *other;
  int r = unipc_file_lock_open(path, NULL, &other);
  if (r < 0) return unipc_error_print("locked_records", r);
  for (uint64_t number = 1; number <= 2 && r >= 0; number++) {
    r = unipc_file_lock_find_holder(other, UNIPC_FILE_LOCK_EXCLUSIVE, number * SIZE, SIZE, NULL);
    if (r >= 0) printf("Number %d is locked by another: %s\n", (int)number, r ? "yes" : "no");
  }
  unipc_file_lock_close(other);
  return r < 0 ? unipc_error_print("holder", r) : 0;
}

static int run(const char *path, unipc_file_lock *lock) {
  pid_t children[PROCESSES];
  int r = unipc_file_lock_lock(lock, UNIPC_FILE_LOCK_EXCLUSIVE, SIZE, SIZE, PATIENCE);
  if (r < 0) return unipc_error_print("lock", r);
  int failed = look(path);
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(count(path));
    failed |= children[i] < 0;
  }
  for (int i = 0; i < PROCESSES; i++) {
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  int64_t value = 0;
  if (pread(unipc_file_lock_fd(lock), &value, SIZE, 0) != (ssize_t)SIZE) return 1;
  printf("%d processes x %d increments = %lld\n", PROCESSES, INCREMENTS, (long long)value);
  return failed;
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-records");
  unipc_file_lock *lock;
  int r = unipc_file_lock_open_or_create(path, NULL, &lock);
  if (r < 0) return unipc_error_print("locked_records", r);
  int failed = run(path, lock);
  unipc_file_lock_close(lock);
  /* Nobody is left who could have it open. */
  unlink(path);
  return failed;
}
