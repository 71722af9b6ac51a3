// A TCP server on the loopback interface, on purpose: what listens on every address is open to the network.
// Partner: tcp_client.
//
// Port 0 lets the system choose. A message ends when the client ends the stream.
//
// Run:     tcp_server_cpp PORT [--count N]     ends after N clients, or by SIGTERM
// Prints:  Port: ...                           once it listens
//          Message from client: ...            for each client
#include "example.hpp"

namespace {

void serve(unipc::listener &listener, long count) {
  for (long served = 0; count == 0 || served < count; served++) {
    std::error_code code;
    auto client = listener.accept(unipc::forever, code);
    if (code == std::errc::operation_canceled) return; // SIGTERM
    if (code) throw unipc::error(code);
    try {
      std::string message = example::read_all(client);
      std::cout << "Message from client: " << message << std::endl;
    } catch (const std::exception &error) {
      example::report(error); // its misfortune is not the server's
    }
  }
}

} // namespace

int main(int argc, char **argv) try {
  long port = argc > 1 ? example_number(argv[1], 0, 65535) : -1;
  long count = argc > 1 ? example_count(argc, argv, 2) : -1;
  if (port < 0 || count < 0) {
    std::cerr << "usage: tcp_server_cpp PORT [--count N]\n";
    return 2;
  }
  example::stop_on_signals();
  auto listener = unipc::listener::open_tcp("127.0.0.1", static_cast<std::uint32_t>(port));
  std::cout << "Port: " << listener.port() << std::endl;
  serve(listener, count);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
