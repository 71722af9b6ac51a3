// Receives a message of a type from a System V message queue, whatever came before it, and removes the queue.
//
// Run:     sysv_receiver_cpp PATH [TYPE] [--keep]    else type 1; --keep leaves the queue for others
// Prints:  Received: Hello World
#include "example.hpp"

#include <array>

int main(int argc, char **argv) try {
  bool keep = argc > 2 && std::string(argv[argc - 1]) == "--keep";
  int arguments = keep ? argc - 1 : argc;
  if (arguments != 2 && arguments != 3) throw std::invalid_argument("usage: sysv_receiver_cpp PATH [TYPE] [--keep]");
  long type = arguments == 3 ? std::stol(argv[2]) : 1;
  unipc::sysv_queue_options options;
  options.wait_for_creator = PATIENCE;
  auto queue = unipc::sysv_queue::open(unipc::sysv_key(argv[1], 65), options);
  std::array<char, 100> text;
  auto length = queue.receive(text, unipc::sysv_queue::which::type(type), example::patience);
  std::cout << "Received: " << std::string(text.data(), length) << '\n';
  if (!keep) queue.remove();
} catch (const std::exception &error) {
  return example::report(error);
}
