// What the C++ examples need and what is not their lesson: children, errors, arguments. See example.h.
#ifndef EXAMPLE_HPP
#define EXAMPLE_HPP

#include "example.h"

#include <chrono>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <unipc.hpp>

namespace example {

// Nobody waits for ever for a peer that may have died.
inline constexpr std::chrono::seconds patience{20};

// Says on standard error what went wrong; 1, for main to return.
inline int report(const std::exception &error) {
  std::cerr << error.what() << '\n';
  return 1;
}

// A child process that runs a function. What the parent does not wait for, it ends: an exception leaves no
// process behind.
class child {
public:
  template <class Body> explicit child(Body body) : pid_(example_fork()) {
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid_ > 0) return;
    int status = 1;
    try {
      body();
      status = 0;
    } catch (const std::exception &error) {
      report(error);
    }
    example_exit(status);
  }
  child(child &&other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  child(const child &) = delete;
  child &operator=(const child &) = delete;
  ~child() {
    if (pid_ > 0) kill();
  }

  // Throws if it failed.
  void wait() {
    if (example_wait(std::exchange(pid_, 0)) != 0) throw std::runtime_error("a child process failed");
  }

  // Throws unless it was killed.
  void wait_killed() {
    int status = 0;
    if (waitpid(std::exchange(pid_, 0), &status, 0) < 0) {
      throw std::system_error(errno, std::generic_category(), "waitpid");
    }
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed) throw std::runtime_error("a child was to be killed, and was not");
  }

  // Ends it, and waits for that.
  void kill() {
    pid_t pid = std::exchange(pid_, 0);
    ::kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

private:
  pid_t pid_;
};

// Everything until the other side ends the stream, at most so many bytes.
inline std::string read_all(unipc::stream &stream, std::size_t most = 1 << 20) {
  std::string text;
  char piece[1024];
  while (std::size_t n = stream.read({piece, sizeof piece}, patience)) {
    if (text.size() + n > most) throw std::length_error("more than was agreed");
    text.append(piece, n);
  }
  return text;
}

// The next framed message. It throws if there is none.
inline std::string receive(unipc::framed &framed) {
  std::string message;
  if (!framed.receive_all(message, patience)) throw std::runtime_error("the other side has ended");
  return message;
}

// SIGTERM and SIGINT end every wait with std::errc::operation_canceled from now on.
inline void stop_on_signals() {
  int r = example_stop_on_signals();
  if (r < 0) throw unipc::error(unipc::code_of(r));
}

} // namespace example

#endif
