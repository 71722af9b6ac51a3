// unipc for C++17: message queues. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_MESSAGE_HPP
#define UNIPC_MESSAGE_HPP

#include "basics.hpp"

namespace unipc {

using mq_options = detail::sized<unipc_mq_options>;
using mq_attributes = detail::sized<unipc_mq_attributes>;
using sysv_queue_options = detail::sized<unipc_sysv_queue_options>;
using sysv_queue_status = detail::sized<unipc_sysv_queue_status>;
using message_info = detail::sized<unipc_message_info>;

/// A POSIX message queue, the same object as mq_open's.
class mq : public detail::handle<unipc_mq, unipc_mq_close> {
public:
  using handle::handle;

  static mq create(const name &object, const mq_options &options, std::error_code &code) noexcept {
    return made([&](unipc_mq **raw) { return unipc_mq_create(object.c_str(), &options, raw); }, code);
  }
  static mq open(const name &object, const mq_options &options, std::error_code &code) noexcept {
    return made([&](unipc_mq **raw) { return unipc_mq_open(object.c_str(), &options, raw); }, code);
  }
  static mq open_or_create(const name &object, const mq_options &options, std::error_code &code) noexcept {
    return made([&](unipc_mq **raw) { return unipc_mq_open_or_create(object.c_str(), &options, raw); }, code);
  }
  static mq from_fd(int fd, std::error_code &code) noexcept {
    return made([&](unipc_mq **raw) { return unipc_mq_from_fd(fd, raw); }, code);
  }
  static void unlink(const name &object, std::error_code &code) noexcept { detail::succeeded(unipc_mq_unlink(object.c_str()), code); }

  void send(bytes message, unsigned priority, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_mq_send(raw_, message.data, message.length, priority, limit.nanoseconds()), code);
  }
  /// The length of the message. A buffer smaller than largest(): std::errc::message_size, and the message stays.
  std::size_t receive(buffer into, timeout limit, std::error_code &code, message_info *info = nullptr) noexcept {
    return detail::count(unipc_mq_receive(raw_, into.data, into.length, limit.nanoseconds(), info), code);
  }
  /// Replaces the contents of a std::string or std::vector by the next message.
  template <class Container>
  void receive_all(Container &message, timeout limit, std::error_code &code, message_info *info = nullptr) {
    message.resize(largest());
    message.resize(receive(message, limit, code, info));
  }
  /// The largest message, and so the smallest buffer.
  std::size_t largest() const noexcept { return unipc_mq_largest(raw_); }
  mq_attributes attributes(std::error_code &code) const noexcept {
    mq_attributes found;
    detail::succeeded(unipc_mq_get_attributes(raw_, &found), code);
    return found;
  }
  /// A signal, once, when a message comes into the empty queue.
  void notify_signal(int signal, std::intptr_t value, std::error_code &code) noexcept {
    detail::succeeded(unipc_mq_notify_signal(raw_, signal, value), code);
  }
  void cancel_notify(std::error_code &code) noexcept { detail::succeeded(unipc_mq_cancel_notify(raw_), code); }
  /// Readable while there is a message, writable while there is room.
  int fd() const noexcept { return unipc_mq_fd(raw_); }
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_mq_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }

#ifdef UNIPC_HPP_THROWS
  static mq create(const name &object, const mq_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create(object, options, code); });
  }
  static mq open(const name &object, const mq_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(object, options, code); });
  }
  static mq open_or_create(const name &object, const mq_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create(object, options, code); });
  }
  static mq from_fd(int fd) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, code); });
  }
  static void unlink(const name &object) {
    detail::throwing([&](std::error_code &code) { unlink(object, code); });
  }
  void send(bytes message, unsigned priority = 0, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { send(message, priority, limit, code); });
  }
  std::size_t receive(buffer into, timeout limit = forever, message_info *info = nullptr) {
    return detail::throwing([&](std::error_code &code) { return receive(into, limit, code, info); });
  }
  template <class Container>
  void receive_all(Container &message, timeout limit = forever, message_info *info = nullptr) {
    detail::throwing([&](std::error_code &code) { receive_all(message, limit, code, info); });
  }
  mq_attributes attributes() const {
    return detail::throwing([&](std::error_code &code) { return attributes(code); });
  }
  void notify_signal(int signal, std::intptr_t value = 0) {
    detail::throwing([&](std::error_code &code) { notify_signal(signal, value, code); });
  }
  void cancel_notify() {
    detail::throwing([&](std::error_code &code) { cancel_notify(code); });
  }
  int into_fd() {
    return detail::throwing([&](std::error_code &code) { return into_fd(code); });
  }
#endif

private:
  template <class Make>
  static mq made(Make make, std::error_code &code) noexcept {
    unipc_mq *raw = nullptr;
    detail::succeeded(make(&raw), code);
    return mq(raw);
  }
};

/// The key of a System V object that belongs to a file: the number that ftok gives. The id is from 1 to 255.
inline std::int32_t sysv_key(const name &path, int id, std::error_code &code) noexcept {
  std::int32_t key = 0;
  detail::succeeded(unipc_sysv_key(path.c_str(), id, &key), code);
  return key;
}
#ifdef UNIPC_HPP_THROWS
inline std::int32_t sysv_key(const name &path, int id) {
  return detail::throwing([&](std::error_code &code) { return sysv_key(path, id, code); });
}
#endif

/// A System V message queue: messages with a type, of which a receiver chooses. The same object as msgget's.
class sysv_queue : public detail::handle<unipc_sysv_queue, unipc_sysv_queue_close> {
public:
  using handle::handle;

  /// Which message to receive.
  class which {
  public:
    static which any() noexcept { return {0, 0}; }
    static which type(std::int64_t type) noexcept { return {type, 0}; }
    static which lowest_up_to(std::int64_t type) noexcept { return {-type, 0}; }
    static which all_but(std::int64_t type) noexcept { return {type, UNIPC_SYSV_QUEUE_EXCEPT}; }
    /// What does not fit into the buffer is to be lost.
    which cut() const noexcept { return {type_, flags_ | UNIPC_SYSV_QUEUE_CUT}; }

  private:
    friend class sysv_queue;
    which(std::int64_t type, unsigned flags) noexcept : type_(type), flags_(flags) {}
    std::int64_t type_;
    unsigned flags_;
  };

  static sysv_queue create(std::int32_t key, const sysv_queue_options &options, std::error_code &code) noexcept {
    return made([&](unipc_sysv_queue **raw) { return unipc_sysv_queue_create(key, &options, raw); }, code);
  }
  static sysv_queue create_private(const sysv_queue_options &options, std::error_code &code) noexcept {
    return made([&](unipc_sysv_queue **raw) { return unipc_sysv_queue_create_private(&options, raw); }, code);
  }
  static sysv_queue open(std::int32_t key, const sysv_queue_options &options, std::error_code &code) noexcept {
    return made([&](unipc_sysv_queue **raw) { return unipc_sysv_queue_open(key, &options, raw); }, code);
  }
  static sysv_queue open_or_create(std::int32_t key, const sysv_queue_options &options, std::error_code &code) noexcept {
    return made([&](unipc_sysv_queue **raw) { return unipc_sysv_queue_open_or_create(key, &options, raw); }, code);
  }
  static sysv_queue open_id(int id, const sysv_queue_options &options, std::error_code &code) noexcept {
    return made([&](unipc_sysv_queue **raw) { return unipc_sysv_queue_open_id(id, &options, raw); }, code);
  }
  static void remove_key(std::int32_t key, std::error_code &code) noexcept { detail::succeeded(unipc_sysv_queue_remove_key(key), code); }

  void remove(std::error_code &code) noexcept { detail::succeeded(unipc_sysv_queue_remove(raw_), code); }
  int id() const noexcept { return unipc_sysv_queue_id(raw_); }
  void send(bytes message, std::int64_t type, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_sysv_queue_send(raw_, message.data, message.length, type, limit.nanoseconds()), code);
  }
  /// The length of the message. A message larger than the buffer stays: std::errc::argument_list_too_long.
  std::size_t receive(buffer into, which wanted, timeout limit, std::error_code &code, message_info *info = nullptr) noexcept {
    auto result = unipc_sysv_queue_receive(raw_, wanted.type_, wanted.flags_, into.data, into.length, limit.nanoseconds(), info);
    return detail::count(result, code);
  }
  /// Replaces the contents of a std::string or std::vector by the next message.
  template <class Container>
  void receive_all(Container &message, which wanted, timeout limit, std::error_code &code, message_info *info = nullptr) {
    detail::countdown countdown(limit);
    message_info found;
    message.resize(message.capacity());
    std::size_t length = receive(message, wanted, limit, code, &found);
    while (code == std::errc::argument_list_too_long) {
      // The size is 0 where the kernel does not let us look, and where another has received the message since.
      auto size = static_cast<std::size_t>(found.size);
      message.resize(size > message.size() ? size : 2 * message.size() + 64);
      length = receive(message, wanted, countdown.rest(), code, &found);
    }
    if (info != nullptr) *info = found;
    message.resize(length);
  }
  sysv_queue_status status(std::error_code &code) const noexcept {
    sysv_queue_status found;
    detail::succeeded(unipc_sysv_queue_get_status(raw_, &found), code);
    return found;
  }
  void set_limit(std::size_t bytes, std::error_code &code) noexcept { detail::succeeded(unipc_sysv_queue_set_limit(raw_, bytes), code); }
  void set_mode(unsigned mode, std::error_code &code) noexcept { detail::succeeded(unipc_sysv_queue_set_mode(raw_, mode), code); }
  /// UINT32_MAX leaves the one or the other.
  void set_owner(std::uint32_t uid, std::uint32_t gid, std::error_code &code) noexcept {
    detail::succeeded(unipc_sysv_queue_set_owner(raw_, uid, gid), code);
  }

#ifdef UNIPC_HPP_THROWS
  static sysv_queue create(std::int32_t key, const sysv_queue_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create(key, options, code); });
  }
  static sysv_queue create_private(const sysv_queue_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create_private(options, code); });
  }
  static sysv_queue open(std::int32_t key, const sysv_queue_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(key, options, code); });
  }
  static sysv_queue open_or_create(std::int32_t key, const sysv_queue_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create(key, options, code); });
  }
  static sysv_queue open_id(int id, const sysv_queue_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_id(id, options, code); });
  }
  static void remove_key(std::int32_t key) {
    detail::throwing([&](std::error_code &code) { remove_key(key, code); });
  }
  void remove() {
    detail::throwing([&](std::error_code &code) { remove(code); });
  }
  void send(bytes message, std::int64_t type, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { send(message, type, limit, code); });
  }
  std::size_t receive(buffer into, which wanted = which::any(), timeout limit = forever, message_info *info = nullptr) {
    return detail::throwing([&](std::error_code &code) { return receive(into, wanted, limit, code, info); });
  }
  template <class Container>
  void receive_all(Container &message, which wanted = which::any(), timeout limit = forever, message_info *info = nullptr) {
    detail::throwing([&](std::error_code &code) { receive_all(message, wanted, limit, code, info); });
  }
  sysv_queue_status status() const {
    return detail::throwing([&](std::error_code &code) { return status(code); });
  }
  void set_limit(std::size_t bytes) {
    detail::throwing([&](std::error_code &code) { set_limit(bytes, code); });
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
  static sysv_queue made(Make make, std::error_code &code) noexcept {
    unipc_sysv_queue *raw = nullptr;
    detail::succeeded(make(&raw), code);
    return sysv_queue(raw);
  }
};

}  // namespace unipc

#endif  // UNIPC_MESSAGE_HPP
