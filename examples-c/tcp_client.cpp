// Sends a message to tcp_server over the loopback interface. The message ends with the stream.
//
// Run:     tcp_client_cpp PORT [MESSAGE]
// Prints:  nothing
#include "example.hpp"

int main(int argc, char **argv) try {
  long port = argc == 2 || argc == 3 ? example_number(argv[1], 1, 65535) : -1;
  if (port < 0) {
    std::cerr << "usage: tcp_client_cpp PORT [MESSAGE]\n";
    return 2;
  }
  std::string message = argc == 3 ? argv[2] : "Hello from the client!";
  unipc::tcp_options options;
  options.wait_for_listener = 1;
  auto number = static_cast<std::uint32_t>(port);
  auto server = unipc::stream::connect_tcp("127.0.0.1", number, example::patience, options);
  server.write_all(message, example::patience);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
