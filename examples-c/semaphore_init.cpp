// Makes a named semaphore of value 1 for semaphore_use, and removes it at the end of its time.
//
// It is made exclusively: one that exists may be in use, and its value is not ours to assume.
//
// Run:     semaphore_init_cpp NAME             makes it
//          semaphore_init_cpp NAME --remove    removes it
// Prints:  nothing
#include "example.hpp"

int main(int argc, char **argv) try {
  bool removes = argc == 3 && std::string(argv[2]) == "--remove";
  if (argc != 2 && !removes) {
    std::cerr << "usage: semaphore_init_cpp NAME [--remove]\n";
    return 2;
  }
  if (removes) {
    unipc::posix_semaphore::unlink(argv[1]);
    return 0;
  }
  unipc::posix_semaphore_options options;
  options.value = 1;
  unipc::posix_semaphore::create(argv[1], options); // the name stays
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
