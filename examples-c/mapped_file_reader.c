/* Reads the text that mapped_file_writer leaves in a file, without the right to write. May be started first.
 *
 * unipc_memory_read goes through the kernel: if somebody shortens the file meanwhile, it is an error, where a
 * load through the address would be SIGBUS.
 *
 * Run:     mapped_file_reader PATH
 * Prints:  Content: Hello from mmap!
 */
#include "example.h"

int main(int argc, char **argv) {
  char message[100];
  if (argc != 2) {
    fprintf(stderr, "usage: mapped_file_reader PATH\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof message;
  options.access = UNIPC_READ_ONLY;
  options.wait_for_creator = PATIENCE;
  unipc_memory *file;
  int r = unipc_memory_open_file(argv[1], &options, &file);
  if (r < 0) return unipc_error_print("mapped_file_reader", r);
  r = unipc_memory_read(file, 0, message, sizeof message);
  unipc_memory_close(file);
  if (r < 0) return unipc_error_print("read", r);
  message[sizeof message - 1] = '\0'; /* whatever stands in the file, it ends here */
  printf("Content: %s\n", message);
  return 0;
}
