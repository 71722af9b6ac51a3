/* Reads the two lines that file_writer leaves. May be started first: it waits for the file, and for whole lines.
 *
 * Run:     file_reader PATH
 * Prints:  Read: Hello from writer!
 *          Read: Counter: 42
 */
#include "example.h"

#define LINES 2

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: file_reader PATH\n");
    return 2;
  }
  unipc_file_follower_options options = UNIPC_FILE_FOLLOWER_OPTIONS_INIT;
  options.wait_for_creator = PATIENCE;
  unipc_file_follower *file;
  int r = unipc_file_follower_open(argv[1], &options, &file);
  if (r < 0) return unipc_error_print("file_reader", r);
  ptrdiff_t length = 0;
  for (int i = 0; i < LINES && length >= 0; i++) {
    char line[128];
    length = unipc_file_follower_receive(file, line, sizeof line, PATIENCE, NULL);
    if (length >= 0) printf("Read: %.*s\n", (int)length, line);
  }
  unipc_file_follower_close(file);
  return length < 0 ? unipc_error_print("file_reader", (int)length) : 0;
}
