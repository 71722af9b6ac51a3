// unipc for C++17: locks on files; files replaced, appended to, followed. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_FILE_HPP
#define UNIPC_FILE_HPP

#include "basics.hpp"

namespace unipc {

using file_lock_options = detail::sized<unipc_file_lock_options>;
using file_lock_holder = detail::sized<unipc_file_lock_holder>;

/// The bytes that a lock is on; a length of 0 is all from the start, however the file grows.
struct lock_range {
  std::uint64_t start = 0;
  std::uint64_t length = 0;
};

/// A file, opened to be locked. It is a standard SharedLockable: std::scoped_lock, std::unique_lock and std::shared_lock lock the whole file.
class file_lock : public detail::handle<unipc_file_lock, unipc_file_lock_close> {
public:
  using handle::handle;

  static file_lock open(const name &path, const file_lock_options &options, std::error_code &code) noexcept {
    return made([&](unipc_file_lock **raw) { return unipc_file_lock_open(path.c_str(), &options, raw); }, code);
  }
  static file_lock open_or_create(const name &path, const file_lock_options &options, std::error_code &code) noexcept {
    return made([&](unipc_file_lock **raw) { return unipc_file_lock_open_or_create(path.c_str(), &options, raw); }, code);
  }
  /// The kind is UNIPC_FILE_LOCK_OFD, UNIPC_FILE_LOCK_FLOCK or UNIPC_FILE_LOCK_RECORD.
  static file_lock from_fd(int fd, std::uint32_t kind, std::error_code &code) noexcept {
    return made([&](unipc_file_lock **raw) { return unipc_file_lock_from_fd(fd, kind, raw); }, code);
  }

  void lock(lock_range range, timeout limit, std::error_code &code) noexcept { taken(UNIPC_FILE_LOCK_EXCLUSIVE, range, limit, code); }
  void lock_shared(lock_range range, timeout limit, std::error_code &code) noexcept { taken(UNIPC_FILE_LOCK_SHARED, range, limit, code); }
  /// False without an error: somebody else holds it, or the time ran out.
  bool try_lock(lock_range range, timeout limit, std::error_code &code) noexcept {
    return tried(UNIPC_FILE_LOCK_EXCLUSIVE, range, limit, code);
  }
  bool try_lock_shared(lock_range range, timeout limit, std::error_code &code) noexcept {
    return tried(UNIPC_FILE_LOCK_SHARED, range, limit, code);
  }
  /// From shared to exclusive. A flock lets others in between; see unipc_file_lock_upgrade.
  void upgrade(lock_range range, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_file_lock_upgrade(raw_, range.start, range.length, limit.nanoseconds()), code);
  }
  /// From exclusive to shared.
  void downgrade(lock_range range, std::error_code &code) noexcept {
    detail::succeeded(unipc_file_lock_downgrade(raw_, range.start, range.length), code);
  }
  void unlock(lock_range range, std::error_code &code) noexcept {
    detail::succeeded(unipc_file_lock_unlock(raw_, range.start, range.length), code);
  }
  void unlock() noexcept { unipc_file_lock_unlock(raw_, 0, 0); }
  void unlock_shared() noexcept { unlock(); }
  /// A lock of others that keeps this handle from locking, if there is one.
  std::optional<file_lock_holder> find_holder(std::uint32_t mode, lock_range range, std::error_code &code) const noexcept {
    file_lock_holder found;
    int result = unipc_file_lock_find_holder(raw_, mode, range.start, range.length, &found);
    return detail::succeeded(result, code) && result == 1 ? std::optional(found) : std::nullopt;
  }
  int fd() const noexcept { return unipc_file_lock_fd(raw_); }
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_file_lock_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }

#ifdef UNIPC_HPP_THROWS
  static file_lock open(const name &path, const file_lock_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(path, options, code); });
  }
  static file_lock open_or_create(const name &path, const file_lock_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create(path, options, code); });
  }
  static file_lock from_fd(int fd, std::uint32_t kind = UNIPC_FILE_LOCK_OFD) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, kind, code); });
  }
  void lock(lock_range range = {}, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { lock(range, limit, code); });
  }
  void lock_shared(lock_range range = {}, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { lock_shared(range, limit, code); });
  }
  bool try_lock(lock_range range = {}) {
    return detail::throwing([&](std::error_code &code) { return try_lock(range, std::chrono::nanoseconds::zero(), code); });
  }
  bool try_lock_shared(lock_range range = {}) {
    return detail::throwing([&](std::error_code &code) { return try_lock_shared(range, std::chrono::nanoseconds::zero(), code); });
  }
  bool try_lock_for(timeout limit) {
    return detail::throwing([&](std::error_code &code) { return try_lock({}, limit, code); });
  }
  bool try_lock_shared_for(timeout limit) {
    return detail::throwing([&](std::error_code &code) { return try_lock_shared({}, limit, code); });
  }
  void upgrade(lock_range range = {}, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { upgrade(range, limit, code); });
  }
  void downgrade(lock_range range = {}) {
    detail::throwing([&](std::error_code &code) { downgrade(range, code); });
  }
  void unlock(lock_range range) {
    detail::throwing([&](std::error_code &code) { unlock(range, code); });
  }
  std::optional<file_lock_holder> find_holder(std::uint32_t mode = UNIPC_FILE_LOCK_EXCLUSIVE, lock_range range = {}) const {
    return detail::throwing([&](std::error_code &code) { return find_holder(mode, range, code); });
  }
  int into_fd() {
    return detail::throwing([&](std::error_code &code) { return into_fd(code); });
  }
#endif

private:
  template <class Make>
  static file_lock made(Make make, std::error_code &code) noexcept {
    unipc_file_lock *raw = nullptr;
    detail::succeeded(make(&raw), code);
    return file_lock(raw);
  }
  void taken(std::uint32_t mode, lock_range range, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_file_lock_lock(raw_, mode, range.start, range.length, limit.nanoseconds()), code);
  }
  bool tried(std::uint32_t mode, lock_range range, timeout limit, std::error_code &code) noexcept {
    int result = unipc_file_lock_lock(raw_, mode, range.start, range.length, limit.nanoseconds());
    code = result == -EAGAIN || result == -ETIMEDOUT ? std::error_code() : code_of(result);
    return result >= 0;
  }
};

// ---- Files replaced, appended to, followed -----------------------------------------------------------------------------------------------

using file_replace_options = detail::sized<unipc_file_replace_options>;
using file_append_options = detail::sized<unipc_file_append_options>;
using file_follower_options = detail::sized<unipc_file_follower_options>;
using file_follower_info = detail::sized<unipc_file_follower_info>;

/// Replaces a file's content in one step, or makes the file. See unipc_file_replace.
inline void file_replace(const name &path, bytes data, const file_replace_options &options, std::error_code &code) noexcept {
  detail::succeeded(unipc_file_replace(path.c_str(), data.data, data.length, &options), code);
}
/// Appends a record, which is a line. See unipc_file_append.
inline void file_append(const name &path, bytes record, const file_append_options &options, timeout limit, std::error_code &code) noexcept {
  detail::succeeded(unipc_file_append(path.c_str(), record.data, record.length, &options, limit.nanoseconds()), code);
}

/// Receives the records that are appended to a file: whole lines, without the newline.
class file_follower : public detail::handle<unipc_file_follower, unipc_file_follower_close> {
public:
  using handle::handle;

  static file_follower open(const name &path, const file_follower_options &options, std::error_code &code) noexcept {
    unipc_file_follower *raw = nullptr;
    detail::succeeded(unipc_file_follower_open(path.c_str(), &options, &raw), code);
    return file_follower(raw);
  }
  /// The size of the next record. With an info also what happens to the file, which has no size.
  std::size_t receive(buffer into, timeout limit, std::error_code &code, file_follower_info *info = nullptr) noexcept {
    return detail::count(unipc_file_follower_receive(raw_, into.data, into.length, limit.nanoseconds(), info), code);
  }
  /// Replaces the contents of a std::string or std::vector by the next record. With an info also what happens to the file, which leaves them empty.
  template <class Container>
  void receive_all(Container &record, timeout limit, std::error_code &code, file_follower_info *info = nullptr) {
    detail::countdown countdown(limit);
    file_follower_info found;
    std::size_t length = 0;
    record.resize(record.capacity());
    for (;;) {
      length = receive(record, countdown.rest(), code, &found);
      if (code == std::errc::message_size && found.size > record.size()) {
        record.resize(found.size);  // it is still there; what was passed over has no size
      } else if (code || info != nullptr || found.event == UNIPC_FILE_RECORD) {
        break;
      }
    }
    if (info != nullptr) *info = found;
    record.resize(length);
  }
  /// Readable until a call that does not wait finds nothing; receive every half second besides, for what it does not tell.
  int fd(std::error_code &code) const noexcept {
    int fd = unipc_file_follower_fd(raw_);
    detail::succeeded(fd, code);
    return fd;
  }

#ifdef UNIPC_HPP_THROWS
  static file_follower open(const name &path, const file_follower_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(path, options, code); });
  }
  std::size_t receive(buffer into, timeout limit = forever, file_follower_info *info = nullptr) {
    return detail::throwing([&](std::error_code &code) { return receive(into, limit, code, info); });
  }
  template <class Container>
  void receive_all(Container &record, timeout limit = forever, file_follower_info *info = nullptr) {
    detail::throwing([&](std::error_code &code) { receive_all(record, limit, code, info); });
  }
  int fd() const {
    return detail::throwing([&](std::error_code &code) { return fd(code); });
  }
#endif
};

#ifdef UNIPC_HPP_THROWS
inline void file_replace(const name &path, bytes data, const file_replace_options &options = {}) {
  detail::throwing([&](std::error_code &code) { file_replace(path, data, options, code); });
}
inline void file_append(const name &path, bytes record, const file_append_options &options = {}, timeout limit = forever) {
  detail::throwing([&](std::error_code &code) { file_append(path, record, options, limit, code); });
}
#endif

}  // namespace unipc

#endif  // UNIPC_FILE_HPP
