/* Many reads and writes in one call (io_uring): eight children each want a number squared, and the parent has all of its reads
 * and then its writes in flight at once. Where the machine has no io_uring, it says why, and does the same one by one.
 *
 * Run:     ring
 * Prints:  a line for each child; which way was taken, and why, on standard error
 */
#include "example.h"

enum { CHILDREN = 8 };

/* Sends its number, and takes the square. */
static int child(unipc_stream *stream, int number) {
  char text[16];
  int length = snprintf(text, sizeof text, "%d", number);
  int r = unipc_stream_write_all(stream, text, (size_t)length, PATIENCE, NULL);
  ptrdiff_t n = r < 0 ? r : unipc_stream_read(stream, text, sizeof text - 1, PATIENCE);
  if (n < 0) return unipc_error_print("child", (int)n);
  text[n] = '\0';
  return atoi(text) != number * number;
}

static int answer(int question, char *text, size_t capacity) { return snprintf(text, capacity, "%d", question * question); }

/* All reads in one call; each answer goes out when its question has come. */
static int by_ring(unipc_ring *ring, unipc_stream **streams, int *questions) {
  unipc_ring_operation reads[CHILDREN];
  for (int i = 0; i < CHILDREN; i++) {
    unipc_ring_operation one = {(uint64_t)i, UNIPC_RING_POSITION, NULL, 15, unipc_stream_fd(streams[i]), UNIPC_RING_READ};
    reads[i] = one;
  }
  int r = unipc_ring_submit(ring, reads, CHILDREN);
  while (r >= 0) {
    unipc_ring_completion done[CHILDREN];
    r = unipc_ring_wait(ring, done, CHILDREN, PATIENCE);
    if (r <= 0) break; /* 0: nothing is in flight any more */
    unipc_ring_operation writes[CHILDREN];
    char texts[CHILDREN][16];
    size_t count = 0;
    for (int i = 0; i < r; i++) {
      if (done[i].result <= 0) return done[i].result < 0 ? (int)done[i].result : UNIPC_END;
      if (done[i].token >= CHILDREN) continue; /* a write */
      char question[16] = "";
      memcpy(question, done[i].data, (size_t)done[i].result);
      int which = (int)done[i].token;
      questions[which] = atoi(question);
      int length = answer(questions[which], texts[count], sizeof texts[count]);
      unipc_ring_operation one = {CHILDREN, UNIPC_RING_POSITION,
                                  texts[count], (size_t)length, unipc_stream_fd(streams[which]), UNIPC_RING_WRITE};
      writes[count++] = one;
    }
    r = unipc_ring_submit(ring, writes, count); /* the texts are copied */
  }
  return r;
}

static int one_by_one(unipc_stream **streams, int *questions) {
  for (int i = 0; i < CHILDREN; i++) {
    char text[16];
    ptrdiff_t n = unipc_stream_read(streams[i], text, sizeof text - 1, PATIENCE);
    if (n <= 0) return n < 0 ? (int)n : UNIPC_END;
    text[n] = '\0';
    questions[i] = atoi(text);
    int length = answer(questions[i], text, sizeof text);
    int r = unipc_stream_write_all(streams[i], text, (size_t)length, PATIENCE, NULL);
    if (r < 0) return r;
  }
  return 0;
}

int main(void) {
  unipc_stream *streams[CHILDREN];
  pid_t pids[CHILDREN];
  int questions[CHILDREN] = {0}, failed = 0;
  for (int i = 0; i < CHILDREN; i++) {
    unipc_stream *far;
    int r = unipc_stream_pair_unix(&streams[i], &far);
    if (r < 0) return unipc_error_print("pair", r);
    if ((pids[i] = example_fork()) < 0) return 1;
    if (pids[i] == 0) {
      int status = child(far, i + 1);
      for (int open = 0; open <= i; open++) unipc_stream_close(streams[open]);
      unipc_stream_close(far);
      example_exit(status);
    }
    unipc_stream_close(far);
  }
  unipc_ring *ring = NULL;
  int r = unipc_ring_available();
  if (r == 0) {
    fprintf(stderr, "by io_uring\n");
    r = unipc_ring_create(2 * CHILDREN, &ring);
    if (r == 0) r = by_ring(ring, streams, questions);
  } else {
    unipc_error_print("one by one", r);
    r = one_by_one(streams, questions);
  }
  if (r < 0) failed = unipc_error_print("ring", r);
  unipc_ring_close(ring);
  for (int i = 0; i < CHILDREN; i++) {
    unipc_stream_close(streams[i]);
    if (example_wait(pids[i])) failed = 1;
    printf("child %d: %d squared is %d\n", i + 1, questions[i], questions[i] * questions[i]);
  }
  return failed;
}
