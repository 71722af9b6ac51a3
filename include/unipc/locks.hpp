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
  bool try_lock(std::error_code &code) noexcept { return tried(unipc_spinlock_try_lock(&raw_), code); }
  /// False without an error: the time ran out.
  bool try_lock_for(timeout limit, std::error_code &code) noexcept {
    return tried(unipc_spinlock_lock(&raw_, limit.nanoseconds()), code);
  }
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
  static bool tried(int result, std::error_code &code) noexcept {
    code = result == -EAGAIN || result == -ETIMEDOUT ? std::error_code() : code_of(result);
    return result >= 0;
  }
  unipc_spinlock raw_;
};

static_assert(std::is_standard_layout_v<spinlock> && sizeof(spinlock) == sizeof(unipc_spinlock), "the same bytes as in C");

/// A reader-writer lock in shared memory. Zero bytes are a valid, unlocked one. A standard SharedLockable and SharedTimedLockable: std::shared_lock and
/// std::unique_lock work. A dead reader's share comes back; when a writer has died, every lock fails with std::errc::owner_dead, not holding it, until
/// lock_recover or lock_shared_recover has got the whole lock and marked it consistent. Locking again, a share too, is
/// std::errc::resource_deadlock_would_occur.
class rwlock {
public:
  rwlock() = default;
  rwlock(const rwlock &) = delete;
  rwlock &operator=(const rwlock &) = delete;

  /// For memory that is not zero, before anybody else sees it.
  void init(std::error_code &code) noexcept { detail::succeeded(unipc_rwlock_init(&raw_), code); }
  void lock(timeout limit, std::error_code &code) noexcept { detail::succeeded(unipc_rwlock_write_lock(&raw_, limit.nanoseconds()), code); }
  void lock_shared(timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_rwlock_read_lock(&raw_, limit.nanoseconds()), code);
  }
  /// False without an error: others hold it.
  bool try_lock(std::error_code &code) noexcept { return tried(unipc_rwlock_try_write_lock(&raw_), code); }
  bool try_lock_shared(std::error_code &code) noexcept { return tried(unipc_rwlock_try_read_lock(&raw_), code); }
  /// False without an error: the time ran out.
  bool try_lock_for(timeout limit, std::error_code &code) noexcept {
    return tried(unipc_rwlock_write_lock(&raw_, limit.nanoseconds()), code);
  }
  bool try_lock_shared_for(timeout limit, std::error_code &code) noexcept {
    return tried(unipc_rwlock_read_lock(&raw_, limit.nanoseconds()), code);
  }
  /// The whole lock, whatever became of the last writer; an empty guard with an error.
  rwlock_recovery_guard lock_recover(timeout limit, std::error_code &code) noexcept {
    return guarded(unipc_rwlock_write_lock_recover(&raw_, limit.nanoseconds()), code);
  }
  /// A share, or, if the guard needs repair, the whole lock; an empty guard with an error.
  rwlock_recovery_guard lock_shared_recover(timeout limit, std::error_code &code) noexcept {
    return guarded(unipc_rwlock_read_lock_recover(&raw_, limit.nanoseconds()), code);
  }
  /// By the holder of the whole lock, after the repair.
  void mark_consistent(std::error_code &code) noexcept { detail::succeeded(unipc_rwlock_mark_consistent(&raw_), code); }
  void unlock(std::error_code &code) noexcept { detail::succeeded(unipc_rwlock_unlock(&raw_), code); }
  /// By a holder; from anybody else it does nothing.
  void unlock() noexcept { unipc_rwlock_unlock(&raw_); }
  void unlock_shared() noexcept { unipc_rwlock_unlock(&raw_); }
  unipc_rwlock *get() noexcept { return &raw_; }

#ifdef UNIPC_HPP_THROWS
  void init() {
    detail::throwing([&](std::error_code &code) { init(code); });
  }
  void lock(timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { lock(limit, code); });
  }
  void lock_shared(timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { lock_shared(limit, code); });
  }
  bool try_lock() {
    return detail::throwing([&](std::error_code &code) { return try_lock(code); });
  }
  bool try_lock_shared() {
    return detail::throwing([&](std::error_code &code) { return try_lock_shared(code); });
  }
  bool try_lock_for(timeout limit) {
    return detail::throwing([&](std::error_code &code) { return try_lock_for(limit, code); });
  }
  bool try_lock_shared_for(timeout limit) {
    return detail::throwing([&](std::error_code &code) { return try_lock_shared_for(limit, code); });
  }
  template <class Clock, class Duration>
  bool try_lock_until(const std::chrono::time_point<Clock, Duration> &moment) {
    do {  // a clock may be set back while this waits
      if (try_lock_for(moment - Clock::now())) return true;
    } while (Clock::now() < moment);
    return false;
  }
  template <class Clock, class Duration>
  bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration> &moment) {
    do {
      if (try_lock_shared_for(moment - Clock::now())) return true;
    } while (Clock::now() < moment);
    return false;
  }
  rwlock_recovery_guard lock_recover(timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return lock_recover(limit, code); });
  }
  rwlock_recovery_guard lock_shared_recover(timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return lock_shared_recover(limit, code); });
  }
  void mark_consistent() {
    detail::throwing([&](std::error_code &code) { mark_consistent(code); });
  }
#endif

private:
  static bool tried(int result, std::error_code &code) noexcept {
    code = result == -EAGAIN || result == -ETIMEDOUT ? std::error_code() : code_of(result);
    return result >= 0;
  }
  rwlock_recovery_guard guarded(int result, std::error_code &code) noexcept {
    bool held = detail::succeeded(result, code);
    return rwlock_recovery_guard(held ? &raw_ : nullptr, result == UNIPC_NEEDS_REPAIR);
  }
  unipc_rwlock raw_;
};

/// Why a wait for a condition variable has ended without an error.
enum class wakeup {
  notified,     ///< or without a reason: look again
  needs_repair  ///< a holder of the mutex died: repair, and mark the mutex consistent
};

/// A condition variable in shared memory, used with a unipc::mutex beside it. Zero bytes are a valid one. Every wait ends with the mutex held, also by an
/// error. The order: lock, change, notify, unlock.
class condvar {
public:
  condvar() = default;
  condvar(const condvar &) = delete;
  condvar &operator=(const condvar &) = delete;

  /// For memory that is not zero, before anybody else sees it.
  void init(std::error_code &code) noexcept { detail::succeeded(unipc_condvar_init(&raw_), code); }
  /// The mutex is held by the caller, once. std::errc::timed_out when the time is over.
  wakeup wait(mutex &held, timeout limit, std::error_code &code) noexcept {
    return because(unipc_condvar_wait(&raw_, held.get(), limit.nanoseconds()), code);
  }
  /// Waits until the predicate is true, which is called with the mutex held and must not throw; one time for all sleeps together. It may be false after
  /// wakeup::needs_repair.
  template <class Predicate>
  wakeup wait(mutex &held, timeout limit, Predicate predicate, std::error_code &code) noexcept {
    return because(unipc_condvar_wait_while(&raw_, held.get(), is_not<Predicate>, &predicate, limit.nanoseconds()), code);
  }
  void notify_one(std::error_code &code) noexcept { detail::succeeded(unipc_condvar_notify_one(&raw_), code); }
  void notify_all(std::error_code &code) noexcept { detail::succeeded(unipc_condvar_notify_all(&raw_), code); }
  unipc_condvar *get() noexcept { return &raw_; }

#ifdef UNIPC_HPP_THROWS
  void init() {
    detail::throwing([&](std::error_code &code) { init(code); });
  }
  wakeup wait(mutex &held, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return wait(held, limit, code); });
  }
  template <class Predicate, std::enable_if_t<std::is_invocable_v<Predicate &>, int> = 0>
  wakeup wait(mutex &held, timeout limit, Predicate predicate) {
    return detail::throwing([&](std::error_code &code) { return wait(held, limit, predicate, code); });
  }
  void notify_one() {
    detail::throwing([&](std::error_code &code) { notify_one(code); });
  }
  void notify_all() {
    detail::throwing([&](std::error_code &code) { notify_all(code); });
  }
#endif

private:
  template <class Predicate>
  static int is_not(void *predicate) noexcept {
    return (*static_cast<Predicate *>(predicate))() ? 0 : 1;
  }
  static wakeup because(int result, std::error_code &code) noexcept {
    detail::succeeded(result, code);
    return result == UNIPC_NEEDS_REPAIR ? wakeup::needs_repair : wakeup::notified;
  }
  unipc_condvar raw_;
};

/// An event in shared memory: something has happened, and whoever waits for it goes on. Zero bytes are a valid one, of manual reset, that is not set.
class event {
public:
  event() = default;
  event(const event &) = delete;
  event &operator=(const event &) = delete;

  /// For automatic reset, or one that is set at first; before anybody else sees it.
  void init(const event_options &options, std::error_code &code) noexcept { detail::succeeded(unipc_event_init(&raw_, &options), code); }
  void set(std::error_code &code) noexcept { detail::succeeded(unipc_event_set(&raw_), code); }
  /// Whether it was set.
  bool reset(std::error_code &code) noexcept { return answered(unipc_event_reset(&raw_), code); }
  bool is_set(std::error_code &code) const noexcept { return answered(unipc_event_is_set(&raw_), code); }
  void wait(timeout limit, std::error_code &code) noexcept { detail::succeeded(unipc_event_wait(&raw_, limit.nanoseconds()), code); }
  /// False without an error: it is not set.
  bool try_wait(std::error_code &code) noexcept { return tried(unipc_event_try_wait(&raw_), code); }
  /// False without an error: the time ran out.
  bool wait_for(timeout limit, std::error_code &code) noexcept { return tried(unipc_event_wait(&raw_, limit.nanoseconds()), code); }
  unipc_event *get() noexcept { return &raw_; }

#ifdef UNIPC_HPP_THROWS
  void init(const event_options &options) {
    detail::throwing([&](std::error_code &code) { init(options, code); });
  }
  void set() {
    detail::throwing([&](std::error_code &code) { set(code); });
  }
  bool reset() {
    return detail::throwing([&](std::error_code &code) { return reset(code); });
  }
  bool is_set() const {
    return detail::throwing([&](std::error_code &code) { return is_set(code); });
  }
  void wait(timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { wait(limit, code); });
  }
  bool try_wait() {
    return detail::throwing([&](std::error_code &code) { return try_wait(code); });
  }
  bool wait_for(timeout limit) {
    return detail::throwing([&](std::error_code &code) { return wait_for(limit, code); });
  }
#endif

private:
  static bool answered(int result, std::error_code &code) noexcept { return detail::succeeded(result, code) && result == 1; }
  static bool tried(int result, std::error_code &code) noexcept {
    code = result == -EAGAIN || result == -ETIMEDOUT ? std::error_code() : code_of(result);
    return result >= 0;
  }
  unipc_event raw_;
};

/// A barrier in shared memory: nobody goes on before all parties have come. It must be initialised with their number. A party is a thread, from its join
/// or first wait until it leaves; one that dies breaks the barrier, and every wait fails with std::errc::owner_dead until reset.
class barrier {
public:
  barrier() = default;
  barrier(const barrier &) = delete;
  barrier &operator=(const barrier &) = delete;

  /// Before anybody else sees it.
  void init(std::uint32_t parties, std::error_code &code) noexcept { detail::succeeded(unipc_barrier_init(&raw_, parties), code); }
  void join(std::error_code &code) noexcept { detail::succeeded(unipc_barrier_join(&raw_), code); }
  void leave(std::error_code &code) noexcept { detail::succeeded(unipc_barrier_leave(&raw_), code); }
  /// True to the last to come.
  bool wait(timeout limit, std::error_code &code) noexcept { return answered(unipc_barrier_wait(&raw_, limit.nanoseconds()), code); }
  /// Whether it was broken.
  bool reset(std::error_code &code) noexcept { return answered(unipc_barrier_reset(&raw_), code); }
  bool is_broken(std::error_code &code) const noexcept { return answered(unipc_barrier_is_broken(&raw_), code); }
  unipc_barrier *get() noexcept { return &raw_; }

#ifdef UNIPC_HPP_THROWS
  void init(std::uint32_t parties) {
    detail::throwing([&](std::error_code &code) { init(parties, code); });
  }
  void join() {
    detail::throwing([&](std::error_code &code) { join(code); });
  }
  void leave() {
    detail::throwing([&](std::error_code &code) { leave(code); });
  }
  bool wait(timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return wait(limit, code); });
  }
  bool reset() {
    return detail::throwing([&](std::error_code &code) { return reset(code); });
  }
  bool is_broken() const {
    return detail::throwing([&](std::error_code &code) { return is_broken(code); });
  }
#endif

private:
  static bool answered(int result, std::error_code &code) noexcept { return detail::succeeded(result, code) && result == 1; }
  unipc_barrier raw_;
};

static_assert(std::is_standard_layout_v<rwlock> && sizeof(rwlock) == sizeof(unipc_rwlock), "the same bytes as in C");
static_assert(std::is_standard_layout_v<condvar> && sizeof(condvar) == sizeof(unipc_condvar), "the same bytes as in C");
static_assert(std::is_standard_layout_v<event> && sizeof(event) == sizeof(unipc_event), "the same bytes as in C");
static_assert(std::is_standard_layout_v<barrier> && sizeof(barrier) == sizeof(unipc_barrier), "the same bytes as in C");

}  // namespace unipc

#endif  // UNIPC_LOCKS_HPP
