// unipc for C++17: System V semaphores, and futexes. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_SYSV_SEMAPHORES_HPP
#define UNIPC_SYSV_SEMAPHORES_HPP

#include "basics.hpp"

#include <atomic>
#include <initializer_list>
#include <vector>

namespace unipc {

using sysv_semaphores_status = detail::sized<unipc_sysv_semaphores_status>;

/// How a set is made and opened.
struct sysv_semaphores_options : detail::sized<unipc_sysv_semaphores_options> {
  constexpr sysv_semaphores_options() noexcept = default;
  /// So many semaphores, each with as many units at first.
  explicit sysv_semaphores_options(std::size_t semaphores, std::uint32_t units) noexcept {
    count = semaphores;
    value = units;
  }
  /// As many semaphores as values; these must live until the call.
  explicit sysv_semaphores_options(const std::vector<std::uint32_t> &units) noexcept {
    count = units.size();
    values = units.data();
  }
};

/// One of the operations that sysv_semaphores::operate does together.
using sysv_operation = unipc_sysv_operation;

/// A set of System V semaphores, of which one call takes and gives atomically, and whose units come back from the dead. The same object as semget's.
class sysv_semaphores : public detail::handle<unipc_sysv_semaphores, unipc_sysv_semaphores_close> {
public:
  using handle::handle;
  using options_type = sysv_semaphores_options;

  /// When the process ends, the kernel takes the change back.
  static constexpr std::uint32_t undo = UNIPC_SYSV_SEMAPHORES_UNDO;
  /// If this operation would have to wait, none waits.
  static constexpr std::uint32_t at_once = UNIPC_SYSV_SEMAPHORES_AT_ONCE;
  static constexpr sysv_operation take(std::uint16_t semaphore, std::int16_t units = 1, std::uint32_t flags = 0) noexcept {
    return {semaphore, static_cast<std::int16_t>(-units), flags};
  }
  static constexpr sysv_operation give(std::uint16_t semaphore, std::int16_t units = 1, std::uint32_t flags = 0) noexcept {
    return {semaphore, units, flags};
  }
  static constexpr sysv_operation zero(std::uint16_t semaphore, std::uint32_t flags = 0) noexcept { return {semaphore, 0, flags}; }

  static sysv_semaphores create(std::int32_t key, const options_type &options, std::error_code &code) noexcept {
    return made([&](unipc_sysv_semaphores **raw) { return unipc_sysv_semaphores_create(key, &options, raw); }, code);
  }
  static sysv_semaphores create_private(const options_type &options, std::error_code &code) noexcept {
    return made([&](unipc_sysv_semaphores **raw) { return unipc_sysv_semaphores_create_private(&options, raw); }, code);
  }
  static sysv_semaphores open(std::int32_t key, const options_type &options, std::error_code &code) noexcept {
    return made([&](unipc_sysv_semaphores **raw) { return unipc_sysv_semaphores_open(key, &options, raw); }, code);
  }
  static sysv_semaphores open_or_create(std::int32_t key, const options_type &options, std::error_code &code) noexcept {
    return made([&](unipc_sysv_semaphores **raw) { return unipc_sysv_semaphores_open_or_create(key, &options, raw); }, code);
  }
  static sysv_semaphores open_id(int id, const options_type &options, std::error_code &code) noexcept {
    return made([&](unipc_sysv_semaphores **raw) { return unipc_sysv_semaphores_open_id(id, &options, raw); }, code);
  }
  static void remove_key(std::int32_t key, std::error_code &code) noexcept {
    detail::succeeded(unipc_sysv_semaphores_remove_key(key), code);
  }

  void remove(std::error_code &code) noexcept { detail::succeeded(unipc_sysv_semaphores_remove(raw_), code); }
  int id() const noexcept { return unipc_sysv_semaphores_id(raw_); }
  /// How many semaphores it has.
  std::size_t count() const noexcept {
    int count = unipc_sysv_semaphores_count(raw_);
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  /// Takes a unit.
  void wait(unsigned semaphore, std::uint32_t flags, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_sysv_semaphores_wait(raw_, semaphore, flags, limit.nanoseconds()), code);
  }
  /// False without an error: there is no unit to take now.
  bool try_wait(unsigned semaphore, std::uint32_t flags, std::error_code &code) noexcept {
    int result = unipc_sysv_semaphores_try_wait(raw_, semaphore, flags);
    code = result == -EAGAIN ? std::error_code() : code_of(result);
    return result >= 0;
  }
  /// Gives a unit back.
  void post(unsigned semaphore, std::uint32_t flags, std::error_code &code) noexcept {
    detail::succeeded(unipc_sysv_semaphores_post(raw_, semaphore, flags), code);
  }
  /// Waits until there is no unit.
  void wait_zero(unsigned semaphore, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_sysv_semaphores_wait_zero(raw_, semaphore, limit.nanoseconds()), code);
  }
  /// All of them in one step, in their order, or none.
  void operate(const sysv_operation *operations, std::size_t count, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_sysv_semaphores_operate(raw_, operations, count, limit.nanoseconds()), code);
  }
  void operate(std::initializer_list<sysv_operation> operations, timeout limit, std::error_code &code) noexcept {
    operate(operations.begin(), operations.size(), limit, code);
  }
  int value(unsigned semaphore, std::error_code &code) const noexcept { return asked(unipc_sysv_semaphores_value, semaphore, code); }
  void set_value(unsigned semaphore, std::uint32_t value, std::error_code &code) noexcept {
    detail::succeeded(unipc_sysv_semaphores_set_value(raw_, semaphore, value), code);
  }
  std::vector<std::uint32_t> values(std::error_code &code) const {
    std::vector<std::uint32_t> found(raw_ ? count() : 0);
    detail::succeeded(unipc_sysv_semaphores_get_values(raw_, found.data(), found.size()), code);
    return found;
  }
  void set_values(const std::vector<std::uint32_t> &values, std::error_code &code) noexcept {
    detail::succeeded(unipc_sysv_semaphores_set_values(raw_, values.data(), values.size()), code);
  }
  int waiters(unsigned semaphore, std::error_code &code) const noexcept { return asked(unipc_sysv_semaphores_waiters, semaphore, code); }
  int waiters_for_zero(unsigned semaphore, std::error_code &code) const noexcept {
    return asked(unipc_sysv_semaphores_waiters_for_zero, semaphore, code);
  }
  int last_process(unsigned semaphore, std::error_code &code) const noexcept {
    return asked(unipc_sysv_semaphores_last_process, semaphore, code);
  }
  sysv_semaphores_status status(std::error_code &code) const noexcept {
    sysv_semaphores_status found;
    detail::succeeded(unipc_sysv_semaphores_get_status(raw_, &found), code);
    return found;
  }
  void set_mode(unsigned mode, std::error_code &code) noexcept { detail::succeeded(unipc_sysv_semaphores_set_mode(raw_, mode), code); }
  /// UINT32_MAX leaves the one or the other.
  void set_owner(std::uint32_t uid, std::uint32_t gid, std::error_code &code) noexcept {
    detail::succeeded(unipc_sysv_semaphores_set_owner(raw_, uid, gid), code);
  }

#ifdef UNIPC_HPP_THROWS
  static sysv_semaphores create(std::int32_t key, const options_type &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create(key, options, code); });
  }
  static sysv_semaphores create_private(const options_type &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create_private(options, code); });
  }
  static sysv_semaphores open(std::int32_t key, const options_type &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(key, options, code); });
  }
  static sysv_semaphores open_or_create(std::int32_t key, const options_type &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create(key, options, code); });
  }
  static sysv_semaphores open_id(int id, const options_type &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_id(id, options, code); });
  }
  static void remove_key(std::int32_t key) {
    detail::throwing([&](std::error_code &code) { remove_key(key, code); });
  }
  void remove() {
    detail::throwing([&](std::error_code &code) { remove(code); });
  }
  void wait(unsigned semaphore, std::uint32_t flags = 0, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { wait(semaphore, flags, limit, code); });
  }
  bool try_wait(unsigned semaphore, std::uint32_t flags = 0) {
    return detail::throwing([&](std::error_code &code) { return try_wait(semaphore, flags, code); });
  }
  void post(unsigned semaphore, std::uint32_t flags = 0) {
    detail::throwing([&](std::error_code &code) { post(semaphore, flags, code); });
  }
  void wait_zero(unsigned semaphore, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { wait_zero(semaphore, limit, code); });
  }
  void operate(std::initializer_list<sysv_operation> operations, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { operate(operations, limit, code); });
  }
  int value(unsigned semaphore) const {
    return detail::throwing([&](std::error_code &code) { return value(semaphore, code); });
  }
  void set_value(unsigned semaphore, std::uint32_t units) {
    detail::throwing([&](std::error_code &code) { set_value(semaphore, units, code); });
  }
  std::vector<std::uint32_t> values() const {
    return detail::throwing([&](std::error_code &code) { return values(code); });
  }
  void set_values(const std::vector<std::uint32_t> &units) {
    detail::throwing([&](std::error_code &code) { set_values(units, code); });
  }
  int waiters(unsigned semaphore) const {
    return detail::throwing([&](std::error_code &code) { return waiters(semaphore, code); });
  }
  int waiters_for_zero(unsigned semaphore) const {
    return detail::throwing([&](std::error_code &code) { return waiters_for_zero(semaphore, code); });
  }
  int last_process(unsigned semaphore) const {
    return detail::throwing([&](std::error_code &code) { return last_process(semaphore, code); });
  }
  sysv_semaphores_status status() const {
    return detail::throwing([&](std::error_code &code) { return status(code); });
  }
  void set_mode(unsigned mode) {
    detail::throwing([&](std::error_code &code) { set_mode(mode, code); });
  }
  void set_owner(std::uint32_t uid, std::uint32_t gid) {
    detail::throwing([&](std::error_code &code) { set_owner(uid, gid, code); });
  }
#endif

private:
  template <class Make>
  static sysv_semaphores made(Make make, std::error_code &code) noexcept {
    unipc_sysv_semaphores *raw = nullptr;
    detail::succeeded(make(&raw), code);
    return sysv_semaphores(raw);
  }
  template <class Ask>
  int asked(Ask ask, unsigned semaphore, std::error_code &code) const noexcept {
    return static_cast<int>(detail::count(ask(raw_, semaphore), code));
  }
};

/// Sleeps while the word is what is expected; may return for no reason, so look again in a loop.
inline void futex_wait(const std::atomic<std::uint32_t> &word, std::uint32_t expected, timeout limit, std::error_code &code) noexcept {
  detail::succeeded(unipc_futex_wait(&word, expected, limit.nanoseconds()), code);
}
/// Wakes up to count of those who sleep on the word, of any process; change it first. How many.
inline unsigned futex_wake(const std::atomic<std::uint32_t> &word, std::uint32_t count = 1) noexcept {
  return static_cast<unsigned>(unipc_futex_wake(&word, count));
}
/// Wakes some, and has others sleep on the other word. std::errc::resource_unavailable_try_again: the word is not what is expected.
inline unsigned futex_requeue(const std::atomic<std::uint32_t> &word, std::uint32_t expected, std::uint32_t wake,
                              const std::atomic<std::uint32_t> &other, std::uint32_t move, std::error_code &code) noexcept {
  return static_cast<unsigned>(detail::count(unipc_futex_requeue(&word, expected, wake, &other, move), code));
}
#ifdef UNIPC_HPP_THROWS
inline void futex_wait(const std::atomic<std::uint32_t> &word, std::uint32_t expected, timeout limit = forever) {
  detail::throwing([&](std::error_code &code) { futex_wait(word, expected, limit, code); });
}
inline unsigned futex_requeue(const std::atomic<std::uint32_t> &word, std::uint32_t expected, std::uint32_t wake,
                              const std::atomic<std::uint32_t> &other, std::uint32_t move) {
  return detail::throwing([&](std::error_code &code) { return futex_requeue(word, expected, wake, other, move, code); });
}
#endif

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t) && std::atomic<std::uint32_t>::is_always_lock_free,
              "the same bytes as in C");

}  // namespace unipc

#endif  // UNIPC_SYSV_SEMAPHORES_HPP
