// Receives a message from a POSIX message queue that somebody else makes, and removes the queue.
//
// receive_all sees to it that there is room for the largest message that the queue takes.
//
// Run:     mq_receiver_cpp NAME            before or after mq_sender
// Prints:  Received: Hello via message queue!
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2) throw std::invalid_argument("usage: mq_receiver_cpp NAME");
  unipc::mq_options options;
  options.access = UNIPC_MQ_RECEIVE;
  options.wait_for_creator = PATIENCE;
  auto queue = unipc::mq::open(argv[1], options);
  std::string message;
  queue.receive_all(message, example::patience);
  std::cout << "Received: " << message << '\n';
  unipc::mq::unlink(argv[1]);
} catch (const std::exception &error) {
  return example::report(error);
}
