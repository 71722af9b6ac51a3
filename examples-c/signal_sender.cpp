// Sends SIGINT, SIGUSR1 and SIGUSR2 to a process, by a pidfd: if it ends meanwhile, nobody else gets them.
//
// Run:     signal_sender_cpp PID
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2) throw std::invalid_argument("usage: signal_sender PID");
  auto process = unipc::process::open(std::stoi(argv[1]));
  for (int signal : {SIGINT, SIGUSR1, SIGUSR2}) process.send_signal(signal);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
