// Shared memory for the data, a signal as the notification: the signal says "look", never "one more". See memory_and_signal.c.
//
// Run:     memory_and_signal_cpp
// Prints:  Received 100 values, the last is 100
#include "example.hpp"

#include <atomic>

namespace {
constexpr std::int64_t count = 100;
struct board {
  std::atomic<std::int64_t> written;
  std::int64_t values[count];
};
} // namespace

int main() try {
  auto signals = unipc::signals::open({SIGUSR1});
  auto memory = unipc::memory::anonymous(sizeof(board));
  auto *shared = static_cast<board *>(unipc_memory_address(memory.get()));
  int parent = getpid();
  example::child child([&] {
    for (std::int64_t i = 0; i < count; i++) {
      shared->values[i] = i + 1;
      shared->written.store(i + 1, std::memory_order_release);
      unipc::send_signal(parent, SIGUSR1);
    }
  });
  std::int64_t read = 0, last = 0;
  while (read < count) {
    signals.receive(example::patience);
    std::int64_t written = shared->written.load(std::memory_order_acquire);
    while (read < written) last = shared->values[read++];
  }
  std::cout << "Received " << read << " values, the last is " << last << '\n';
  child.wait(); // signals that come late find us listening
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
