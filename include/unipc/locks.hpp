// unipc for C++17: the other locks in shared memory. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_LOCKS_HPP
#define UNIPC_LOCKS_HPP

#include "sync.hpp"

namespace unipc {

/// A spinlock in shared memory, for critical sections of a few instructions. Zero bytes are a valid, unlocked one. A standard Lockable: std::scoped_lock
/// works. Every lock fails with std::errc::owner_dead, not holding it, when a holder has died and nobody has repaired what it guards;
/// lock_recover then gets it. Locking again is std::errc::resource_deadlock_would_occur.
class spinlock {
public:
  spinlock() = default;
  spinlock(const spinlock &) = delete;
  spinlock &operator=(const spinlock &) = delete;

  /// For memory that is not zero, before anybody else sees it.
  void init(std::error_code &code) noexcept { detail::succeeded(unipc_spinlock_init(&raw_), code); }
  void lock(timeout limit, std::error_code &code) noexcept { detail::succeeded(unipc_spinlock_lock(&raw_, limit.nanoseconds()), code); }
  /// False without an error: somebody else holds it.
  bool try_lock(std::error_code &code) noexcept { return tried(0, code); }
  /// False without an error: the time ran out.
  bool try_lock_for(timeout limit, std::error_code &code) noexcept { return tried(limit.nanoseconds(), code); }
  /// Held, by the guard, whatever became of the last holder; an empty guard with an error.
  spinlock_recovery_guard lock_recover(timeout limit, std::error_code &code) noexcept {
    int result = unipc_spinlock_lock_recover(&raw_, limit.nanoseconds());
    bool held = detail::succeeded(result, code);
    return spinlock_recovery_guard(held ? &raw_ : nullptr, result == UNIPC_NEEDS_REPAIR);
  }
  /// By the holder, after the repair.
  void mark_consistent(std::error_code &code) noexcept { detail::succeeded(unipc_spinlock_mark_consistent(&raw_), code); }
  void unlock(std::error_code &code) noexcept { detail::succeeded(unipc_spinlock_unlock(&raw_), code); }
  /// By the holder; from anybody else it does nothing.
  void unlock() noexcept { unipc_spinlock_unlock(&raw_); }
  unipc_spinlock *get() noexcept { return &raw_; }

#ifdef UNIPC_HPP_THROWS
  void init() {
    detail::throwing([&](std::error_code &code) { init(code); });
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
  spinlock_recovery_guard lock_recover(timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return lock_recover(limit, code); });
  }
  void mark_consistent() {
    detail::throwing([&](std::error_code &code) { mark_consistent(code); });
  }
#endif

private:
  bool tried(std::int64_t limit, std::error_code &code) noexcept {
    int result = unipc_spinlock_lock(&raw_, limit);
    code = result == -EAGAIN || result == -ETIMEDOUT ? std::error_code() : code_of(result);
    return result >= 0;
  }
  unipc_spinlock raw_;
};

static_assert(std::is_standard_layout_v<spinlock> && sizeof(spinlock) == sizeof(unipc_spinlock), "the same bytes as in C");

}  // namespace unipc

#endif  // UNIPC_LOCKS_HPP
