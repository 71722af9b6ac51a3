/* What every test program here uses: checks that end the program with file, line and values; a clock; children; and the state of the
   process before and after, so that a test which leaves a descriptor, a mapping of shared memory, a thread or a child behind fails. */
#ifndef CHECK_H
#define CHECK_H

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__GNUC__)
#define CHECK_UNUSED __attribute__((unused))
#else
#define CHECK_UNUSED
#endif

/* _exit: no leak report of a half-finished program hides the message. */
#define CHECK(condition)                                                                            \
  do {                                                                                              \
    if (!(condition)) {                                                                             \
      fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);     \
      _exit(1);                                                                                     \
    }                                                                                               \
  } while (0)

#define CHECK_COMPARED(left, sign, right)                                                                                \
  do {                                                                                                                   \
    long long check_left = (long long)(left), check_right = (long long)(right);                                          \
    if (!(check_left sign check_right)) {                                                                                \
      fprintf(stderr, "%s:%d: not so: %s %s %s: %lld and %lld%s%s\n", __FILE__, __LINE__, #left, #sign, #right, check_left, \
              check_right, check_detail(check_left)[0] ? ": " : "", check_detail(check_left));                           \
      _exit(1);                                                                                                          \
    }                                                                                                                    \
  } while (0)
#define CHECK_EQUAL(left, right) CHECK_COMPARED(left, ==, right)
#define CHECK_LESS(left, right) CHECK_COMPARED(left, <, right)
#define CHECK_AT_LEAST(left, right) CHECK_COMPARED(left, >=, right)

/* The text of a negative result, which is what one wants to read when a check fails. */
static CHECK_UNUSED const char *check_detail(long long result) {
  static char text[600];
  text[0] = '\0';
  if (result < 0 && result > -20000) unipc_error_text((int)result, text, sizeof text);
  return text;
}

static CHECK_UNUSED int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * UNIPC_SECOND + t.tv_nsec;
}

/* 0 to 255: the child's exit status; 1000 + n: killed by signal n. */
static CHECK_UNUSED int exit_status_of(pid_t child) {
  int status;
  pid_t got;
  do got = waitpid(child, &status, 0);
  while (got < 0 && errno == EINTR);
  CHECK(got == child);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

typedef struct house {
  int descriptors, threads, mappings;
} house;

static CHECK_UNUSED int entries_of(const char *path) {
  int n = 0;
  DIR *directory = opendir(path);
  CHECK(directory != NULL);
  while (readdir(directory) != NULL) n++;
  closedir(directory);
  return n;
}

/* Mappings of shared memory: files in /dev/shm, deleted or not, memfds, and shared anonymous pages (/dev/zero). */
static CHECK_UNUSED int shared_mappings(void) {
  char line[8192];
  int n = 0;
  FILE *maps = fopen("/proc/self/maps", "re");
  CHECK(maps != NULL);
  while (fgets(line, sizeof line, maps) != NULL) {
    if (strstr(line, "/dev/shm/") || strstr(line, "/memfd:") || strstr(line, "/dev/zero")) n++;
  }
  fclose(maps);
  return n;
}

static CHECK_UNUSED house house_now(void) {
  house h;
  h.descriptors = entries_of("/proc/self/fd");
  h.threads = entries_of("/proc/self/task");
  h.mappings = shared_mappings();
  return h;
}

static CHECK_UNUSED void house_check(house before) {
  house after = house_now();
  /* A joined thread stands in the list until the kernel has done with it. */
  for (int64_t end = now() + 5 * UNIPC_SECOND; after.threads > before.threads && now() < end;) after = house_now();
  if (after.descriptors != before.descriptors) {
    char command[64];
    snprintf(command, sizeof command, "ls -l /proc/%d/fd >&2", (int)getpid());
    if (system(command) != 0) fputs("(no list)\n", stderr);
  }
  CHECK_EQUAL(after.descriptors, before.descriptors);
  CHECK_EQUAL(after.mappings, before.mappings);
  CHECK_EQUAL(after.threads, before.threads);
  CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

#endif
