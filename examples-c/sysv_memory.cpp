// System V shared memory between two processes that know nothing of each other but a file: the key is made of
// it, as ftok does. The child writes, the parent reads after the child has ended.
//
// "temporary" removes the memory when its creator closes; the pages go with the last process. Without that it
// would stay until somebody removes it (ipcrm -m) or the machine restarts.
//
// Run:     sysv_memory_cpp [PATH]    a file that is made for the key, and removed
// Prints:  Parent read: Hello from child (System V)!
#include "example.hpp"

#include <fstream>

namespace {

// The file that a key is made of.
class key_file {
public:
  explicit key_file(const char *path) : path_(path) {
    if (!std::ofstream(path_)) throw std::runtime_error(path_ + ": cannot be made");
  }
  key_file(const key_file &) = delete;
  key_file &operator=(const key_file &) = delete;
  ~key_file() { unlink(path_.c_str()); }

  // The same file, the same key, in every process.
  std::int32_t key() const {
    std::int32_t key;
    int r = unipc_sysv_key(path_.c_str(), 'M', &key);
    if (r < 0) throw unipc::error(unipc::code_of(r));
    return key;
  }

private:
  std::string path_;
};

} // namespace

int main(int argc, char **argv) try {
  key_file file(example_path(argc, argv, "unipc-key"));
  unipc::memory_options options;
  options.size = 4096;
  options.temporary = 1;
  auto memory = unipc::memory::create_sysv(file.key(), options);
  example::child child([&] {
    auto ours = unipc::memory::open_sysv(file.key());
    ours.write(0, std::string_view("Hello from child (System V)!"));
  });
  child.wait();
  std::string message(100, '\0');
  memory.read(0, message);
  std::cout << "Parent read: " << message.c_str() << '\n'; // the rest of the memory is zero bytes
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
