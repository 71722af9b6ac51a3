// unipc for C++17: event counters, timers, signals, processes. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_EVENT_HPP
#define UNIPC_EVENT_HPP

#include "basics.hpp"

#include <csignal>
#include <initializer_list>
#include <vector>

namespace unipc {

using eventfd_options = detail::sized<unipc_eventfd_options>;
using timer_options = detail::sized<unipc_timer_options>;
using signals_options = detail::sized<unipc_signals_options>;
using signal_info = detail::sized<unipc_signal_info>;
using signal_description = detail::sized<unipc_signal_description>;
using exit_status = detail::sized<unipc_exit_status>;

/// A counter that wakes. The sender writes its data and then adds; the receiver takes and then reads all the data there is.
class eventfd : public detail::handle<unipc_eventfd, unipc_eventfd_close> {
public:
  using handle::handle;

  static eventfd create(const eventfd_options &options, std::error_code &code) noexcept {
    unipc_eventfd *raw = nullptr;
    detail::succeeded(unipc_eventfd_create(&options, &raw), code);
    return eventfd(raw);
  }
  /// Takes the descriptor over on success only.
  static eventfd from_fd(int fd, std::error_code &code) noexcept {
    unipc_eventfd *raw = nullptr;
    detail::succeeded(unipc_eventfd_from_fd(fd, &raw), code);
    return eventfd(raw);
  }
  void add(std::uint64_t value, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_eventfd_add(raw_, value, limit.nanoseconds()), code);
  }
  /// What the counter had; 1 in semaphore mode.
  std::uint64_t take(timeout limit, std::error_code &code) noexcept {
    std::uint64_t value = 0;
    detail::succeeded(unipc_eventfd_take(raw_, limit.nanoseconds(), &value), code);
    return value;
  }
  /// What it has at this moment; nothing is taken.
  std::uint64_t value(std::error_code &code) const noexcept {
    std::uint64_t value = 0;
    detail::succeeded(unipc_eventfd_value(raw_, &value), code);
    return value;
  }
  /// Readable while the counter is not 0. It does not block, unless it was adopted so.
  int fd() const noexcept { return unipc_eventfd_fd(raw_); }
  /// The descriptor, now the caller's; the handle is gone.
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_eventfd_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }

#ifdef UNIPC_HPP_THROWS
  static eventfd create(const eventfd_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create(options, code); });
  }
  static eventfd from_fd(int fd) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, code); });
  }
  void add(std::uint64_t value = 1, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { add(value, limit, code); });
  }
  std::uint64_t take(timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return take(limit, code); });
  }
  std::uint64_t value() const {
    return detail::throwing([&](std::error_code &code) { return value(code); });
  }
  int into_fd() {
    return detail::throwing([&](std::error_code &code) { return into_fd(code); });
  }
#endif
};

/// When a timer will expire; zero is never.
struct timer_state {
  std::chrono::nanoseconds remaining{0};
  std::chrono::nanoseconds interval{0};
};

/// A timer that is a descriptor. Times that are not positive expire at once; an interval of zero is none.
class timer : public detail::handle<unipc_timer, unipc_timer_close> {
public:
  using handle::handle;

  static timer create(const timer_options &options, std::error_code &code) noexcept {
    unipc_timer *raw = nullptr;
    detail::succeeded(unipc_timer_create(&options, &raw), code);
    return timer(raw);
  }
  /// Takes the descriptor over on success only.
  static timer from_fd(int fd, std::error_code &code) noexcept {
    unipc_timer *raw = nullptr;
    detail::succeeded(unipc_timer_from_fd(fd, &raw), code);
    return timer(raw);
  }
  void set(std::chrono::nanoseconds first, std::chrono::nanoseconds interval, std::error_code &code) noexcept {
    detail::succeeded(unipc_timer_set(raw_, first.count(), interval.count()), code);
  }
  /// At a time that now() has given, or a later one.
  void set_at(std::chrono::nanoseconds at, std::chrono::nanoseconds interval, std::error_code &code) noexcept {
    detail::succeeded(unipc_timer_set_at(raw_, at.count(), interval.count()), code);
  }
  void cancel(std::error_code &code) noexcept { detail::succeeded(unipc_timer_cancel(raw_), code); }
  /// How many expirations there were since the last call.
  std::uint64_t wait(timeout limit, std::error_code &code) noexcept {
    std::uint64_t expirations = 0;
    detail::succeeded(unipc_timer_wait(raw_, limit.nanoseconds(), &expirations), code);
    return expirations;
  }
  timer_state state(std::error_code &code) const noexcept {
    std::int64_t remaining = 0, interval = 0;
    detail::succeeded(unipc_timer_state(raw_, &remaining, &interval), code);
    return {std::chrono::nanoseconds(remaining), std::chrono::nanoseconds(interval)};
  }
  /// The descriptor, now the caller's; the handle is gone.
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_timer_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }
  /// The time by its clock.
  std::chrono::nanoseconds now() const noexcept { return std::chrono::nanoseconds(unipc_timer_now(raw_)); }
  /// Readable while there is an expiration that nobody took.
  int fd() const noexcept { return unipc_timer_fd(raw_); }

#ifdef UNIPC_HPP_THROWS
  static timer create(const timer_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create(options, code); });
  }
  static timer from_fd(int fd) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, code); });
  }
  void set(std::chrono::nanoseconds first, std::chrono::nanoseconds interval = {}) {
    detail::throwing([&](std::error_code &code) { set(first, interval, code); });
  }
  void set_at(std::chrono::nanoseconds at, std::chrono::nanoseconds interval = {}) {
    detail::throwing([&](std::error_code &code) { set_at(at, interval, code); });
  }
  void cancel() {
    detail::throwing([&](std::error_code &code) { cancel(code); });
  }
  std::uint64_t wait(timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return wait(limit, code); });
  }
  timer_state state() const {
    return detail::throwing([&](std::error_code &code) { return state(code); });
  }
  int into_fd() {
    return detail::throwing([&](std::error_code &code) { return into_fd(code); });
  }
#endif
};

/// Signals that become something to read, by a handler or (options.block) a signalfd.
class signals : public detail::handle<unipc_signals, unipc_signals_close> {
public:
  using handle::handle;

  static signals open(std::initializer_list<int> numbers, const signals_options &options, std::error_code &code) noexcept {
    unipc_signals *raw = nullptr;
    detail::succeeded(unipc_signals_open(numbers.begin(), numbers.size(), &options, &raw), code);
    return signals(raw);
  }
  signal_info receive(timeout limit, std::error_code &code) noexcept {
    signal_info info;
    detail::succeeded(unipc_signals_receive(raw_, limit.nanoseconds(), &info), code);
    return info;
  }
  /// Readable while there is a signal to receive.
  int fd() const noexcept { return unipc_signals_fd(raw_); }

#ifdef UNIPC_HPP_THROWS
  static signals open(std::initializer_list<int> numbers, const signals_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(numbers, options, code); });
  }
  signal_info receive(timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return receive(limit, code); });
  }
#endif
};

/// Holds signals back in the thread that made it, until its end, in the same thread; so it does not travel.
class signal_block : public detail::handle<unipc_signal_block, unipc_signal_block_close> {
public:
  using handle::handle;

  static signal_block create(std::initializer_list<int> numbers, std::error_code &code) noexcept {
    unipc_signal_block *raw = nullptr;
    detail::succeeded(unipc_signal_block_create(numbers.begin(), numbers.size(), &raw), code);
    return signal_block(raw);
  }
#ifdef UNIPC_HPP_THROWS
  static signal_block create(std::initializer_list<int> numbers) {
    return detail::throwing([&](std::error_code &code) { return create(numbers, code); });
  }
#endif
};

/// Waits for one of these signals, which the caller has blocked (signal_block), without a handle.
inline signal_info take_signal(std::initializer_list<int> numbers, timeout limit, std::error_code &code) noexcept {
  signal_info info;
  detail::succeeded(unipc_signal_take(numbers.begin(), numbers.size(), limit.nanoseconds(), &info), code);
  return info;
}
inline void send_signal(int pid, int signal, std::error_code &code) noexcept { detail::succeeded(unipc_signal_send(pid, signal), code); }
/// To every process of a group; 0 is the caller's own.
inline void send_signal_to_group(int group, int signal, std::error_code &code) noexcept {
  detail::succeeded(unipc_signal_send_group(group, signal), code);
}
inline void send_signal_to_thread(int pid, int thread, int signal, std::error_code &code) noexcept {
  detail::succeeded(unipc_signal_send_thread(pid, thread, signal), code);
}
inline void send_signal_by_pidfd(int pidfd, int signal, std::error_code &code) noexcept {
  detail::succeeded(unipc_signal_send_pidfd(pidfd, signal), code);
}
/// With a value. Real-time signals queue.
inline void queue_signal(int pid, int signal, int value, std::error_code &code) noexcept {
  detail::succeeded(unipc_signal_queue(pid, signal, value), code);
}
inline void queue_signal_to_thread(int pid, int thread, int signal, int value, std::error_code &code) noexcept {
  detail::succeeded(unipc_signal_queue_thread(pid, thread, signal, value), code);
}
inline void queue_signal_by_pidfd(int pidfd, int signal, int value, std::error_code &code) noexcept {
  detail::succeeded(unipc_signal_queue_pidfd(pidfd, signal, value), code);
}
/// What a signal is. The texts live as long as the program.
inline signal_description describe_signal(int number, std::error_code &code) noexcept {
  signal_description found;
  detail::succeeded(unipc_signal_describe(number, &found), code);
  return found;
}
/// The number of "SIGTERM", "TERM", "term", "15", "SIGRTMIN+3".
inline int signal_number(const name &text, std::error_code &code) noexcept {
  return static_cast<int>(detail::count(unipc_signal_number(text.c_str()), code));
}

class command;

/// A process whose end can be waited for.
class process : public detail::handle<unipc_process, unipc_process_close> {
public:
  using handle::handle;

  static process open(int pid, std::error_code &code) noexcept {
    unipc_process *raw = nullptr;
    detail::succeeded(unipc_process_open(pid, &raw), code);
    return process(raw);
  }
  /// Takes the pidfd over on success only.
  static process from_fd(int fd, std::error_code &code) noexcept {
    unipc_process *raw = nullptr;
    detail::succeeded(unipc_process_from_fd(fd, &raw), code);
    return process(raw);
  }
  static process spawn(const unipc_command &command, std::error_code &code) noexcept {
    unipc_process *raw = nullptr;
    detail::succeeded(unipc_process_spawn(&command, &raw), code);
    return process(raw);
  }
  static process spawn(command &program, std::error_code &code) noexcept;
  static process spawn(command &&program, std::error_code &code) noexcept { return spawn(program, code); }
  int pid() const noexcept { return unipc_process_pid(raw_); }
  exit_status wait(timeout limit, std::error_code &code) noexcept {
    exit_status status;
    detail::succeeded(unipc_process_wait(raw_, limit.nanoseconds(), &status), code);
    return status;
  }
  void send_signal(int signal, std::error_code &code) noexcept { detail::succeeded(unipc_process_send_signal(raw_, signal), code); }
  /// The pidfd, now the caller's; the handle is gone. A child has to be waited for by the caller.
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_process_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }
  /// Readable when the process has ended.
  int fd() const noexcept { return unipc_process_fd(raw_); }

#ifdef UNIPC_HPP_THROWS
  static process open(int pid) {
    return detail::throwing([&](std::error_code &code) { return open(pid, code); });
  }
  static process from_fd(int fd) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, code); });
  }
  static process spawn(const unipc_command &command) {
    return detail::throwing([&](std::error_code &code) { return spawn(command, code); });
  }
  static process spawn(command &program) {
    return detail::throwing([&](std::error_code &code) { return spawn(program, code); });
  }
  static process spawn(command &&program) { return spawn(program); }
  exit_status wait(timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return wait(limit, code); });
  }
  void send_signal(int signal) {
    detail::throwing([&](std::error_code &code) { send_signal(signal, code); });
  }
  int into_fd() {
    return detail::throwing([&](std::error_code &code) { return into_fd(code); });
  }
#endif
};

/// A program to be started: its arguments, and the descriptors it gets. What it refers to must live until it was started.
class command : public detail::sized<unipc_command> {
public:
  command(std::initializer_list<const char *> words) : words_(words) { words_.push_back(nullptr); }
  /// The child's descriptor is a copy of this one; -1: /dev/null.
  command &fd(int child, int source) {
    fds_.push_back({child, source});
    return *this;
  }
  /// As the C functions take it; valid until the next change.
  const unipc_command &c() noexcept {
    arguments = words_.data();
    fds = fds_.data();
    fd_count = fds_.size();
    return *this;
  }

private:
  std::vector<const char *> words_;
  std::vector<unipc_child_fd> fds_;
};

inline process process::spawn(command &program, std::error_code &code) noexcept { return spawn(program.c(), code); }

/// Programs that run at the same time, each reading what the one before it writes.
class pipeline : public detail::handle<unipc_pipeline, unipc_pipeline_close> {
public:
  using handle::handle;

  static pipeline spawn(const unipc_command *const *commands, std::size_t count, std::error_code &code) noexcept {
    unipc_pipeline *raw = nullptr;
    detail::succeeded(unipc_pipeline_spawn(commands, count, &raw), code);
    return pipeline(raw);
  }
  /// How many stages there are, of which as many as there is room for tell how they have ended, as a shell does.
  std::size_t wait(int *statuses, std::size_t capacity, timeout limit, std::error_code &code) noexcept {
    return detail::count(unipc_pipeline_wait(raw_, limit.nanoseconds(), statuses, capacity), code);
  }
  void send_signal(int signal, std::error_code &code) noexcept { detail::succeeded(unipc_pipeline_send_signal(raw_, signal), code); }

#ifdef UNIPC_HPP_THROWS
  static pipeline spawn(std::initializer_list<command *> commands) {
    std::vector<const unipc_command *> raw;
    for (command *one : commands) raw.push_back(&one->c());
    return detail::throwing([&](std::error_code &code) { return spawn(raw.data(), raw.size(), code); });
  }
  std::vector<int> wait(timeout limit = forever) {
    std::vector<int> statuses(8);
    auto wait = [&](std::error_code &code) { return this->wait(statuses.data(), statuses.size(), limit, code); };
    std::size_t count = detail::throwing(wait);
    bool all = count <= statuses.size();
    statuses.resize(count);
    if (!all) detail::throwing(wait);  // they have ended: it does not wait again
    return statuses;
  }
  void send_signal(int signal) {
    detail::throwing([&](std::error_code &code) { send_signal(signal, code); });
  }
#endif
};

#ifdef UNIPC_HPP_THROWS
inline void send_signal(int pid, int signal) {
  detail::throwing([&](std::error_code &code) { send_signal(pid, signal, code); });
}
inline void queue_signal(int pid, int signal, int value) {
  detail::throwing([&](std::error_code &code) { queue_signal(pid, signal, value, code); });
}
inline signal_info take_signal(std::initializer_list<int> numbers, timeout limit = forever) {
  return detail::throwing([&](std::error_code &code) { return take_signal(numbers, limit, code); });
}
inline void send_signal_to_group(int group, int signal) {
  detail::throwing([&](std::error_code &code) { send_signal_to_group(group, signal, code); });
}
inline void send_signal_to_thread(int pid, int thread, int signal) {
  detail::throwing([&](std::error_code &code) { send_signal_to_thread(pid, thread, signal, code); });
}
inline void send_signal_by_pidfd(int pidfd, int signal) {
  detail::throwing([&](std::error_code &code) { send_signal_by_pidfd(pidfd, signal, code); });
}
inline void queue_signal_to_thread(int pid, int thread, int signal, int value) {
  detail::throwing([&](std::error_code &code) { queue_signal_to_thread(pid, thread, signal, value, code); });
}
inline void queue_signal_by_pidfd(int pidfd, int signal, int value) {
  detail::throwing([&](std::error_code &code) { queue_signal_by_pidfd(pidfd, signal, value, code); });
}
inline signal_description describe_signal(int number) {
  return detail::throwing([&](std::error_code &code) { return describe_signal(number, code); });
}
inline int signal_number(const name &text) {
  return detail::throwing([&](std::error_code &code) { return signal_number(text, code); });
}
#endif

}  // namespace unipc

#endif  // UNIPC_EVENT_HPP
