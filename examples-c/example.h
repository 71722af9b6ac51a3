/* What the examples need and what is not their lesson: children, signals, arguments. Include it first: it
 * asks for POSIX.
 *
 * Nothing here is hidden cleverness: each function does what its name says, with the errors looked at.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <unipc.h>

/* Nobody waits for ever for a peer that may have died: this is how long an example is patient. */
#define PATIENCE (20 * UNIPC_SECOND)

/* fork, but what stdout holds back is written first, or both processes would write it. -1: said why. */
static inline pid_t example_fork(void) {
  fflush(stdout);
  pid_t child = fork();
  if (child < 0) perror("fork");
  return child;
}

/* How a child ends: its output is written, and nothing that the parent registered runs. */
static inline void example_exit(int status) {
  fflush(stdout);
  _exit(status);
}

/* Waits for a child; 0 if it ended well, else 1 after saying how it ended. */
static inline int example_wait(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0) {
    if (errno == EINTR) continue;
    perror("waitpid");
    return 1;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
  const char *how = WIFSIGNALED(status) ? "was killed by signal" : "failed with status";
  int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  fprintf(stderr, "child %d %s %d\n", (int)child, how, number);
  return 1;
}

/* The first argument, or else PREFIX-PID, so that two runs do not meet in one name. The name stays valid. */
static inline const char *example_name(int argc, char **argv, const char *prefix) {
  static char name[108];
  if (argc > 1) return argv[1];
  snprintf(name, sizeof name, "%s-%d", prefix, (int)getpid());
  return name;
}

/* The same for a path: in $TMPDIR or /tmp. */
static inline const char *example_path(int argc, char **argv, const char *prefix) {
  static char path[108];
  const char *directory = getenv("TMPDIR");
  if (argc > 1) return argv[1];
  snprintf(path, sizeof path, "%s/%s-%d", directory != NULL ? directory : "/tmp", prefix, (int)getpid());
  return path;
}

/* A whole number from LEAST to MOST; -1: it is none. */
static inline long example_number(const char *text, long least, long most) {
  char *end;
  errno = 0;
  long number = strtol(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || number < least || number > most) return -1;
  return number;
}

/* The value of "--count N" at argv[index], the number of clients or messages to serve; 0: until SIGTERM; -1:
 * not understood. */
static inline long example_count(int argc, char **argv, int index) {
  if (argc == index) return 0;
  if (argc != index + 2 || strcmp(argv[index], "--count") != 0) return -1;
  return example_number(argv[index + 1], 1, 1000000);
}

/* The token that SIGTERM and SIGINT request; a handler can reach nothing but a global variable. */
static unipc_stop *example_stop;

static inline void example_handler(int signal_number) {
  (void)signal_number;
  unipc_stop_request(example_stop);
}

/* From now on SIGTERM and SIGINT end every wait of this thread with -ECANCELED. The token lives as long as
 * the process may get signals. */
static inline int example_stop_on_signals(void) {
  int r = unipc_stop_create(&example_stop);
  if (r < 0) return r;
  r = unipc_stop_bind(example_stop);
  if (r < 0) return r;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = example_handler;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0) return -errno;
  return 0;
}

/* Reads until the other side ends the stream, as a text. Its length; -EMSGSIZE: longer than the buffer; or a
 * code of unipc_stream_read. One read is never taken for a whole message: a stream may deliver it in pieces.
 * */
static inline ptrdiff_t example_read_text(unipc_stream *stream, char *text, size_t capacity) {
  size_t length = 0;
  for (;;) {
    ptrdiff_t n = unipc_stream_read(stream, text + length, capacity - length, PATIENCE);
    if (n < 0) return n;
    if (n == 0) break;
    length += (size_t)n;
    if (length == capacity) return -EMSGSIZE;
  }
  text[length] = '\0';
  return (ptrdiff_t)length;
}

/* Receives one framed message as a text. Its length, or a code of unipc_framed_receive. */
static inline ptrdiff_t example_receive_text(unipc_framed *framed, char *text, size_t capacity) {
  ptrdiff_t n = unipc_framed_receive(framed, text, capacity - 1, PATIENCE, NULL);
  text[n < 0 ? 0 : n] = '\0';
  return n;
}

/* Sends one text as a framed message. */
static inline int example_send_text(unipc_framed *framed, const char *text) {
  return unipc_framed_send(framed, text, strlen(text), PATIENCE);
}

#endif
