/* A child whose standard input is a pipe: it sees what is written, and the end when the writer has closed. The child gets the reading end
 * alone, so it does not hold open what it waits for.
 *
 * Run:     child_stdin
 * Prints:  Child read: Hello from parent! / Child: the end
 */
#include "example.h"

int main(void) {
  unipc_stream *reader, *writer;
  int r = unipc_pipe_create(NULL, &reader, &writer);
  if (r < 0) return unipc_error_print("pipe", r);
  const char *arguments[] = {"sh", "-c", "while read -r line; do echo \"Child read: $line\"; done; echo 'Child: the end'", NULL};
  unipc_child_fd input = {0, unipc_stream_fd(reader)};
  unipc_command command = UNIPC_COMMAND_INIT;
  command.arguments = arguments, command.fds = &input, command.fd_count = 1;
  unipc_process *process;
  r = unipc_process_spawn(&command, &process);
  unipc_stream_close(reader);
  if (r == 0) r = unipc_stream_write_all(writer, "Hello from parent!\n", 19, PATIENCE, NULL);
  unipc_stream_close(writer); /* the child meets the end */
  unipc_exit_status status = UNIPC_EXIT_STATUS_INIT;
  if (r == 0) r = unipc_process_wait(process, PATIENCE, &status);
  unipc_process_close(process);
  return r < 0 ? unipc_error_print("child", r) : status.shell_status;
}
