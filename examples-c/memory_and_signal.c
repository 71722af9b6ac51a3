/* Shared memory for the data, a signal as the notification. Standard signals coalesce, so a signal says "look", never "one more": the
 * receiver reads all that stands there, and no value is lost.
 *
 * Run:     memory_and_signal
 * Prints:  Received 100 values, the last is 100
 */
#include "example.h"

#include <stdatomic.h>

#define COUNT 100

struct shared {
  _Atomic int64_t written;
  int64_t values[COUNT];
};

static int child(struct shared *shared, pid_t parent) {
  for (int64_t i = 0; i < COUNT; i++) {
    shared->values[i] = i + 1;
    atomic_store_explicit(&shared->written, i + 1, memory_order_release);
    int r = unipc_signal_send(parent, SIGUSR1);
    if (r < 0) return unipc_error_print("send signal", r);
  }
  return 0;
}

static int receive(struct shared *shared, unipc_signals *signals) {
  int64_t read = 0, last = 0;
  while (read < COUNT) {
    int r = unipc_signals_receive(signals, PATIENCE, NULL);
    if (r < 0) return unipc_error_print("receive signal", r);
    int64_t written = atomic_load_explicit(&shared->written, memory_order_acquire);
    while (read < written) {
      last = shared->values[read++];
      if (last != read) return 1;
    }
  }
  printf("Received %d values, the last is %d\n", (int)read, (int)last);
  return 0;
}

int main(void) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  const int notification = SIGUSR1;
  unipc_signals *signals;
  unipc_memory *memory;
  int r = unipc_signals_open(&notification, 1, NULL, &signals);
  if (r < 0) return unipc_error_print("signals", r);
  r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  struct shared *shared = unipc_memory_address(memory);
  pid_t parent = getpid(), pid = example_fork();
  if (pid == 0) example_exit(child(shared, parent));
  int failed = pid < 0 || receive(shared, signals);
  failed = (pid > 0 && example_wait(pid)) || failed; /* signals that come late find us listening */
  unipc_signals_close(signals);
  unipc_memory_close(memory);
  return failed;
}
