// unipc for C++17: sockets that keep the boundaries of messages. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_SOCKET_HPP
#define UNIPC_SOCKET_HPP

#include <optional>
#include <utility>

#include "basics.hpp"
#include "message.hpp"

namespace unipc {

using datagram_options = detail::sized<unipc_datagram_options>;
using udp_options = detail::sized<unipc_udp_options>;
using seqpacket_options = detail::sized<unipc_seqpacket_options>;

/// A datagram socket, Unix or UDP: messages without a connection.
class datagram : public detail::handle<unipc_datagram, unipc_datagram_close> {
public:
  using handle::handle;

  /// A path, "@name", "@" for a name of the kernel's choice, nullptr for none.
  static datagram open_unix(const name &path, const datagram_options &options, std::error_code &code) noexcept {
    return made([&](unipc_datagram **raw) { return unipc_datagram_open_unix(path.c_str(), &options, raw); }, code);
  }
  /// A host of nullptr is the loopback; port 0 lets the system choose, and port() tells.
  static datagram open_udp(const name &host, std::uint32_t port, const udp_options &options, std::error_code &code) noexcept {
    return made([&](unipc_datagram **raw) { return unipc_datagram_open_udp(host.c_str(), port, &options, raw); }, code);
  }
  /// Takes the descriptor over on success only.
  static datagram from_fd(int fd, const datagram_options &options, std::error_code &code) noexcept {
    return made([&](unipc_datagram **raw) { return unipc_datagram_from_fd(fd, &options, raw); }, code);
  }
  /// Where send goes from now on.
  void connect(const name &address, timeout limit, const unix_connect_options &options, std::error_code &code) noexcept {
    detail::succeeded(unipc_datagram_connect(raw_, address.c_str(), &options, limit.nanoseconds()), code);
  }
  void send(bytes message, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_datagram_send(raw_, message.data, message.length, limit.nanoseconds()), code);
  }
  void send_to(const name &address, bytes message, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_datagram_send_to(raw_, address.c_str(), message.data, message.length, limit.nanoseconds()), code);
  }
  /// To an address, or with nullptr to whom the socket is connected to.
  void send_fds(const name &address, bytes message, const int *fds, std::size_t count, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_datagram_send_fds(raw_, address.c_str(), message.data, message.length, fds, count, limit.nanoseconds()), code);
  }
  /// The length of the message. One that does not fit is lost: std::errc::message_size.
  std::size_t receive(buffer into, timeout limit, std::error_code &code, message_info *info = nullptr) noexcept {
    return detail::count(unipc_datagram_receive(raw_, into.data, into.length, limit.nanoseconds(), info), code);
  }
  std::size_t receive_fds(buffer into, int *fds, std::size_t maximum, std::size_t &count, timeout limit, std::error_code &code, message_info *info = nullptr) noexcept {
    return detail::count(unipc_datagram_receive_fds(raw_, into.data, into.length, fds, maximum, &count, limit.nanoseconds(), info), code);
  }
  /// The size of the next message, which stays.
  std::size_t next_size(timeout limit, std::error_code &code) noexcept {
    return detail::count(unipc_datagram_next_size(raw_, limit.nanoseconds()), code);
  }
  /// Replaces the contents of a std::string or std::vector by the next message. For one receiver at a time: to another the message may be lost in between,
  /// and this waits on; a larger one that comes next is then lost: std::errc::message_size.
  template <class Container>
  void receive_all(Container &message, timeout limit, std::error_code &code, message_info *info = nullptr) {
    detail::countdown countdown(limit);
    std::size_t length = 0;
    do {
      message.resize(next_size(countdown.rest(), code));
      if (!code) length = receive(message, std::chrono::nanoseconds::zero(), code, info);
    } while (code == std::errc::resource_unavailable_try_again && !countdown.never_waits());
    message.resize(length);
  }
  void join(const name &group, const name &interface_name, std::error_code &code) noexcept {
    detail::succeeded(unipc_datagram_join_udp(raw_, group.c_str(), interface_name.c_str()), code);
  }
  void leave(const name &group, const name &interface_name, std::error_code &code) noexcept {
    detail::succeeded(unipc_datagram_leave_udp(raw_, group.c_str(), interface_name.c_str()), code);
  }
  std::uint32_t port(std::error_code &code) const noexcept {
    return static_cast<std::uint32_t>(detail::count(unipc_datagram_port(raw_), code));
  }
  /// The descriptor, now the caller's; the handle is gone.
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_datagram_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }
  /// The length of the message; where it came from stands in `from`, as send_to takes it.
  std::size_t receive_from(buffer into, std::string &from, timeout limit, std::error_code &code, message_info *info = nullptr) {
    char text[128] = "";
    auto length = unipc_datagram_receive_from(raw_, into.data, into.length, limit.nanoseconds(), info, text, sizeof text);
    from = text;
    return detail::count(length, code);
  }
  /// Where it receives.
  std::string address(std::error_code &code) const {
    return detail::text_of([&](char *text, std::size_t size) { return unipc_datagram_address(raw_, text, size); }, code);
  }
  /// Readable while there is a message.
  int fd() const noexcept { return unipc_datagram_fd(raw_); }

#ifdef UNIPC_HPP_THROWS
  static datagram open_unix(const name &path, const datagram_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_unix(path, options, code); });
  }
  static datagram open_udp(const name &host, std::uint32_t port, const udp_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_udp(host, port, options, code); });
  }
  static datagram from_fd(int fd, const datagram_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, options, code); });
  }
  void connect(const name &address, timeout limit = forever, const unix_connect_options &options = {}) {
    detail::throwing([&](std::error_code &code) { connect(address, limit, options, code); });
  }
  void send(bytes message, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { send(message, limit, code); });
  }
  void send_to(const name &address, bytes message, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { send_to(address, message, limit, code); });
  }
  void send_fds(const name &address, bytes message, const int *fds, std::size_t count, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { send_fds(address, message, fds, count, limit, code); });
  }
  std::size_t receive(buffer into, timeout limit = forever, message_info *info = nullptr) {
    return detail::throwing([&](std::error_code &code) { return receive(into, limit, code, info); });
  }
  std::size_t receive_fds(buffer into, int *fds, std::size_t maximum, std::size_t &count, timeout limit = forever, message_info *info = nullptr) {
    return detail::throwing([&](std::error_code &code) { return receive_fds(into, fds, maximum, count, limit, code, info); });
  }
  std::size_t next_size(timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return next_size(limit, code); });
  }
  template <class Container>
  void receive_all(Container &message, timeout limit = forever, message_info *info = nullptr) {
    detail::throwing([&](std::error_code &code) { receive_all(message, limit, code, info); });
  }
  void join(const name &group, const name &interface_name = nullptr) {
    detail::throwing([&](std::error_code &code) { join(group, interface_name, code); });
  }
  void leave(const name &group, const name &interface_name = nullptr) {
    detail::throwing([&](std::error_code &code) { leave(group, interface_name, code); });
  }
  std::uint32_t port() const {
    return detail::throwing([&](std::error_code &code) { return port(code); });
  }
  int into_fd() {
    return detail::throwing([&](std::error_code &code) { return into_fd(code); });
  }
  std::size_t receive_from(buffer into, std::string &from, timeout limit = forever, message_info *info = nullptr) {
    return detail::throwing([&](std::error_code &code) { return receive_from(into, from, limit, code, info); });
  }
  std::string address() const {
    return detail::throwing([&](std::error_code &code) { return address(code); });
  }
#endif

private:
  template <class Make>
  static datagram made(Make make, std::error_code &code) noexcept {
    unipc_datagram *raw = nullptr;
    detail::succeeded(make(&raw), code);
    return datagram(raw);
  }
};

/// Messages on a connection: boundaries kept, in order, both ways, and an end.
class seqpacket : public detail::handle<unipc_seqpacket, unipc_seqpacket_close> {
public:
  using handle::handle;

  /// A path, or "@name" in the abstract namespace.
  static seqpacket connect_unix(const name &path, timeout limit, const unix_connect_options &connect, const seqpacket_options &options, std::error_code &code) noexcept {
    return made([&](unipc_seqpacket **raw) { return unipc_seqpacket_connect_unix(path.c_str(), &connect, &options, limit.nanoseconds(), raw); }, code);
  }
  /// Takes the descriptor over on success only.
  static seqpacket from_fd(int fd, const seqpacket_options &options, std::error_code &code) noexcept {
    return made([&](unipc_seqpacket **raw) { return unipc_seqpacket_from_fd(fd, &options, raw); }, code);
  }
  void send(bytes message, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_seqpacket_send(raw_, message.data, message.length, limit.nanoseconds()), code);
  }
  void send_fds(bytes message, const int *fds, std::size_t count, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_seqpacket_send_fds(raw_, message.data, message.length, fds, count, limit.nanoseconds()), code);
  }
  /// The length of the message, or nothing at the end. One that does not fit is lost: std::errc::message_size.
  std::optional<std::size_t> receive(buffer into, timeout limit, std::error_code &code, message_info *info = nullptr) noexcept {
    return received(unipc_seqpacket_receive(raw_, into.data, into.length, limit.nanoseconds(), info), code);
  }
  std::optional<std::size_t> receive_fds(buffer into, int *fds, std::size_t maximum, std::size_t &count, timeout limit, std::error_code &code, message_info *info = nullptr) noexcept {
    return received(unipc_seqpacket_receive_fds(raw_, into.data, into.length, fds, maximum, &count, limit.nanoseconds(), info), code);
  }
  /// The size of the next message, which stays.
  std::optional<std::size_t> next_size(timeout limit, std::error_code &code) noexcept {
    return received(unipc_seqpacket_next_size(raw_, limit.nanoseconds()), code);
  }
  /// Replaces the contents of a std::string or std::vector by the next message; false at the end. For one receiver at a time: to another the message may be
  /// lost in between, and this waits on; a larger one that comes next is then lost: std::errc::message_size.
  template <class Container>
  bool receive_all(Container &message, timeout limit, std::error_code &code, message_info *info = nullptr) {
    detail::countdown countdown(limit);
    std::optional<std::size_t> length;
    do {
      length = next_size(countdown.rest(), code);
      message.resize(length.value_or(0));
      if (length.has_value()) length = receive(message, std::chrono::nanoseconds::zero(), code, info);
    } while (code == std::errc::resource_unavailable_try_again && !countdown.never_waits());
    message.resize(length.value_or(0));
    return length.has_value();
  }
  /// UNIPC_SHUTDOWN_READ, _WRITE or _BOTH.
  void shutdown(int how, std::error_code &code) noexcept {
    detail::succeeded(unipc_seqpacket_shutdown(raw_, how), code);
  }
  credentials peer_credentials(std::error_code &code) const noexcept {
    credentials peer;
    detail::succeeded(unipc_seqpacket_peer_credentials(raw_, &peer), code);
    return peer;
  }
  /// A pidfd of the process at the other end, the caller's; -1 in failure.
  int peer_pidfd(std::error_code &code) const noexcept {
    int fd = unipc_seqpacket_peer_pidfd(raw_);
    return detail::succeeded(fd, code) ? fd : -1;
  }
  /// The supplementary groups of the process at the other end.
  std::vector<std::uint32_t> peer_groups(std::error_code &code) const {
    return detail::groups_of([&](std::uint32_t *groups, std::size_t room) { return unipc_seqpacket_peer_groups(raw_, groups, room); }, code);
  }
  /// What the security module calls the process at the other end.
  std::string peer_label(std::error_code &code) const {
    return detail::text_of([&](char *text, std::size_t size) { return unipc_seqpacket_peer_label(raw_, text, size); }, code);
  }
  std::string peer_address(std::error_code &code) const {
    return detail::text_of([&](char *text, std::size_t size) { return unipc_seqpacket_peer_address(raw_, text, size); }, code);
  }
  /// The descriptor, now the caller's; the handle is gone.
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_seqpacket_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }
  /// Readable while there is a message, or the end.
  int fd() const noexcept { return unipc_seqpacket_fd(raw_); }

#ifdef UNIPC_HPP_THROWS
  static seqpacket connect_unix(const name &path, timeout limit = forever, const unix_connect_options &connect = {}, const seqpacket_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return connect_unix(path, limit, connect, options, code); });
  }
  static seqpacket from_fd(int fd, const seqpacket_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, options, code); });
  }
  void send(bytes message, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { send(message, limit, code); });
  }
  void send_fds(bytes message, const int *fds, std::size_t count, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { send_fds(message, fds, count, limit, code); });
  }
  std::optional<std::size_t> receive(buffer into, timeout limit = forever, message_info *info = nullptr) {
    return detail::throwing([&](std::error_code &code) { return receive(into, limit, code, info); });
  }
  std::optional<std::size_t> receive_fds(buffer into, int *fds, std::size_t maximum, std::size_t &count, timeout limit = forever, message_info *info = nullptr) {
    return detail::throwing([&](std::error_code &code) { return receive_fds(into, fds, maximum, count, limit, code, info); });
  }
  std::optional<std::size_t> next_size(timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return next_size(limit, code); });
  }
  template <class Container>
  bool receive_all(Container &message, timeout limit = forever, message_info *info = nullptr) {
    return detail::throwing([&](std::error_code &code) { return receive_all(message, limit, code, info); });
  }
  void shutdown(int how) {
    detail::throwing([&](std::error_code &code) { shutdown(how, code); });
  }
  credentials peer_credentials() const {
    return detail::throwing([&](std::error_code &code) { return peer_credentials(code); });
  }
  int peer_pidfd() const {
    return detail::throwing([&](std::error_code &code) { return peer_pidfd(code); });
  }
  std::vector<std::uint32_t> peer_groups() const {
    return detail::throwing([&](std::error_code &code) { return peer_groups(code); });
  }
  std::string peer_label() const {
    return detail::throwing([&](std::error_code &code) { return peer_label(code); });
  }
  std::string peer_address() const {
    return detail::throwing([&](std::error_code &code) { return peer_address(code); });
  }
  int into_fd() {
    return detail::throwing([&](std::error_code &code) { return into_fd(code); });
  }
#endif

private:
  friend class seqpacket_listener;
  template <class Make>
  static seqpacket made(Make make, std::error_code &code) noexcept {
    unipc_seqpacket *raw = nullptr;
    detail::succeeded(make(&raw), code);
    return seqpacket(raw);
  }
  static std::optional<std::size_t> received(std::ptrdiff_t result, std::error_code &code) noexcept {
    if (result == UNIPC_END) {
      code.clear();
      return std::nullopt;
    }
    if (!detail::succeeded(result, code)) return std::nullopt;
    return static_cast<std::size_t>(result);
  }
};

/// Accepts connections. Closing removes the path that it published.
class seqpacket_listener : public detail::handle<unipc_seqpacket_listener, unipc_seqpacket_listener_close> {
public:
  using handle::handle;

  /// A path, or "@name" in the abstract namespace.
  static seqpacket_listener open_unix(const name &path, const unix_listen_options &options, std::error_code &code) noexcept {
    return made([&](unipc_seqpacket_listener **raw) { return unipc_seqpacket_listener_open_unix(path.c_str(), &options, raw); }, code);
  }
  static seqpacket_listener from_fd(int fd, std::error_code &code) noexcept {
    return made([&](unipc_seqpacket_listener **raw) { return unipc_seqpacket_listener_from_fd(fd, raw); }, code);
  }
  seqpacket accept(timeout limit, const seqpacket_options &options, std::error_code &code) noexcept {
    return seqpacket::made([&](unipc_seqpacket **raw) { return unipc_seqpacket_listener_accept(raw_, &options, limit.nanoseconds(), raw); }, code);
  }
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_seqpacket_listener_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }
  std::string address(std::error_code &code) const {
    return detail::text_of([&](char *text, std::size_t size) { return unipc_seqpacket_listener_address(raw_, text, size); }, code);
  }
  /// Readable while there is a connection to accept.
  int fd() const noexcept { return unipc_seqpacket_listener_fd(raw_); }

#ifdef UNIPC_HPP_THROWS
  static seqpacket_listener open_unix(const name &path, const unix_listen_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_unix(path, options, code); });
  }
  static seqpacket_listener from_fd(int fd) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, code); });
  }
  seqpacket accept(timeout limit = forever, const seqpacket_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return accept(limit, options, code); });
  }
  int into_fd() {
    return detail::throwing([&](std::error_code &code) { return into_fd(code); });
  }
  std::string address() const {
    return detail::throwing([&](std::error_code &code) { return address(code); });
  }
#endif

private:
  template <class Make>
  static seqpacket_listener made(Make make, std::error_code &code) noexcept {
    unipc_seqpacket_listener *raw = nullptr;
    detail::succeeded(make(&raw), code);
    return seqpacket_listener(raw);
  }
};

/// Two connected ends, for a process and the child that it forks.
inline std::pair<seqpacket, seqpacket> seqpacket_pair(const seqpacket_options &options, std::error_code &code) noexcept {
  unipc_seqpacket *first = nullptr, *second = nullptr;
  detail::succeeded(unipc_seqpacket_pair_unix(&options, &first, &second), code);
  return {seqpacket(first), seqpacket(second)};
}
/// Two sockets that send to each other.
inline std::pair<datagram, datagram> datagram_pair(const datagram_options &options, std::error_code &code) noexcept {
  unipc_datagram *first = nullptr, *second = nullptr;
  detail::succeeded(unipc_datagram_pair_unix(&options, &first, &second), code);
  return {datagram(first), datagram(second)};
}
#ifdef UNIPC_HPP_THROWS
inline std::pair<seqpacket, seqpacket> seqpacket_pair(const seqpacket_options &options = {}) {
  return detail::throwing([&](std::error_code &code) { return seqpacket_pair(options, code); });
}
inline std::pair<datagram, datagram> datagram_pair(const datagram_options &options = {}) {
  return detail::throwing([&](std::error_code &code) { return datagram_pair(options, code); });
}
#endif

}  // namespace unipc

#endif  // UNIPC_SOCKET_HPP
