// flock: the writer has the file to itself, readers share it. The child cannot read half of what is written.
//
// The child opens the file itself: through the handle that it has inherited it would be the same holder as its
// parent, and would not wait.
//
// Run:     locked_write_cpp [PATH]
// Prints:  Locked write
#include "example.hpp"

#include <mutex>

namespace {

unipc::file_lock_options flock_options() {
  unipc::file_lock_options options;
  options.kind = UNIPC_FILE_LOCK_FLOCK;
  return options;
}

void read_shared(const char *path) {
  auto lock = unipc::file_lock::open(path, flock_options());
  lock.lock_shared({}, example::patience);
  char text[64];
  ssize_t length = pread(lock.fd(), text, sizeof text, 0);
  if (length < 0) throw std::system_error(errno, std::generic_category(), "read");
  std::cout << std::string_view(text, static_cast<std::size_t>(length)) << std::flush;
}

void write_text(int fd, std::string_view text) {
  if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::system_error(errno, std::generic_category(), "write");
  }
}

} // namespace

int main(int argc, char **argv) try {
  const char *path = example_path(argc, argv, "unipc-locked");
  auto lock = unipc::file_lock::open_or_create(path, flock_options());
  std::unique_lock held(lock);
  example::child child([&] { read_shared(path); });
  write_text(lock.fd(), "Locked ");
  write_text(lock.fd(), "write\n");
  held.unlock();
  child.wait();
  unlink(path);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
