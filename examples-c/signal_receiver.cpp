// Signals as something to read. Its partner is signal_sender. See signal_receiver.c.
//
// Run:     signal_receiver_cpp                     ends with SIGUSR2
// Prints:  PID: ..., waiting for SIGUSR1...        and a line for each signal
#include "example.hpp"

int main() try {
  auto signals = unipc::signals::open({SIGINT, SIGUSR1, SIGUSR2});
  std::cout << "PID: " << getpid() << ", waiting for SIGUSR1..." << std::endl;
  for (;;) {
    auto got = signals.receive(example::patience);
    if (got.signal == SIGUSR2) break;
    if (got.signal == SIGUSR1) std::cout << "Received signal!" << std::endl;
    else std::cout << "Received signal: " << got.signal << std::endl;
  }
  std::cout << "Received SIGUSR2 as well\n";
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
