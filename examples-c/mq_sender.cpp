// Sends a message to a POSIX message queue of the system's own size, for mq_receiver.
//
// Run:     mq_sender_cpp NAME
// Prints:  nothing
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2) throw std::invalid_argument("usage: mq_sender_cpp NAME");
  unipc::mq_options options;
  options.access = UNIPC_MQ_SEND;
  unipc::mq::open_or_create(argv[1], options).send(std::string("Hello via message queue!"), 0, example::patience);
} catch (const std::exception &error) {
  return example::report(error);
}
