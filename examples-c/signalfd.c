/* Signals without any handler: they are blocked, and read from a signalfd. A program with threads does this first, before any thread is
 * made, so that all of them block the signals.
 *
 * Run:     signalfd
 * Prints:  SIGHUP: the configuration would be read anew / SIGTERM: the end / The mask is what it was
 */
#include "example.h"

static int work(unipc_signals *signals) {
  for (;;) {
    int r = unipc_signals_receive(signals, PATIENCE, NULL);
    if (r < 0) return unipc_error_print("receive signal", r);
    if (r == SIGHUP) printf("SIGHUP: the configuration would be read anew\n");
    if (r == SIGTERM) {
      printf("SIGTERM: the end\n");
      return 0;
    }
  }
}

int main(void) {
  const int wanted[] = {SIGHUP, SIGTERM};
  unipc_signals_options options = UNIPC_SIGNALS_OPTIONS_INIT;
  options.block = 1;
  unipc_signals *signals;
  int r = unipc_signals_open(wanted, 2, &options, &signals);
  if (r < 0) return unipc_error_print("signals", r);
  pid_t parent = getpid(), pid = example_fork();
  if (pid == 0) {
    r = unipc_signal_send(parent, SIGHUP);
    if (r == 0) r = unipc_signal_send(parent, SIGTERM);
    example_exit(r < 0 ? unipc_error_print("send signal", r) : 0);
  }
  int failed = pid < 0 || work(signals);
  unipc_signals_close(signals);
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  printf("The mask is %s\n", sigismember(&mask, SIGHUP) || sigismember(&mask, SIGTERM) ? "changed" : "what it was");
  return (pid > 0 && example_wait(pid)) || failed;
}
