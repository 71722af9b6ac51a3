// A named semaphore guards a counter in POSIX shared memory. Each process opens both by name, as unrelated
// programs would.
//
// Whoever reads takes the semaphore too: without it, nothing says which value it sees.
//
// Run:     guarded_counter_cpp [NAME]
// Prints:  4 processes x 100000 increments = 400000
#include "example.hpp"

#include <vector>

namespace {

constexpr int processes = 4, increments = 100000;

// A turn in the critical section.
class turn {
public:
  explicit turn(unipc::posix_semaphore &guard) : guard_(guard) { guard_.wait(example::patience); }
  turn(const turn &) = delete;
  turn &operator=(const turn &) = delete;
  ~turn() {
    std::error_code ignored; // the semaphore is there as long as this object, and its value is at most 1
    guard_.post(ignored);
  }

private:
  unipc::posix_semaphore &guard_;
};

void work(const std::string &name) {
  auto counter = unipc::shared<std::int64_t>::open(name);
  auto guard = unipc::posix_semaphore::open(name);
  for (int i = 0; i < increments; i++) {
    turn ours(guard);
    ++*counter;
  }
}

} // namespace

int main(int argc, char **argv) try {
  std::string name = example_name(argc, argv, "unipc-guarded");
  unipc::memory_options temporary;
  temporary.temporary = 1;
  unipc::posix_semaphore_options one;
  one.value = 1;
  one.temporary = 1;
  auto counter = unipc::shared<std::int64_t>::create(name, temporary);
  auto guard = unipc::posix_semaphore::create(name, one);

  std::vector<example::child> children;
  {
    turn held(guard); // nobody counts before all are there
    for (int i = 0; i < processes; i++) children.emplace_back([&] { work(name); });
  }
  for (auto &child : children) child.wait();
  turn ours(guard);
  std::cout << processes << " processes x " << increments << " increments = " << *counter << '\n';
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
