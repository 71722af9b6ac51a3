// Sends a message of a type to a System V message queue, for sysv_receiver. The message outlives this program.
//
// Both programs find the queue by the key of a file that they know.
//
// Run:     sysv_sender_cpp PATH [TYPE TEXT]    else type 1, "Hello World"
// Prints:  Sent: Hello World
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2 && argc != 4) throw std::invalid_argument("usage: sysv_sender_cpp PATH [TYPE TEXT]");
  long type = argc == 4 ? std::stol(argv[2]) : 1;
  std::string text = argc == 4 ? argv[3] : "Hello World";
  auto queue = unipc::sysv_queue::open_or_create(unipc::sysv_key(argv[1], 65));
  queue.send(text, type, example::patience);
  std::cout << "Sent: " << text << '\n';
} catch (const std::exception &error) {
  return example::report(error);
}
