// Receives one message through a FIFO, once, and removes the FIFO. Its partner is fifo_writer; either may
// start first. The message ends with the stream.
//
// Run:     fifo_reader_cpp PATH
// Prints:  Received: Hello FIFO!
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::cerr << "usage: fifo_reader_cpp PATH\n";
    return 2;
  }
  auto reader = unipc::stream::open_or_create_fifo_reader(argv[1], example::patience);
  std::cout << "Received: " << example::read_all(reader) << '\n';
  unipc::unlink_fifo(argv[1]);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
