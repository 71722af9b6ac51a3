// unipc for C++17: locks and semaphores. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_SYNC_HPP
#define UNIPC_SYNC_HPP

#include "basics.hpp"

namespace unipc {

template <class Raw, int (*Unlock)(Raw *), int (*Mark)(Raw *)>
class basic_recovery_guard;
/// Holds a mutex that was locked to recover.
using recovery_guard = basic_recovery_guard<unipc_mutex, unipc_mutex_unlock, unipc_mutex_mark_consistent>;
/// Holds a spinlock that was locked to recover.
using spinlock_recovery_guard = basic_recovery_guard<unipc_spinlock, unipc_spinlock_unlock, unipc_spinlock_mark_consistent>;
/// Holds a reader-writer lock that was locked to recover.
using rwlock_recovery_guard = basic_recovery_guard<unipc_rwlock, unipc_rwlock_unlock, unipc_rwlock_mark_consistent>;

/// A mutex in shared memory. Zero bytes are a valid, unlocked one; on the stack write `unipc::mutex m{};`. It is a standard Lockable and
/// TimedLockable: std::scoped_lock and std::unique_lock work. Every lock fails with std::errc::owner_dead, not holding it, when a
/// holder has died and nobody has repaired what it guards; lock_recover then gets it.
class mutex {
public:
  mutex() = default;
  mutex(const mutex &) = delete;
  mutex &operator=(const mutex &) = delete;

  /// For kinds other than the plain one, before anybody else sees it.
  void init(const mutex_options &options, std::error_code &code) noexcept { detail::succeeded(unipc_mutex_init(&raw_, &options), code); }
  void lock(timeout limit, std::error_code &code) noexcept { detail::succeeded(unipc_mutex_lock(&raw_, limit.nanoseconds()), code); }
  /// False without an error: somebody else holds it.
  bool try_lock(std::error_code &code) noexcept { return tried(unipc_mutex_try_lock(&raw_), code); }
  /// False without an error: the time ran out.
  bool try_lock_for(timeout limit, std::error_code &code) noexcept { return tried(unipc_mutex_lock(&raw_, limit.nanoseconds()), code); }
  /// Held, by the guard, whatever became of the last holder; an empty guard with an error.
  recovery_guard lock_recover(timeout limit, std::error_code &code) noexcept;
  /// By the holder, after the repair.
  void mark_consistent(std::error_code &code) noexcept { detail::succeeded(unipc_mutex_mark_consistent(&raw_), code); }
  void unlock(std::error_code &code) noexcept { detail::succeeded(unipc_mutex_unlock(&raw_), code); }
  /// By the holder; from anybody else it does nothing.
  void unlock() noexcept { unipc_mutex_unlock(&raw_); }
  unipc_mutex *get() noexcept { return &raw_; }

#ifdef UNIPC_HPP_THROWS
  void init(const mutex_options &options) {
    detail::throwing([&](std::error_code &code) { init(options, code); });
  }
  void lock(timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { lock(limit, code); });
  }
  bool try_lock() {
    return detail::throwing([&](std::error_code &code) { return try_lock(code); });
  }
  bool try_lock_for(timeout limit) {
    return detail::throwing([&](std::error_code &code) { return try_lock_for(limit, code); });
  }
  template <class Clock, class Duration>
  bool try_lock_until(const std::chrono::time_point<Clock, Duration> &moment) {
    do {  // a clock may be set back while this waits
      if (try_lock_for(moment - Clock::now())) return true;
    } while (Clock::now() < moment);
    return false;
  }
  recovery_guard lock_recover(timeout limit = forever);
  void mark_consistent() {
    detail::throwing([&](std::error_code &code) { mark_consistent(code); });
  }
#endif

private:
  static bool tried(int result, std::error_code &code) noexcept {
    code = result == -EAGAIN || result == -ETIMEDOUT ? std::error_code() : code_of(result);
    return result >= 0;
  }
  unipc_mutex raw_;
};

/// A held lock, of which it is known whether its last holder died.
template <class Raw, int (*Unlock)(Raw *), int (*Mark)(Raw *)>
class basic_recovery_guard {
public:
  basic_recovery_guard(basic_recovery_guard &&other) noexcept : held_(std::exchange(other.held_, nullptr)), repair_(other.repair_) {}
  basic_recovery_guard(const basic_recovery_guard &) = delete;
  basic_recovery_guard &operator=(const basic_recovery_guard &) = delete;
  ~basic_recovery_guard() { unlock(); }

  explicit operator bool() const noexcept { return held_ != nullptr; }
  /// The last holder died: what the lock guards may be half-written. Without mark_consistent the need stays for the next.
  bool needs_repair() const noexcept { return repair_; }
  void mark_consistent(std::error_code &code) noexcept {
    if (detail::succeeded(Mark(held_), code)) repair_ = false;
  }
  void unlock() noexcept {
    if (Raw *held = std::exchange(held_, nullptr)) Unlock(held);
  }
#ifdef UNIPC_HPP_THROWS
  void mark_consistent() {
    detail::throwing([&](std::error_code &code) { mark_consistent(code); });
  }
#endif

private:
  friend class mutex;
  friend class spinlock;
  friend class rwlock;
  basic_recovery_guard(Raw *held, bool repair) noexcept : held_(held), repair_(repair) {}
  Raw *held_;
  bool repair_;
};

inline recovery_guard mutex::lock_recover(timeout limit, std::error_code &code) noexcept {
  int result = unipc_mutex_lock_recover(&raw_, limit.nanoseconds());
  bool held = detail::succeeded(result, code);
  return recovery_guard(held ? &raw_ : nullptr, result == UNIPC_NEEDS_REPAIR);
}
#ifdef UNIPC_HPP_THROWS
inline recovery_guard mutex::lock_recover(timeout limit) {
  return detail::throwing([&](std::error_code &code) { return lock_recover(limit, code); });
}
#endif

namespace detail {
/// What the two semaphores have in common.
template <class Self>
class waits {
public:
  /// False without an error: there is no unit to take now.
  bool try_wait(std::error_code &code) noexcept {
    static_cast<Self *>(this)->take_now(code);
    return was_taken(code);
  }
  /// False without an error: the time ran out.
  bool wait_for(timeout limit, std::error_code &code) noexcept {
    static_cast<Self *>(this)->wait(limit, code);
    return was_taken(code);
  }

private:
  static bool was_taken(std::error_code &code) noexcept {
    if (code != std::errc::resource_unavailable_try_again && code != std::errc::timed_out) return !code;
    code.clear();
    return false;
  }

public:
#ifdef UNIPC_HPP_THROWS
  bool try_wait() {
    return throwing([&](std::error_code &code) { return try_wait(code); });
  }
  bool wait_for(timeout limit) {
    return throwing([&](std::error_code &code) { return wait_for(limit, code); });
  }
  void wait(timeout limit = forever) {
    throwing([&](std::error_code &code) { static_cast<Self *>(this)->wait(limit, code); });
  }
  void post() {
    throwing([&](std::error_code &code) { static_cast<Self *>(this)->post(code); });
  }
  int value() const {
    return throwing([&](std::error_code &code) { return static_cast<const Self *>(this)->value(code); });
  }
#endif
};
}  // namespace detail

/// A semaphore in shared memory. Zero bytes are a valid one of value 0.
class semaphore : public detail::waits<semaphore> {
public:
  semaphore() = default;
  semaphore(const semaphore &) = delete;
  semaphore &operator=(const semaphore &) = delete;
#ifdef UNIPC_HPP_THROWS
  using waits::post, waits::value, waits::wait;
  void init(const semaphore_options &options) {
    detail::throwing([&](std::error_code &code) { init(options, code); });
  }
#endif
  /// For a first value, or UNIPC_SEMAPHORE_RECOVER, before anybody else sees it.
  void init(const semaphore_options &options, std::error_code &code) noexcept {
    detail::succeeded(unipc_semaphore_init(&raw_, &options), code);
  }
  void wait(timeout limit, std::error_code &code) noexcept { detail::succeeded(unipc_semaphore_wait(&raw_, limit.nanoseconds()), code); }
  void post(std::error_code &code) noexcept { detail::succeeded(unipc_semaphore_post(&raw_), code); }
  int value(std::error_code &code) const noexcept { return static_cast<int>(detail::count(unipc_semaphore_value(&raw_), code)); }
  unipc_semaphore *get() noexcept { return &raw_; }

private:
  friend class detail::waits<semaphore>;
  void take_now(std::error_code &code) noexcept { detail::succeeded(unipc_semaphore_try_wait(&raw_), code); }
  unipc_semaphore raw_;
};

/// A named POSIX semaphore, the same object as sem_open's.
class posix_semaphore : public detail::handle<unipc_posix_semaphore, unipc_posix_semaphore_close>, public detail::waits<posix_semaphore> {
public:
  using handle::handle;
  using options_type = posix_semaphore_options;
#ifdef UNIPC_HPP_THROWS
  using waits::post, waits::value, waits::wait;
  static posix_semaphore create(const name &object, const options_type &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create(object, options, code); });
  }
  static posix_semaphore open(const name &object, const options_type &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(object, options, code); });
  }
  static posix_semaphore open_or_create(const name &object, const options_type &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create(object, options, code); });
  }
  static void unlink(const name &object) {
    detail::throwing([&](std::error_code &code) { unlink(object, code); });
  }
  static posix_semaphore_status status(const name &object) {
    return detail::throwing([&](std::error_code &code) { return status(object, code); });
  }
  static std::vector<std::string> list() {
    return detail::throwing([&](std::error_code &code) { return list(code); });
  }
#endif
  static posix_semaphore create(const name &object, const options_type &options, std::error_code &code) noexcept {
    return made(unipc_posix_semaphore_create, object, options, code);
  }
  static posix_semaphore open(const name &object, const options_type &options, std::error_code &code) noexcept {
    return made(unipc_posix_semaphore_open, object, options, code);
  }
  static posix_semaphore open_or_create(const name &object, const options_type &options, std::error_code &code) noexcept {
    return made(unipc_posix_semaphore_open_or_create, object, options, code);
  }
  static void unlink(const name &object, std::error_code &code) noexcept { detail::succeeded(unipc_posix_semaphore_unlink(object.c_str()), code); }
  /// What the semaphore of a name is like, whoever owns it.
  static posix_semaphore_status status(const name &object, std::error_code &code) noexcept {
    posix_semaphore_status found;
    detail::succeeded(unipc_posix_semaphore_get_status(object.c_str(), &found), code);
    return found;
  }
  /// The names of those that there are, everybody's, in their order.
  static std::vector<std::string> list(std::error_code &code) {
    std::vector<std::string> names;
    // Nothing may be thrown through the library: without memory the program ends.
    const auto note = [](const char *found, void *list) noexcept -> int {
      static_cast<std::vector<std::string> *>(list)->emplace_back(found);
      return 0;
    };
    detail::succeeded(unipc_posix_semaphore_list(note, &names), code);
    return names;
  }
  void wait(timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_posix_semaphore_wait(raw_, limit.nanoseconds()), code);
  }
  void post(std::error_code &code) noexcept { detail::succeeded(unipc_posix_semaphore_post(raw_), code); }
  int value(std::error_code &code) const noexcept { return static_cast<int>(detail::count(unipc_posix_semaphore_value(raw_), code)); }

private:
  friend class detail::waits<posix_semaphore>;
  void take_now(std::error_code &code) noexcept { detail::succeeded(unipc_posix_semaphore_try_wait(raw_), code); }
  template <class Make>
  static posix_semaphore made(Make make, const name &object, const options_type &options, std::error_code &code) noexcept {
    unipc_posix_semaphore *raw = nullptr;
    detail::succeeded(make(object.c_str(), &options, &raw), code);
    return posix_semaphore(raw);
  }
};

static_assert(std::is_standard_layout_v<mutex> && sizeof(mutex) == sizeof(unipc_mutex), "the same bytes as in C");
static_assert(std::is_standard_layout_v<semaphore> && sizeof(semaphore) == sizeof(unipc_semaphore), "the same bytes as in C");

}  // namespace unipc

#endif  // UNIPC_SYNC_HPP
