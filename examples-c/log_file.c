/* Several processes write one log file, each line in two pieces, and a named semaphore keeps the lines whole.
 *
 * A semaphore belongs to nobody: when its holder is killed, its unit is lost and all wait for ever. So the
 * holder notes its process number in shared memory, and who has waited too long looks whether that process
 * lives. If it does not, one of those who wait takes the lock over and removes the unfinished line. (A
 * mutex, as in shared_mutex, does all this by itself.)
 *
 * Run:     log_file NAME FILE LABEL LINES [--die]    --die: be killed in the middle of the last line
 *          log_file NAME --remove                    removes the semaphore and the memory
 * Prints:  what was noticed
 */
#include "example.h"

#include <fcntl.h>
#include <sys/stat.h>

struct log {
  unipc_posix_semaphore *lock;
  unipc_memory *memory; /* the holder's process number, in the first word */
  int file;
};

static int write_text(int file, const char *text) {
  size_t length = strlen(text);
  if (write(file, text, length) == (ssize_t)length) return 0;
  perror("write");
  return 1;
}

/* Cuts an unfinished line off the file. */
static int remove_unfinished_line(int file) {
  struct stat status;
  if (fstat(file, &status) < 0) {
    perror("fstat");
    return 1;
  }
  off_t end = status.st_size;
  for (char last = 0; end > 0; end--) {
    if (pread(file, &last, 1, end - 1) != 1) {
      perror("read");
      return 1;
    }
    if (last == '\n') break;
  }
  if (end == status.st_size) return 0;
  if (ftruncate(file, end) < 0) {
    perror("truncate");
    return 1;
  }
  printf("Noticed: the holder was killed; its unfinished line is removed\n");
  return 0;
}

/* Called after a long wait. 1: the lock is ours, taken over from a dead holder; 0: its holder lives, or has
 * just given it back. */
static int take_over(struct log *log) {
  uint32_t holder = 0;
  int r = unipc_memory_load_u32(log->memory, 0, UNIPC_ACQUIRE, &holder);
  if (r < 0) return r;
  if (holder == 0 || kill((pid_t)holder, 0) == 0 || errno != ESRCH) return 0;
  return unipc_memory_compare_exchange_u32(log->memory, 0, UNIPC_ACQUIRE_RELEASE, &holder,
                                           (uint32_t)getpid());
}

static int lock(struct log *log) {
  for (int64_t waited = 0; waited < PATIENCE; waited += 100 * UNIPC_MILLISECOND) {
    int r = unipc_posix_semaphore_wait(log->lock, 100 * UNIPC_MILLISECOND);
    if (r == 0) {
      r = unipc_memory_store_u32(log->memory, 0, UNIPC_RELEASE, (uint32_t)getpid());
      return r < 0 ? unipc_error_print("holder", r) : 0;
    }
    if (r != -ETIMEDOUT) return unipc_error_print("lock", r);
    r = take_over(log);
    if (r < 0) return unipc_error_print("holder", r);
    if (r == 1) return remove_unfinished_line(log->file);
  }
  return unipc_error_print("lock", -ETIMEDOUT);
}

static int unlock(struct log *log) {
  int r = unipc_memory_store_u32(log->memory, 0, UNIPC_RELEASE, 0);
  if (r == 0) r = unipc_posix_semaphore_post(log->lock);
  return r < 0 ? unipc_error_print("unlock", r) : 0;
}

static int write_lines(struct log *log, const char *label, long lines, int die) {
  char end[64];
  for (long i = 1; i <= lines; i++) {
    if (lock(log) != 0) return 1;
    snprintf(end, sizeof end, " %ld from Process %s\n", i, label);
    int failed = write_text(log->file, "Log message");
    if (die && i == lines) kill(getpid(), SIGKILL);
    failed |= write_text(log->file, end);
    if (unlock(log) != 0 || failed) return 1;
  }
  return 0;
}

static int open_log(struct log *log, const char *name, const char *path) {
  unipc_memory_options size = UNIPC_MEMORY_OPTIONS_INIT;
  size.size = sizeof(uint32_t);
  unipc_posix_semaphore_options one = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  one.value = 1; /* counts only for who creates it */
  int r = unipc_memory_open_or_create_posix(name, &size, &log->memory);
  if (r == 0) r = unipc_posix_semaphore_open_or_create(name, &one, &log->lock);
  if (r < 0) return unipc_error_print("log_file", r);
  log->file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (log->file >= 0) return 0;
  perror(path);
  return 1;
}

static int remove_names(const char *name) {
  int r = unipc_posix_semaphore_unlink(name);
  int s = unipc_memory_unlink_posix(name);
  return r < 0 || s < 0 ? unipc_error_print("log_file", r < 0 ? r : s) : 0;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[2], "--remove") == 0) return remove_names(argv[1]);
  int die = argc == 6 && strcmp(argv[5], "--die") == 0;
  long lines = argc == 5 + die ? example_number(argv[4], 1, 1000000) : -1;
  if (lines < 0) {
    fprintf(stderr, "usage: log_file NAME FILE LABEL LINES [--die] | NAME --remove\n");
    return 2;
  }
  struct log log = {NULL, NULL, -1};
  int failed = open_log(&log, argv[1], argv[2]) || write_lines(&log, argv[3], lines, die);
  if (log.file >= 0) close(log.file);
  unipc_posix_semaphore_close(log.lock);
  unipc_memory_close(log.memory);
  return failed;
}
