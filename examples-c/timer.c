/* A timer that ticks as a descriptor, without drift: ticks that nobody took are counted. Then real-time signals, which queue: all arrive, in
 * the order of sending.
 *
 * Run:     timer
 * Prints:  3 ticks in no less than 30 ms / Queued while nobody looked: 1 2 3 4 5
 */
#include "example.h"

static int ticks(void) {
  unipc_timer *timer;
  int r = unipc_timer_create(NULL, &timer);
  if (r < 0) return unipc_error_print("timer", r);
  int64_t start = unipc_timer_now(timer);
  uint64_t seen = 0;
  r = unipc_timer_set(timer, 10 * UNIPC_MILLISECOND, 10 * UNIPC_MILLISECOND);
  while (r == 0 && seen < 3) {
    uint64_t expirations;
    r = unipc_timer_wait(timer, PATIENCE, &expirations);
    if (r == 0) seen += expirations;
  }
  int64_t took = unipc_timer_now(timer) - start;
  unipc_timer_close(timer);
  if (r < 0) return unipc_error_print("wait", r);
  printf("3 ticks in %s than 30 ms\n", took >= 30 * UNIPC_MILLISECOND ? "no less" : "less");
  return 0;
}

static int queue(void) {
  const int number = SIGRTMIN;
  unipc_signal_block *block;
  int r = unipc_signal_block_create(&number, 1, &block);
  if (r < 0) return unipc_error_print("block", r);
  for (int value = 1; value <= 5 && r == 0; value++) r = unipc_signal_queue(getpid(), number, value);
  printf("Queued while nobody looked:");
  for (int i = 0; i < 5 && r >= 0; i++) {
    unipc_signal_info info = UNIPC_SIGNAL_INFO_INIT;
    r = unipc_signal_take(&number, 1, PATIENCE, &info);
    printf(" %d", info.value);
  }
  printf("\n");
  unipc_signal_block_close(block);
  return r < 0 ? unipc_error_print("signal", r) : 0;
}

int main(void) { return ticks() || queue(); }
