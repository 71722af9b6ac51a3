/* The end of children, and how they ended, by pidfds in one poll: whichever ends first is told of first, and no number can be mistaken for
 * another process's.
 *
 * Run:     process_exit
 * Prints:  first: exited with 0 / second: exited with 3 / third: killed by signal 9
 */
#include "example.h"

#include <poll.h>

static int start(const char *script, unipc_process **process) {
  const char *arguments[] = {"sh", "-c", script, NULL};
  unipc_command command = UNIPC_COMMAND_INIT;
  command.arguments = arguments;
  return unipc_process_spawn(&command, process);
}

int main(void) {
  const char *names[] = {"first", "second", "third"};
  const char *scripts[] = {"exit 0", "exit 3", "exec sleep 100"};
  unipc_process *processes[3] = {NULL, NULL, NULL};
  unipc_exit_status status[3] = {UNIPC_EXIT_STATUS_INIT, UNIPC_EXIT_STATUS_INIT, UNIPC_EXIT_STATUS_INIT};
  int r = 0;
  for (int i = 0; i < 3 && r == 0; i++) r = start(scripts[i], &processes[i]);
  for (int left = 3; r == 0 && left > 0;) {
    struct pollfd ended[3];
    for (int i = 0; i < 3; i++) {
      ended[i].fd = status[i].kind == UNIPC_EXIT_UNKNOWN ? unipc_process_fd(processes[i]) : -1;
      ended[i].events = POLLIN, ended[i].revents = 0;
    }
    if (poll(ended, 3, 20000) == 0) r = -ETIMEDOUT;
    for (int i = 0; i < 3 && r == 0; i++) {
      if (ended[i].revents == 0) continue;
      r = unipc_process_wait(processes[i], 0, &status[i]);
      left--;
    }
    if (r == 0 && left == 1) r = unipc_process_send_signal(processes[2], SIGKILL);
  }
  for (int i = 0; i < 3; i++) {
    if (r == 0 && status[i].kind == UNIPC_EXIT_CODE) printf("%s: exited with %d\n", names[i], status[i].value);
    if (r == 0 && status[i].kind == UNIPC_EXIT_SIGNAL) printf("%s: killed by signal %d\n", names[i], status[i].value);
    unipc_process_close(processes[i]);
  }
  return r < 0 ? unipc_error_print("process_exit", r) : 0;
}
