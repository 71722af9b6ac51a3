/* A privileged side opens files that the worker may not open, and sends it the open descriptors: several at once.
 *
 * The worker has given up its rights (with root it becomes user 65534, else the files have lost all permissions).
 * What it was sent works all the same: rights are looked at when a file is opened. It takes two descriptors at
 * most, however many are sent.
 *
 * Run:     descriptor_passing [DIRECTORY]
 * Prints:  that the worker may not open the files, and what it reads from them
 */
#include "example.h"

#include <fcntl.h>
#include <sys/stat.h>

#define FILES 2
#define WORKER 65534

static int work(unipc_stream *privileged, const char *path) {
  if (geteuid() == 0 && (setgid(WORKER) < 0 || setuid(WORKER) < 0)) {
    perror("setuid");
    return 1;
  }
  int own = open(path, O_RDONLY | O_CLOEXEC);
  printf("Worker opens the file itself: %s\n", own < 0 ? strerror(errno) : "it may");
  if (own >= 0) close(own);

  char label[16];
  int fds[FILES];
  size_t count;
  ptrdiff_t n = unipc_stream_receive_fds(privileged, label, sizeof label, fds, FILES, &count, PATIENCE);
  if (n < 0) return unipc_error_print("receive", (int)n);
  printf("Worker was sent %zu files with %d bytes: %.*s\n", count, (int)n, (int)n, label);
  for (size_t i = 0; i < count; i++) {
    char text[100];
    ssize_t length = read(fds[i], text, sizeof text);
    printf("Worker reads: %.*s\n", length < 0 ? 0 : (int)length, text);
    close(fds[i]);
  }
  return 0;
}

static int make(const char *path, int number) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  char text[100];
  int length = snprintf(text, sizeof text, "secret %d", number);
  if (write(fd, text, (size_t)length) != length || lseek(fd, 0, SEEK_SET) < 0 || fchmod(fd, 0) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}

int main(int argc, char **argv) {
  const char *prefix = example_path(argc, argv, "descriptor_passing");
  char paths[FILES][128];
  int fds[FILES], failed = 0;
  for (int i = 0; i < FILES; i++) {
    snprintf(paths[i], sizeof paths[i], "%s.%d", prefix, i);
    fds[i] = make(paths[i], i + 1);
    if (fds[i] < 0) perror(paths[i]), failed = 1;
  }
  unipc_stream *ours, *theirs;
  int r = unipc_stream_pair_unix(&ours, &theirs);
  if (r < 0) return unipc_error_print("pair", r);
  pid_t pid = failed ? -1 : example_fork();
  if (pid == 0) {
    unipc_stream_close(ours);
    for (int i = 0; i < FILES; i++) close(fds[i]); /* it gets them through the socket alone */
    failed = work(theirs, paths[0]);
    unipc_stream_close(theirs);
    example_exit(failed);
  }
  unipc_stream_close(theirs);
  if (pid > 0) {
    r = unipc_stream_send_fds(ours, "files", 5, fds, FILES, PATIENCE, NULL);
    failed = r < 0 ? unipc_error_print("send", r) : 0;
    failed |= example_wait(pid);
  }
  unipc_stream_close(ours);
  for (int i = 0; i < FILES; i++) {
    if (fds[i] < 0) continue;
    close(fds[i]);
    unlink(paths[i]);
  }
  return pid < 0 || failed;
}
