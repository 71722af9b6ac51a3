// A message waits in the kernel: it is received when the process that has sent it is gone.
//
// So it is with POSIX and with System V message queues. The queues outlive everybody, too; here they go when
// the parent closes them.
//
// Run:     message_outlives_sender_cpp [NAME]
// Prints:  The sender is gone
//          Received from the POSIX queue: I outlive my sender
//          Received from the System V queue: I outlive my sender
#include "example.hpp"

#include <array>

int main(int argc, char **argv) try {
  unipc::mq_options options;
  options.capacity = 1;
  options.largest = 64;
  options.temporary = 1;
  auto posix = unipc::mq::create(example_name(argc, argv, "unipc-left"), options);
  unipc::sysv_queue_options temporary;
  temporary.temporary = 1;
  auto sysv = unipc::sysv_queue::create_private(temporary);

  example::child child([&] {
    const std::string text = "I outlive my sender";
    posix.send(text, 0, example::patience);
    sysv.send(text, 1, example::patience);
  });
  child.wait();
  std::cout << "The sender is gone\n";

  using namespace std::chrono_literals;
  std::string text;
  posix.receive_all(text, 0s);
  std::cout << "Received from the POSIX queue: " << text << '\n';
  std::array<char, 64> room;
  auto length = sysv.receive(room, unipc::sysv_queue::which::any(), 0s);
  std::cout << "Received from the System V queue: " << std::string(room.data(), length) << '\n';
} catch (const std::exception &error) {
  return example::report(error);
}
