/* flock: the writer has the file to itself, readers share it. The child cannot read half of what is written.
 *
 * The child opens the file itself: through the handle that it has inherited it would be the same holder as its
 * parent, and would not wait. For the same reason the parent unlocks and does not just close: the lock lives as
 * long as any copy of its descriptor, and the child has one.
 *
 * Run:     locked_write [PATH]
 * Prints:  Locked write
 */
#include "example.h"

static unipc_file_lock_options flock_options(void) {
  unipc_file_lock_options options = UNIPC_FILE_LOCK_OPTIONS_INIT;
  options.kind = UNIPC_FILE_LOCK_FLOCK;
  return options;
}

static int read_shared(const char *path) {
  char text[64];
  unipc_file_lock *lock;
  unipc_file_lock_options options = flock_options();
  int r = unipc_file_lock_open(path, &options, &lock);
  if (r < 0) return unipc_error_print("open", r);
  r = unipc_file_lock_lock(lock, UNIPC_FILE_LOCK_SHARED, 0, 0, PATIENCE);
  ssize_t length = r < 0 ? 0 : pread(unipc_file_lock_fd(lock), text, sizeof text, 0);
  if (length < 0) perror("read");
  if (length > 0) fwrite(text, 1, (size_t)length, stdout);
  unipc_file_lock_close(lock);
  return r < 0 ? unipc_error_print("lock", r) : length <= 0;
}

static int write_text(int fd, const char *text) {
  if (write(fd, text, strlen(text)) == (ssize_t)strlen(text)) return 0;
  perror("write");
  return 1;
}

static int run(const char *path, unipc_file_lock *lock) {
  int r = unipc_file_lock_lock(lock, UNIPC_FILE_LOCK_EXCLUSIVE, 0, 0, PATIENCE);
  if (r < 0) return unipc_error_print("lock", r);
  pid_t child = example_fork();
  if (child == 0) example_exit(read_shared(path));
  int failed = child < 0;
  failed |= write_text(unipc_file_lock_fd(lock), "Locked ");
  failed |= write_text(unipc_file_lock_fd(lock), "write\n");
  r = unipc_file_lock_unlock(lock, 0, 0);
  if (r < 0) failed |= unipc_error_print("unlock", r);
  return child > 0 ? failed | example_wait(child) : failed;
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-locked");
  unipc_file_lock_options options = flock_options();
  unipc_file_lock *lock;
  int r = unipc_file_lock_open_or_create(path, &options, &lock);
  if (r < 0) return unipc_error_print("locked_write", r);
  int failed = run(path, lock);
  unipc_file_lock_close(lock);
  unlink(path);
  return failed;
}
