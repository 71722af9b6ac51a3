/* Signals as something to read: a handler of the library records them, and the program takes one after the other, in its own time. Its
 * partner is signal_sender.
 *
 * Nothing is printed in a handler, and none is lost between two looks: each signal is taken in a loop.
 *
 * Run:     signal_receiver                         ends with SIGUSR2
 * Prints:  PID: ..., waiting for SIGUSR1...
 *          Received signal: 2                      for SIGINT
 *          Received signal!                        for SIGUSR1
 */
#include "example.h"

int main(void) {
  const int wanted[] = {SIGINT, SIGUSR1, SIGUSR2};
  unipc_signals *signals;
  int r = unipc_signals_open(wanted, 3, NULL, &signals);
  if (r < 0) return unipc_error_print("signals", r);
  printf("PID: %d, waiting for SIGUSR1...\n", (int)getpid());
  fflush(stdout);
  while ((r = unipc_signals_receive(signals, PATIENCE, NULL)) >= 0 && r != SIGUSR2) {
    if (r == SIGUSR1) printf("Received signal!\n");
    else printf("Received signal: %d\n", r);
    fflush(stdout);
  }
  unipc_signals_close(signals); /* the signals do again what they did before */
  if (r < 0) return unipc_error_print("receive", r);
  printf("Received SIGUSR2 as well\n");
  return 0;
}
