/* Signals that carry a number, and who sent them. Standard signals do not queue: a second one that comes while the first waits is dropped, with
 * its number. Real-time signals queue, in order: all of theirs arrive.
 *
 * Run:     signal_data
 * Prints:  Signal: 10 / Data: 42 / From the child: yes / Queued: 1 2 3 4 5
 */
#include "example.h"

static int child(pid_t parent) {
  int r = unipc_signal_queue(parent, SIGUSR1, 42);
  for (int value = 1; value <= 5 && r == 0; value++) r = unipc_signal_queue(parent, SIGRTMIN, value);
  return r < 0 ? unipc_error_print("queue signal", r) : 0;
}

static int receive(unipc_signals *signals, pid_t sender) {
  unipc_signal_info info = UNIPC_SIGNAL_INFO_INIT;
  int queued[5], r = 0;
  int first = 0;
  for (int i = 0; i < 5 || !first;) {
    r = unipc_signals_receive(signals, PATIENCE, &info);
    if (r < 0) return unipc_error_print("receive signal", r);
    if (r == SIGUSR1) {
      printf("Signal: %d\nData: %d\nFrom the child: %s\n", r, info.value, info.sender_pid == sender ? "yes" : "no");
      first = 1;
    } else {
      queued[i++] = info.value;
    }
  }
  printf("Queued:");
  for (int i = 0; i < 5; i++) printf(" %d", queued[i]);
  printf("\n");
  return 0;
}

int main(void) {
  const int wanted[] = {SIGUSR1, SIGRTMIN};
  unipc_signals *signals;
  int r = unipc_signals_open(wanted, 2, NULL, &signals); /* before anybody can send them */
  if (r < 0) return unipc_error_print("signals", r);
  pid_t parent = getpid(), pid = example_fork();
  if (pid == 0) example_exit(child(parent));
  int failed = pid < 0 || receive(signals, pid);
  unipc_signals_close(signals);
  return (pid > 0 && example_wait(pid)) || failed;
}
