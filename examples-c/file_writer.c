/* Leaves two lines in a regular file, for file_reader. The reader may be there already: it sees no file, or the
 * whole of it. Who creates the file and then writes shows an empty one first, and then perhaps half a line.
 *
 * Run:     file_writer PATH
 * Prints:  nothing
 */
#include "example.h"

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: file_writer PATH\n");
    return 2;
  }
  char text[64];
  int length = snprintf(text, sizeof text, "Hello from writer!\nCounter: %d\n", 42);
  int r = unipc_file_replace(argv[1], text, (size_t)length, NULL);
  return r < 0 ? unipc_error_print("file_writer", r) : 0;
}
