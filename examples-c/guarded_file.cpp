// A named semaphore guards a counter in a mapped file. Each process opens both by name, as unrelated programs
// would, and flushes before it lets the next one in: what is on the disk is never ahead of what was counted.
//
// A holder that is killed keeps the semaphore for ever; where that matters, a mutex in the memory tells the next
// one.
//
// Run:     guarded_file_cpp [PATH]    the name of the semaphore is the last part of PATH
// Prints:  4 processes x 250 increments = 1000, in the file: 1000
#include "example.hpp"

#include <fstream>
#include <vector>

namespace {

constexpr int processes = 4, increments = 250;

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

void work(const std::string &path, const std::string &name) {
  unipc::memory_options least;
  least.size = sizeof(std::int64_t);
  auto file = unipc::memory::open_file(path, least);
  auto guard = unipc::posix_semaphore::open(name);
  auto *counter = static_cast<std::int64_t *>(file.address());
  for (int i = 0; i < increments; i++) {
    turn ours(guard);
    ++*counter;
    file.flush(0, sizeof *counter);
  }
}

} // namespace

int main(int argc, char **argv) try {
  std::string path = example_path(argc, argv, "unipc-guarded");
  std::string name = path.substr(path.rfind('/') + 1);
  unipc::memory_options options;
  options.size = sizeof(std::int64_t);
  options.temporary = 1;
  unipc::posix_semaphore_options one;
  one.value = 1;
  one.temporary = 1;
  auto file = unipc::memory::create_file(path, options);
  auto guard = unipc::posix_semaphore::create(name, one);

  std::vector<example::child> children;
  for (int i = 0; i < processes; i++) children.emplace_back([&] { work(path, name); });
  for (auto &child : children) child.wait();

  std::int64_t stored = 0;
  std::ifstream plain(path, std::ios::binary); // a program that maps nothing reads the same
  plain.read(reinterpret_cast<char *>(&stored), sizeof stored);
  std::cout << processes << " processes x " << increments
            << " increments = " << *static_cast<std::int64_t *>(file.address()) << ", in the file: " << stored << '\n';
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
