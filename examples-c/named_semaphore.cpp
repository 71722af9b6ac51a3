// A parent waits for its child's signal at a named semaphore that begins at 0.
//
// The name is new, so no older value can be in it, and it goes when the parent closes. The order of the
// lines is the program's, not the scheduler's, also when they go into a pipe: each is written out before the
// other process can know of it.
//
// Run:     named_semaphore_cpp [NAME]
// Prints:  Parent: waiting for signal...
//          Child: doing work...
//          Child: signaling parent
//          Parent: received signal!
#include "example.hpp"

#include <numeric>
#include <vector>

namespace {

void work() {
  std::vector<long> numbers(100000);
  std::iota(numbers.begin(), numbers.end(), 1L);
  long sum = std::accumulate(numbers.begin(), numbers.end(), 0L);
  if (sum == 0) throw std::logic_error("the work was in vain");
}

} // namespace

int main(int argc, char **argv) try {
  unipc::posix_semaphore_options options;
  options.temporary = 1;
  auto semaphore = unipc::posix_semaphore::create(example_name(argc, argv, "unipc-signal"), options);
  std::cout << "Parent: waiting for signal..." << std::endl;
  example::child child([&] {
    std::cout << "Child: doing work...\n";
    work();
    std::cout << "Child: signaling parent" << std::endl;
    semaphore.post();
  });
  semaphore.wait(example::patience); // a child that died would never post
  std::cout << "Parent: received signal!\n";
  child.wait();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
