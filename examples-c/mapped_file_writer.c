/* Writes a text into a mapped file, for mapped_file_reader, and waits until it is on the disk. The file
 * outlives this program, and a restart of the machine.
 *
 * It gets its name after it was filled, so that no reader meets it empty. Other processes see a store at
 * once; the flush is for the disk.
 *
 * Run:     mapped_file_writer PATH
 * Prints:  nothing
 */
#include "example.h"

int main(int argc, char **argv) {
  static const char message[] = "Hello from mmap!";
  if (argc != 2) {
    fprintf(stderr, "usage: mapped_file_writer PATH\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 4096;
  options.unpublished = 1;
  unipc_memory *file;
  int r = unipc_memory_create_file(argv[1], &options, &file);
  if (r < 0) return unipc_error_print("mapped_file_writer", r);
  memcpy(unipc_memory_address(file), message, sizeof message); /* nobody else has it yet */
  r = unipc_memory_flush(file, 0, sizeof message, 0);
  if (r == 0) r = unipc_memory_publish(file);
  unipc_memory_close(file);
  return r < 0 ? unipc_error_print("mapped_file_writer", r) : 0;
}
