// A child sends one message with a priority to its parent, through a POSIX message queue.
//
// The name goes when the parent closes. The child is waited for first: the message is in the queue, and not in
// the child.
//
// Run:     mq_parent_child_cpp [NAME]
// Prints:  Received (prio=1): Hello via message queue!
#include "example.hpp"

int main(int argc, char **argv) try {
  unipc::mq_options options;
  options.capacity = 10;
  options.largest = 256;
  options.temporary = 1;
  auto queue = unipc::mq::create(example_name(argc, argv, "unipc-queue"), options);
  example::child child([&] { queue.send(std::string("Hello via message queue!"), 1, example::patience); });
  child.wait();
  std::string message;
  unipc::message_info info;
  queue.receive_all(message, example::patience, &info);
  std::cout << "Received (prio=" << info.priority << "): " << message << '\n';
} catch (const std::exception &error) {
  return example::report(error);
}
