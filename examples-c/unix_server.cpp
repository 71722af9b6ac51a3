// A server on a Unix socket that serves one client after the other. Its partner is unix_client, in C or C++.
//
// A message ends when the client shuts its writing direction down; a client that says nothing gets no
// answer, and what goes wrong with one client is not the end of the server.
//
// Run:     unix_server_cpp PATH [--count N]    ends after N clients, or by SIGTERM, and removes the path
// Prints:  Received: ...                       for each message, which is answered by ACK
#include "example.hpp"

namespace {

void answer(unipc::stream client) {
  std::string message = example::read_all(client);
  if (message.empty()) return;
  std::cout << "Received: " << message << std::endl;
  client.write_all(std::string_view("ACK"), example::patience);
}

void serve(unipc::listener &listener, long count) {
  for (long served = 0; count == 0 || served < count; served++) {
    std::error_code code;
    auto client = listener.accept(unipc::forever, code);
    if (code == std::errc::operation_canceled) return; // SIGTERM
    if (code) throw unipc::error(code);
    try {
      answer(std::move(client));
    } catch (const std::exception &error) {
      example::report(error);
    }
  }
}

} // namespace

int main(int argc, char **argv) try {
  long count = argc > 1 ? example_count(argc, argv, 2) : -1;
  if (count < 0) {
    std::cerr << "usage: unix_server_cpp PATH [--count N]\n";
    return 2;
  }
  example::stop_on_signals();
  auto listener = unipc::listener::open_unix(argv[1]);
  serve(listener, count);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
