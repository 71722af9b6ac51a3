// A privileged side opens files that the worker may not open, and sends it the open descriptors: several at once.
//
// The worker has given up its rights (with root it becomes user 65534, else the files have lost all permissions).
// What it was sent works all the same: rights are looked at when a file is opened.
//
// Run:     descriptor_passing_cpp [PREFIX]
// Prints:  that the worker may not open the files, and what it reads from them
#include "example.hpp"

#include <array>

#include <fcntl.h>
#include <sys/stat.h>

constexpr uid_t unprivileged = 65534;

// A file that nobody may open, open.
class secret {
public:
  secret(const std::string &path, const std::string &text) : path_(path) {
    fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd_ < 0 || write(fd_, text.data(), text.size()) < 0 || lseek(fd_, 0, SEEK_SET) < 0 || fchmod(fd_, 0) < 0) {
      throw std::system_error(errno, std::generic_category(), path);
    }
  }
  secret(const secret &) = delete;
  secret &operator=(const secret &) = delete;
  ~secret() {
    close(fd_);
    unlink(path_.c_str());
  }
  int fd() const { return fd_; }

private:
  std::string path_;
  int fd_;
};

static void work(unipc::stream &privileged, const std::string &path) {
  if (geteuid() == 0 && (setgid(unprivileged) < 0 || setuid(unprivileged) < 0)) {
    throw std::system_error(errno, std::generic_category(), "setuid");
  }
  int own = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::cout << "Worker opens the file itself: " << (own < 0 ? strerror(errno) : "it may") << '\n';
  std::array<char, 16> label;
  std::array<int, 2> fds;
  std::size_t count = 0;
  std::size_t n = privileged.receive_fds(label, fds.data(), fds.size(), count, example::patience);
  std::cout << "Worker was sent " << count << " files with " << n << " bytes: " << std::string(label.data(), n) << '\n';
  for (std::size_t i = 0; i < count; i++) {
    std::array<char, 100> text;
    ssize_t length = read(fds[i], text.data(), text.size());
    close(fds[i]);
    std::cout << "Worker reads: " << std::string(text.data(), length < 0 ? 0 : static_cast<std::size_t>(length)) << '\n';
  }
}

int main(int argc, char **argv) try {
  std::string path = example_path(argc, argv, "unipc-descriptors");
  secret first(path + ".1", "secret 1"), second(path + ".2", "secret 2");
  auto [ours, theirs] = unipc::socketpair();
  auto &privileged = theirs;
  example::child child([&] {
    close(first.fd()); // it gets them through the socket alone
    close(second.fd());
    work(privileged, path + ".1");
  });
  const int fds[] = {first.fd(), second.fd()};
  ours.send_fds(std::string_view("files"), fds, 2, example::patience);
  child.wait();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
