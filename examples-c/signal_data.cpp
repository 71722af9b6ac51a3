// Signals that carry a number, and who sent them. See signal_data.c.
//
// Run:     signal_data_cpp
// Prints:  Signal: 10 / Data: 42 / From the child: yes / Queued: 1 2 3 4 5
#include "example.hpp"

#include <vector>

int main() try {
  auto signals = unipc::signals::open({SIGUSR1, SIGRTMIN}); // before anybody can send them
  int parent = getpid();
  example::child child([&] {
    unipc::queue_signal(parent, SIGUSR1, 42);
    for (int value = 1; value <= 5; value++) unipc::queue_signal(parent, SIGRTMIN, value);
  });
  std::vector<int> queued;
  bool first = false;
  while (queued.size() < 5 || !first) {
    auto got = signals.receive(example::patience);
    if (got.signal == SIGUSR1) {
      bool from_child = got.has_sender == 1 && got.sender_pid != parent;
      std::cout << "Signal: " << got.signal << "\nData: " << got.value << "\nFrom the child: " << (from_child ? "yes" : "no") << '\n';
      first = true;
    } else {
      queued.push_back(got.value);
    }
  }
  std::cout << "Queued:";
  for (int value : queued) std::cout << ' ' << value;
  std::cout << '\n';
  child.wait();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
