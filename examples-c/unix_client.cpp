// Sends a message to unix_server and prints its answer. It waits for the server to listen, so it may be
// started first.
//
// Run:     unix_client_cpp PATH [MESSAGE]
// Prints:  Answer: ACK
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: unix_client_cpp PATH [MESSAGE]\n";
    return 2;
  }
  std::string message = argc == 3 ? argv[2] : "Hello from the client!";
  unipc::unix_connect_options options;
  options.wait_for_listener = 1;
  auto server = unipc::stream::connect_unix(argv[1], example::patience, options);
  server.write_all(message, example::patience);
  server.shutdown(UNIPC_SHUTDOWN_WRITE); // the message ends here
  std::cout << "Answer: " << example::read_all(server) << '\n';
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
