/* Memory carries the bulk, pipes say what is ready: the parent fills a block and sends its number, the child
 * works on the bytes where they are, and sends the number back when the block is free again.
 *
 * A pipe orders: what was stored before the number was sent is seen by who has received it. And it wakes: nobody
 * spins.
 *
 * Run:     bulk_and_pipe
 * Prints:  Child: 16 blocks, 16777216 bytes, sum 125829120
 */
#include "example.h"

#define BLOCKS 2 /* one is filled while the other is worked on */
#define ROUNDS 16
#define SIZE ((size_t)1 << 20)

/* Takes both ends over. */
static int child(const unsigned char *bulk, unipc_stream *ready, unipc_stream *empty) {
  unsigned long long sum = 0, bytes = 0;
  int blocks = 0, r = 0;
  for (;;) {
    unsigned char number;
    ptrdiff_t n = unipc_stream_read(ready, &number, 1, PATIENCE);
    if (n == 0) break; /* the parent has closed its end: no more */
    if (n < 0 || number >= BLOCKS) {
      r = n < 0 ? (int)n : -EPROTO;
      break;
    }
    for (size_t i = 0; i < SIZE; i++) sum += bulk[number * SIZE + i];
    bytes += SIZE;
    blocks++;
    r = unipc_stream_write_all(empty, &number, 1, PATIENCE, NULL);
    if (r == -EPIPE) r = 0; /* the parent needs no more blocks */
    if (r < 0) break;
  }
  unipc_stream_close(ready);
  unipc_stream_close(empty);
  if (r < 0) return unipc_error_print("child", r);
  printf("Child: %d blocks, %llu bytes, sum %llu\n", blocks, bytes, sum);
  return 0;
}

/* Takes both ends over. */
static int parent(unsigned char *bulk, unipc_stream *ready, unipc_stream *empty) {
  int r = 0;
  for (int round = 0; round < ROUNDS && r >= 0; round++) {
    unsigned char number = (unsigned char)round;
    if (round >= BLOCKS) r = unipc_stream_read_exact(empty, &number, 1, PATIENCE, NULL);
    if (r < 0) break;
    if (number >= BLOCKS) {
      r = -EPROTO;
      break;
    }
    memset(bulk + number * SIZE, round, SIZE);
    r = unipc_stream_write_all(ready, &number, 1, PATIENCE, NULL);
  }
  unipc_stream_close(ready); /* the end, for the child */
  unipc_stream_close(empty);
  return r < 0 ? unipc_error_print("parent", r) : 0;
}

int main(void) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = BLOCKS * SIZE;
  unipc_memory *memory;
  unipc_stream *ready_reader = NULL, *ready_writer = NULL, *empty_reader = NULL, *empty_writer = NULL;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r == 0) r = unipc_pipe_create(NULL, &ready_reader, &ready_writer);
  if (r == 0) r = unipc_pipe_create(NULL, &empty_reader, &empty_writer);
  if (r < 0) return unipc_error_print("bulk_and_pipe", r);
  unsigned char *bulk = (unsigned char *)unipc_memory_address(memory);
  pid_t pid = example_fork();
  if (pid == 0) {
    unipc_stream_close(ready_writer);
    unipc_stream_close(empty_reader);
    example_exit(child(bulk, ready_reader, empty_writer));
  }
  unipc_stream_close(ready_reader);
  unipc_stream_close(empty_writer);
  int failed = parent(bulk, ready_writer, empty_reader);
  failed |= pid < 0 || example_wait(pid);
  unipc_memory_close(memory);
  return failed;
}
