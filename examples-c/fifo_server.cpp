// A server that reads messages from a FIFO, from one client after the other. Its partner is fifo_client, in
// C or C++.
//
// keep_open makes the server hold a writing end itself: the stream does not end when a client leaves, so
// nothing is lost between two clients. Messages are framed; one of at most 4092 bytes goes out with its
// length in one piece of PIPE_BUF bytes, which the kernel never mixes with another client's.
//
// Run:     fifo_server_cpp PATH [--count N]    ends after N messages, or by SIGTERM, and removes the FIFO
// Prints:  Received: ...                       for each message
#include "example.hpp"

namespace {

void serve(unipc::framed &clients, long count) {
  std::string message;
  for (long served = 0; count == 0 || served < count; served++) {
    std::error_code code;
    clients.receive_all(message, unipc::forever, code);
    if (code == std::errc::operation_canceled) return; // SIGTERM
    if (code) throw unipc::error(code);
    std::cout << "Received: " << message << std::endl;
  }
}

} // namespace

int main(int argc, char **argv) try {
  long count = argc > 1 ? example_count(argc, argv, 2) : -1;
  if (count < 0) {
    std::cerr << "usage: fifo_server_cpp PATH [--count N]\n";
    return 2;
  }
  example::stop_on_signals();
  unipc::fifo_options options;
  options.keep_open = 1;
  unipc::framed_options framing;
  framing.largest = 4092;
  auto stream = unipc::stream::open_or_create_fifo_reader(argv[1], std::chrono::seconds(0), options);
  auto clients = unipc::framed::create(std::move(stream), framing);
  serve(clients, count);
  unipc::unlink_fifo(argv[1]);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
