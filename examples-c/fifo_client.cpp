// Sends one line from standard input to fifo_server. It may be started before the server: it waits for the
// FIFO and its reader.
//
// Run:     fifo_client_cpp PATH
// Prints:  Enter message:
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::cerr << "usage: fifo_client_cpp PATH\n";
    return 2;
  }
  std::string line;
  std::cout << "Enter message: " << std::flush;
  if (!std::getline(std::cin, line)) throw std::runtime_error("no message");

  unipc::fifo_options options;
  options.wait_for_creator = std::chrono::nanoseconds(example::patience).count();
  unipc::framed_options framing;
  framing.largest = 4092; // with its length, what goes out in one piece
  auto stream = unipc::stream::open_fifo_writer(argv[1], example::patience, options);
  auto server = unipc::framed::create(std::move(stream), framing);
  server.send(line, example::patience);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
