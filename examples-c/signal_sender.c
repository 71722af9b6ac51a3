/* Sends SIGINT, SIGUSR1 and SIGUSR2 to a process, by a pidfd: if the process ends meanwhile, nobody else gets them.
 *
 * Run:     signal_sender PID
 */
#include "example.h"

int main(int argc, char **argv) {
  long pid = argc == 2 ? example_number(argv[1], 1, 1 << 30) : -1;
  if (pid < 0) {
    fprintf(stderr, "usage: signal_sender PID\n");
    return 2;
  }
  unipc_process *process;
  int r = unipc_process_open((int)pid, &process);
  if (r < 0) return unipc_error_print("open process", r);
  const int signals[] = {SIGINT, SIGUSR1, SIGUSR2};
  for (size_t i = 0; i < 3 && r == 0; i++) r = unipc_process_send_signal(process, signals[i]);
  unipc_process_close(process);
  return r < 0 ? unipc_error_print("send signal", r) : 0;
}
