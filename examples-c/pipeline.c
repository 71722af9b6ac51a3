/* A pipeline as a shell makes it: each program reads what the one before it writes, and every one's status is known. A program that does
 * not exist is a stage with status 127, and no second parent that goes on with this program's code.
 *
 * Run:     pipeline
 * Prints:  A B C, one a line, then the statuses of two pipelines
 */
#include "example.h"

static int run(const unipc_command *const *commands, size_t count) {
  unipc_pipeline *pipeline;
  int statuses[4];
  fflush(stdout);
  int r = unipc_pipeline_spawn(commands, count, &pipeline);
  if (r < 0) return unipc_error_print("pipeline", r);
  int stages = unipc_pipeline_wait(pipeline, PATIENCE, statuses, 4);
  unipc_pipeline_close(pipeline);
  if (stages < 0) return unipc_error_print("wait", stages);
  printf("Statuses:");
  for (int i = 0; i < stages; i++) printf(" %d", statuses[i]);
  printf("\n");
  return 0;
}

static unipc_command command(const char *const *arguments) {
  unipc_command made = UNIPC_COMMAND_INIT;
  made.arguments = arguments;
  return made;
}

int main(void) {
  const char *const print[] = {"printf", "b\\na\\nc\\n", NULL}, *const sort[] = {"sort", NULL};
  const char *const upper[] = {"tr", "a-z", "A-Z", NULL}, *const missing[] = {"no-such-program-here", NULL};
  const char *const fails[] = {"sh", "-c", "cat; exit 3", NULL};
  unipc_command first = command(print), second = command(sort), third = command(upper);
  const unipc_command *good[] = {&first, &second, &third};
  unipc_command absent = command(missing), failing = command(fails);
  const unipc_command *bad[] = {&absent, &failing};
  return run(good, 3) || run(bad, 2);
}
