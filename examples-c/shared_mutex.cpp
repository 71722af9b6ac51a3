// Several processes count in shared memory under a mutex that lies beside the counter. Zero bytes are an
// unlocked mutex.
//
// With --kill-holder one more process dies while it holds the mutex, in the middle of a change. Whoever
// locks next is told, and restores the value from its backup; the death costs nothing.
//
// Run:     shared_mutex_cpp [--kill-holder] [PROCESSES INCREMENTS]
// Prints:  4 processes x 100000 increments = 400000, and how often a repair was needed
#include "example.hpp"

#include <optional>
#include <vector>

namespace {

struct counter {
  unipc::mutex lock;
  unipc::semaphore start; // nobody counts before all are there
  std::int64_t value;
  std::int64_t backup; // the value before the change that is under way
  std::int64_t repairs;
};

unipc::recovery_guard lock(counter &shared) {
  auto guard = shared.lock.lock_recover(example::patience);
  if (guard.needs_repair()) { // the last holder died
    shared.value = shared.backup;
    shared.repairs++;
    guard.mark_consistent();
  }
  return guard;
}

void work(counter &shared, long increments) {
  shared.start.wait(example::patience);
  for (long i = 0; i < increments; i++) {
    auto guard = lock(shared);
    shared.backup = shared.value;
    shared.value++;
  }
}

// Dies in the middle of a change.
void die_holding(counter &shared) {
  auto guard = lock(shared);
  shared.backup = shared.value;
  shared.value += 1000000;
  ::kill(getpid(), SIGKILL);
}

void run(bool kill_holder, long processes, long increments) {
  auto shared = unipc::shared<counter>::anonymous();
  std::optional<example::child> victim;
  if (kill_holder) victim.emplace([&] { die_holding(*shared); });
  std::vector<example::child> children;
  for (long i = 0; i < processes; i++) children.emplace_back([&] { work(*shared, increments); });
  for (long i = 0; i < processes; i++) shared->start.post();
  for (auto &child : children) child.wait();
  if (victim) victim->wait_killed();
  auto guard = lock(*shared); // repairs, if nobody came after the one that died
  std::cout << processes << " processes x " << increments << " increments = " << shared->value << '\n';
  if (kill_holder) std::cout << "Repairs after a killed holder: " << shared->repairs << '\n';
}

} // namespace

int main(int argc, char **argv) try {
  bool kill_holder = argc > 1 && std::string(argv[1]) == "--kill-holder";
  int rest = argc - kill_holder;
  long processes = rest == 3 ? example_number(argv[kill_holder + 1], 1, 64) : 4;
  long increments = rest == 3 ? example_number(argv[kill_holder + 2], 1, 10000000) : 100000;
  if ((rest != 1 && rest != 3) || processes < 0 || increments < 0) {
    std::cerr << "usage: shared_mutex_cpp [--kill-holder] [PROCESSES INCREMENTS]\n";
    return 2;
  }
  run(kill_holder, processes, increments);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
