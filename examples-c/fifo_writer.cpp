// Sends one message through a FIFO, once. Its partner is fifo_reader; either may start first, and creates
// the FIFO. The message ends with the stream.
//
// Run:     fifo_writer_cpp PATH
// Prints:  nothing
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::cerr << "usage: fifo_writer_cpp PATH\n";
    return 2;
  }
  auto writer = unipc::stream::open_or_create_fifo_writer(argv[1], example::patience);
  writer.write_all(std::string_view("Hello FIFO!"), example::patience);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
