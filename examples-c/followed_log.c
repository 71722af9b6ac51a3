/* A log file that two processes write, one reads as it grows, and that is rotated meanwhile by a rename. Every
 * record arrives, whole and once: writers look under the lock whether the file still has its name, and the reader
 * leaves the old file only when nobody can be adding to it any more. What a writer that was killed left in the
 * middle of a line is passed over.
 *
 * Run:     followed_log [PATH]
 * Prints:  200 records of 2 writers received, through a rotation
 *          1 torn record passed over
 */
#include "example.h"

#include <fcntl.h>

#define WRITERS 2
#define RECORDS 100

/* A writer that knows nothing of the library, and dies in the middle. */
static int write_half(const char *path) {
  static const char half[] = "half a rec";
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  int failed = fd < 0 || write(fd, half, sizeof half - 1) < 0;
  if (failed) perror(path);
  if (fd >= 0) close(fd);
  return failed;
}

static int write_log(const char *path, int writer) {
  for (int i = 0; i < RECORDS; i++) {
    char record[64];
    int length = snprintf(record, sizeof record, "writer %d record %d", writer, i);
    int r = unipc_file_append(path, record, (size_t)length, NULL, PATIENCE);
    if (r < 0) return unipc_error_print("append", r);
  }
  return 0;
}

static int rotate(const char *path) {
  char old[128];
  snprintf(old, sizeof old, "%s.old", path);
  if (rename(path, old) == 0) return 0;
  perror("rename");
  return 1;
}

/* Receives all, and takes the file away from its name after a quarter of them. */
static int read_log(const char *path, unipc_file_follower *log) {
  int next[WRITERS] = {0};
  unsigned long long torn = 0;
  unipc_file_follower_info info = UNIPC_FILE_FOLLOWER_INFO_INIT;
  for (int received = 0; received < WRITERS * RECORDS;) {
    char record[64];
    ptrdiff_t n = unipc_file_follower_receive(log, record, sizeof record - 1, PATIENCE, &info);
    if (n < 0) return unipc_error_print("receive", (int)n);
    torn += info.torn;
    if (info.event != UNIPC_FILE_RECORD) continue; /* another file has the name: its first record is next */
    record[n] = '\0';
    int writer, number;
    int fields = sscanf(record, "writer %d record %d", &writer, &number);
    if (fields != 2 || writer < 0 || writer >= WRITERS || number != next[writer]++) {
      fprintf(stderr, "not the next record: %s\n", record);
      return 1;
    }
    received++;
    if (received == WRITERS * RECORDS / 4 && rotate(path) != 0) return 1;
  }
  printf("%d records of %d writers received, through a rotation\n", WRITERS * RECORDS, WRITERS);
  printf("%llu torn record passed over\n", torn);
  return 0;
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-log");
  pid_t children[WRITERS];
  unipc_file_follower *log;
  if (write_half(path) != 0) return 1;
  int r = unipc_file_follower_open(path, NULL, &log);
  if (r < 0) return unipc_error_print("followed_log", r);
  int failed = 0;
  for (int i = 0; i < WRITERS; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(write_log(path, i));
    failed |= children[i] < 0;
  }
  failed |= read_log(path, log);
  for (int i = 0; i < WRITERS; i++) {
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  unipc_file_follower_close(log);
  char old[128];
  snprintf(old, sizeof old, "%s.old", path);
  unlink(old);
  unlink(path);
  return failed;
}
