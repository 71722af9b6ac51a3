// Leaves two lines in a regular file, for file_reader. The reader may be there already: it sees no file, or the
// whole of it. Who creates the file and then writes shows an empty one first, and then perhaps half a line.
//
// Run:     file_writer_cpp PATH
// Prints:  nothing
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::cerr << "usage: file_writer_cpp PATH\n";
    return 2;
  }
  unipc::file_replace(argv[1], "Hello from writer!\nCounter: " + std::to_string(42) + "\n");
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
