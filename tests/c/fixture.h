/* Finds what a C test has left behind: descriptors, shared mappings, names in /dev/shm, children and threads.
 *
 *   struct fixture before = fixture_begin();
 *   ...
 *   fixture_end(&before);     ends the program with status 1 if there is more than before
 */
#ifndef UNIPC_FIXTURE_H
#define UNIPC_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

struct fixture {
  int descriptors, mappings, names, threads, children;
};

/* The entries of a directory, without the two that each has. */
static inline int fixture_entries(const char *path) {
  DIR *directory = opendir(path);
  int count = 0;
  if (directory == NULL) return -1;
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count - 2;
}

static inline int fixture_mappings(void) {
  FILE *maps = fopen("/proc/self/maps", "re");
  char line[512], rights[5];
  int count = 0, starts_line = 1;
  if (maps == NULL) return -1;
  while (fgets(line, sizeof line, maps) != NULL) {
    if (starts_line && sscanf(line, "%*s %4s", rights) == 1 && rights[3] == 's') count++;
    starts_line = strchr(line, '\n') != NULL;
  }
  fclose(maps);
  return count;
}

/* 1 if there is a child, running or dead; it stays as it is. */
static inline int fixture_children(void) {
  siginfo_t information;
  memset(&information, 0, sizeof information);
  return waitid(P_ALL, 0, &information, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) == 0;
}

static inline struct fixture fixture_begin(void) {
  struct fixture now;
  now.descriptors = fixture_entries("/proc/self/fd");
  now.mappings = fixture_mappings();
  now.names = fixture_entries("/dev/shm");
  now.threads = fixture_entries("/proc/self/task");
  now.children = fixture_children();
  return now;
}

static inline int fixture_is_more(const struct fixture *now, const struct fixture *before) {
  return now->descriptors > before->descriptors || now->mappings > before->mappings || now->names > before->names ||
         now->threads > before->threads || now->children > before->children;
}

/* A thread that has been joined may stand in /proc for a moment longer, so there is a second of patience. */
static inline void fixture_end(const struct fixture *before) {
  struct timespec pause = {0, 5000000};
  struct fixture now = fixture_begin();
  int looks;
  for (looks = 0; looks < 200 && fixture_is_more(&now, before); looks++) {
    nanosleep(&pause, NULL);
    now = fixture_begin();
  }
  if (!fixture_is_more(&now, before)) return;
  fprintf(stderr, "left behind: descriptors %d of %d, shared mappings %d of %d, names %d of %d, threads %d of %d, children %d of %d\n",
          now.descriptors, before->descriptors, now.mappings, before->mappings, now.names, before->names, now.threads, before->threads,
          now.children, before->children);
  exit(1);
}

#endif
