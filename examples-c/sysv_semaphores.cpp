// A set of System V semaphores: a lock that comes back from a holder that was killed, and two things that are
// taken in one step, so that nobody holds the one and waits for the other.
//
// Run:     sysv_semaphores_cpp [PATH]    a file to make the key of; else the set has none
// Prints:  4 processes x 1000 increments = 4000, and what happened to the lock
#include "example.hpp"

#include <vector>

namespace {

using semaphores = unipc::sysv_semaphores;

constexpr int processes = 4, increments = 1000;
enum : std::uint16_t { lock, told, fork_, knife };

void count(semaphores &set, std::int64_t &counter) {
  for (int i = 0; i < increments; i++) {
    set.wait(lock, semaphores::undo, example::patience);
    ++counter;
    set.post(lock, semaphores::undo);
  }
}

void hold(semaphores &set) {
  set.wait(lock, semaphores::undo, example::patience);
  set.post(told); // this stays given
  for (;;) ::pause();
}

// Each begins with the other thing. Taken one after the other, this would not last long.
void eat(semaphores &set, std::uint16_t first, std::uint16_t second) {
  for (int i = 0; i < increments; i++) {
    set.operate({set.take(first, 1, set.undo), set.take(second, 1, set.undo)}, example::patience);
    set.operate({set.give(first, 1, set.undo), set.give(second, 1, set.undo)}, example::patience);
  }
}

void counting(semaphores &set) {
  auto counter = unipc::shared<std::int64_t>::anonymous();
  std::vector<example::child> children;
  for (int i = 0; i < processes; i++) children.emplace_back([&] { count(set, *counter); });
  for (auto &child : children) child.wait();
  std::cout << processes << " processes x " << increments << " increments = " << *counter << '\n';
}

void dying(semaphores &set) {
  example::child holder([&] { hold(set); });
  set.wait(told, 0, example::patience);
  if (set.try_wait(lock)) throw std::runtime_error("a lock that is held was taken");
  std::cout << "The lock is held\n";
  holder.kill();
  set.wait(lock, semaphores::undo, example::patience);
  std::cout << "Its holder was killed, and it came back\n";
  set.post(lock, semaphores::undo);
}

void dining(semaphores &set) {
  example::child other([&] { eat(set, knife, fork_); });
  eat(set, fork_, knife);
  other.wait();
  std::cout << "Two that take two things, each in its order, " << increments << " times: no deadlock\n";
}

} // namespace

int main(int argc, char **argv) try {
  std::vector<std::uint32_t> values{1, 0, 1, 1};
  unipc::sysv_semaphores_options options(values);
  options.temporary = 1;
  auto set = argc < 2 ? semaphores::create_private(options) : semaphores::create(unipc::sysv_key(argv[1], 1), options);
  counting(set);
  dying(set);
  dining(set);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
