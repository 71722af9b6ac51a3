/* What the two C peers of the crossing tests share: the protocol with the test, and the data that everybody expects.
 *
 * A peer is called with a role and its arguments. It says on standard output, a line each, how far it has come; where it has to wait for
 * the test it reads a line "go"; "done" is its last line. What goes wrong is told on standard error, and the exit status is not 0. */
#ifndef PEER_H
#define PEER_H

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECONDS 20 /* how long a peer is waited for that may have died */
#define BYTES 200001 /* more than a pipe holds: each side has to wait for the other */
#define LARGEST 70000
#define CUT (1 << 20)
#define PAGE 4096
#define TOGETHER 500 /* how often two peers use each lock together */

static const size_t sizes[] = {0, 1, PIPE_BUF - 1, PIPE_BUF, PIPE_BUF + 1, LARGEST};
#define SIZES (sizeof sizes / sizeof sizes[0])

/* Which transfer the bytes belong to; bytes of another one, or from another place of the same, are not taken for the right ones. */
enum { SALT_BYTES = 1, SALT_MEMORY = 2, SALT_TO_SERVER = 3, SALT_TO_CLIENT = 4, SALT_FRAMES = 5 };

static inline unsigned char pattern(size_t index, size_t salt) { return (unsigned char)(index * 131 + (index >> 8) + salt * 17); }

static inline void fill(unsigned char *data, size_t length, size_t salt) {
  for (size_t i = 0; i < length; i++) data[i] = pattern(i, salt);
}

static inline int is_filled(const unsigned char *data, size_t length, size_t salt) {
  for (size_t i = 0; i < length; i++) {
    if (data[i] != pattern(i, salt)) return 0;
  }
  return 1;
}

static inline void say(const char *line) {
  puts(line);
  fflush(stdout);
}

static inline void await_go(void) {
  char line[8];
  if (fgets(line, sizeof line, stdin) != NULL && strcmp(line, "go\n") == 0) return;
  fputs("the test did not say go\n", stderr);
  _exit(1);
}

/* Ends also when the test itself has been killed, and with it the other end of standard input. */
static inline void await_death(void) {
  while (getchar() != EOF) continue;
  fputs("the test is gone\n", stderr);
  _exit(1);
}

typedef struct role {
  const char *name;
  void (*play)(char **arguments);
  int count;
} role;

/* Plays the role that the command line asks for. */
static inline int play(const role *roles, int argc, char **argv) {
  for (const role *r = roles; r->name != NULL; r++) {
    if (argc != 2 + r->count || strcmp(argv[1], r->name) != 0) continue;
    r->play(argv + 2);
    say("done");
    return 0;
  }
  fprintf(stderr, "%s: no such role, or not with %d arguments\n", argc > 1 ? argv[1] : "(none)", argc - 2);
  return 1;
}

#endif
