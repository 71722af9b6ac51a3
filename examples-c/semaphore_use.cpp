// Opens the semaphore that semaphore_init makes, waiting until it is there, and enters a critical section.
//
// Run:     semaphore_use_cpp NAME
// Prints:  In critical section
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::cerr << "usage: semaphore_use_cpp NAME\n";
    return 2;
  }
  unipc::posix_semaphore_options options;
  options.wait_for_creator = std::chrono::nanoseconds(example::patience).count();
  auto semaphore = unipc::posix_semaphore::open(argv[1], options);
  semaphore.wait(example::patience);
  std::cout << "In critical section" << std::endl;
  semaphore.post();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
