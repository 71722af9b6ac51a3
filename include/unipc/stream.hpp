// unipc for C++17: streams of bytes, and messages on them. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_STREAM_HPP
#define UNIPC_STREAM_HPP

#include "basics.hpp"

#include <initializer_list>

namespace unipc {

/// A pipe end, a FIFO end, a Unix or a TCP connection: bytes without boundaries.
class stream : public detail::handle<unipc_stream, unipc_stream_close> {
public:
  using handle::handle;

  static stream connect_unix(const name &path, timeout limit, const unix_connect_options &options, std::error_code &code) noexcept {
    return made([&](unipc_stream **raw) { return unipc_stream_connect_unix(path.c_str(), &options, limit.nanoseconds(), raw); }, code);
  }
  /// A host of nullptr is this machine.
  static stream connect_tcp(const name &host, std::uint32_t port, timeout limit, const tcp_options &options, std::error_code &code) noexcept {
    return made([&](unipc_stream **raw) { return unipc_stream_connect_tcp(host.c_str(), port, &options, limit.nanoseconds(), raw); }, code);
  }
  /// The timeout is for the other side to open its end; so in the three that follow.
  static stream open_fifo_reader(const name &path, timeout limit, const fifo_options &options, std::error_code &code) noexcept {
    return made([&](unipc_stream **raw) { return unipc_stream_open_fifo_reader(path.c_str(), &options, limit.nanoseconds(), raw); }, code);
  }
  static stream open_fifo_writer(const name &path, timeout limit, const fifo_options &options, std::error_code &code) noexcept {
    return made([&](unipc_stream **raw) { return unipc_stream_open_fifo_writer(path.c_str(), &options, limit.nanoseconds(), raw); }, code);
  }
  static stream open_or_create_fifo_reader(const name &path, timeout limit, const fifo_options &options, std::error_code &code) noexcept {
    return made(
        [&](unipc_stream **raw) { return unipc_stream_open_or_create_fifo_reader(path.c_str(), &options, limit.nanoseconds(), raw); }, code);
  }
  static stream open_or_create_fifo_writer(const name &path, timeout limit, const fifo_options &options, std::error_code &code) noexcept {
    return made(
        [&](unipc_stream **raw) { return unipc_stream_open_or_create_fifo_writer(path.c_str(), &options, limit.nanoseconds(), raw); }, code);
  }
  /// Takes the descriptor over on success only.
  static stream from_fd(int fd, std::error_code &code) noexcept {
    return made([&](unipc_stream **raw) { return unipc_stream_from_fd(fd, raw); }, code);
  }

  /// Up to the size of the buffer; 0 is the end.
  std::size_t read(buffer into, timeout limit, std::error_code &code) noexcept {
    return detail::count(unipc_stream_read(raw_, into.data, into.length, limit.nanoseconds()), code);
  }
  std::size_t write(bytes data, timeout limit, std::error_code &code) noexcept {
    return detail::count(unipc_stream_write(raw_, data.data, data.length, limit.nanoseconds()), code);
  }
  /// All or an error; returns how much was read either way.
  std::size_t read_exact(buffer into, timeout limit, std::error_code &code) noexcept {
    std::size_t transferred = 0;
    detail::succeeded(unipc_stream_read_exact(raw_, into.data, into.length, limit.nanoseconds(), &transferred), code);
    return transferred;
  }
  std::size_t write_all(bytes data, timeout limit, std::error_code &code) noexcept {
    std::size_t transferred = 0;
    detail::succeeded(unipc_stream_write_all(raw_, data.data, data.length, limit.nanoseconds(), &transferred), code);
    return transferred;
  }
  std::size_t read_vectored(const unipc_buffer *buffers, std::size_t count, timeout limit, std::error_code &code) noexcept {
    return detail::count(unipc_stream_read_vectored(raw_, buffers, count, limit.nanoseconds()), code);
  }
  std::size_t write_vectored(const unipc_bytes *parts, std::size_t count, timeout limit, std::error_code &code) noexcept {
    return detail::count(unipc_stream_write_vectored(raw_, parts, count, limit.nanoseconds()), code);
  }
  std::size_t read_vectored(std::initializer_list<buffer> buffers, timeout limit, std::error_code &code) noexcept {
    return read_vectored(buffers.begin(), buffers.size(), limit, code);
  }
  std::size_t write_vectored(std::initializer_list<bytes> parts, timeout limit, std::error_code &code) noexcept {
    return write_vectored(parts.begin(), parts.size(), limit, code);
  }
  /// UNIPC_SHUTDOWN_READ, _WRITE or _BOTH; sockets only.
  void shutdown(int how, std::error_code &code) noexcept { detail::succeeded(unipc_stream_shutdown(raw_, how), code); }
  /// Bytes that a pipe or FIFO holds.
  std::size_t capacity(std::error_code &code) const noexcept { return detail::count(unipc_stream_capacity(raw_), code); }
  std::size_t set_capacity(std::size_t capacity, std::error_code &code) noexcept {
    return detail::count(unipc_stream_set_capacity(raw_, capacity), code);
  }
  std::string peer_address(std::error_code &code) const {
    return detail::text_of([&](char *text, std::size_t size) { return unipc_stream_peer_address(raw_, text, size); }, code);
  }
  credentials peer_credentials(std::error_code &code) const noexcept {
    credentials peer;
    detail::succeeded(unipc_stream_peer_credentials(raw_, &peer), code);
    return peer;
  }
  /// A pidfd of the process at the other end, the caller's; -1 in failure.
  int peer_pidfd(std::error_code &code) const noexcept {
    int fd = unipc_stream_peer_pidfd(raw_);
    return detail::succeeded(fd, code) ? fd : -1;
  }
  /// The supplementary groups of the process at the other end.
  std::vector<std::uint32_t> peer_groups(std::error_code &code) const {
    return detail::groups_of([&](std::uint32_t *groups, std::size_t room) { return unipc_stream_peer_groups(raw_, groups, room); }, code);
  }
  /// What the security module calls the process at the other end.
  std::string peer_label(std::error_code &code) const {
    return detail::text_of([&](char *text, std::size_t size) { return unipc_stream_peer_label(raw_, text, size); }, code);
  }
  /// Everything, with descriptors on the first byte; returns how much went out either way. They stay the caller's, too.
  std::size_t send_fds(bytes data, const int *fds, std::size_t count, timeout limit, std::error_code &code) noexcept {
    std::size_t transferred = 0;
    detail::succeeded(unipc_stream_send_fds(raw_, data.data, data.length, fds, count, limit.nanoseconds(), &transferred), code);
    return transferred;
  }
  /// Up to the size of the buffer, 0 is the end, and the descriptors that come with it, at most `maximum`: more is an error, and all are closed.
  std::size_t receive_fds(buffer into, int *fds, std::size_t maximum, std::size_t &count, timeout limit, std::error_code &code) noexcept {
    return detail::count(unipc_stream_receive_fds(raw_, into.data, into.length, fds, maximum, &count, limit.nanoseconds()), code);
  }
  /// Readable until a read with a timeout of zero says that it would wait.
  int fd() const noexcept { return unipc_stream_fd(raw_); }
  /// The descriptor, now the caller's; the handle is gone.
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_stream_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }

#ifdef UNIPC_HPP_THROWS
  static stream connect_unix(const name &path, timeout limit = forever, const unix_connect_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return connect_unix(path, limit, options, code); });
  }
  static stream connect_tcp(const name &host, std::uint32_t port, timeout limit = forever, const tcp_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return connect_tcp(host, port, limit, options, code); });
  }
  static stream open_fifo_reader(const name &path, timeout limit = forever, const fifo_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_fifo_reader(path, limit, options, code); });
  }
  static stream open_fifo_writer(const name &path, timeout limit = forever, const fifo_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_fifo_writer(path, limit, options, code); });
  }
  static stream open_or_create_fifo_reader(const name &path, timeout limit = forever, const fifo_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create_fifo_reader(path, limit, options, code); });
  }
  static stream open_or_create_fifo_writer(const name &path, timeout limit = forever, const fifo_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create_fifo_writer(path, limit, options, code); });
  }
  static stream from_fd(int fd) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, code); });
  }
  std::size_t read(buffer into, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return read(into, limit, code); });
  }
  std::size_t write(bytes data, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return write(data, limit, code); });
  }
  std::size_t read_exact(buffer into, timeout limit = forever) {
    return detail::throwing_count([&](std::error_code &code) { return read_exact(into, limit, code); });
  }
  std::size_t write_all(bytes data, timeout limit = forever) {
    return detail::throwing_count([&](std::error_code &code) { return write_all(data, limit, code); });
  }
  std::size_t read_vectored(const unipc_buffer *buffers, std::size_t count, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return read_vectored(buffers, count, limit, code); });
  }
  std::size_t write_vectored(const unipc_bytes *parts, std::size_t count, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return write_vectored(parts, count, limit, code); });
  }
  std::size_t read_vectored(std::initializer_list<buffer> buffers, timeout limit = forever) {
    return read_vectored(buffers.begin(), buffers.size(), limit);
  }
  std::size_t write_vectored(std::initializer_list<bytes> parts, timeout limit = forever) {
    return write_vectored(parts.begin(), parts.size(), limit);
  }
  void shutdown(int how) {
    detail::throwing([&](std::error_code &code) { shutdown(how, code); });
  }
  std::size_t capacity() const {
    return detail::throwing([&](std::error_code &code) { return capacity(code); });
  }
  std::size_t set_capacity(std::size_t wanted) {
    return detail::throwing([&](std::error_code &code) { return set_capacity(wanted, code); });
  }
  std::string peer_address() const {
    return detail::throwing([&](std::error_code &code) { return peer_address(code); });
  }
  std::size_t send_fds(bytes data, const int *fds, std::size_t count, timeout limit = forever) {
    return detail::throwing_count([&](std::error_code &code) { return send_fds(data, fds, count, limit, code); });
  }
  std::size_t receive_fds(buffer into, int *fds, std::size_t maximum, std::size_t &count, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return receive_fds(into, fds, maximum, count, limit, code); });
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
  int into_fd() {
    return detail::throwing([&](std::error_code &code) { return into_fd(code); });
  }
#endif

private:
  friend class listener;
  template <class Make>
  static stream made(Make make, std::error_code &code) noexcept {
    unipc_stream *raw = nullptr;
    detail::succeeded(make(&raw), code);
    return stream(raw);
  }
};

/// What unipc::pipe gives: `auto [reader, writer] = unipc::pipe();`
struct pipe_ends {
  stream reader, writer;
};

inline pipe_ends pipe(const pipe_options &options, std::error_code &code) noexcept {
  unipc_stream *reader = nullptr, *writer = nullptr;
  detail::succeeded(unipc_pipe_create(&options, &reader, &writer), code);
  return {stream(reader), stream(writer)};
}
/// Two connected Unix sockets.
inline std::pair<stream, stream> socketpair(std::error_code &code) noexcept {
  unipc_stream *first = nullptr, *second = nullptr;
  detail::succeeded(unipc_stream_pair_unix(&first, &second), code);
  return {stream(first), stream(second)};
}
/// Exclusive: std::errc::file_exists if the path is taken.
inline void create_fifo(const name &path, const fifo_options &options, std::error_code &code) noexcept {
  detail::succeeded(unipc_fifo_create(path.c_str(), &options), code);
}
inline void unlink_fifo(const name &path, std::error_code &code) noexcept { detail::succeeded(unipc_fifo_unlink(path.c_str()), code); }
#ifdef UNIPC_HPP_THROWS
inline pipe_ends pipe(const pipe_options &options = {}) {
  return detail::throwing([&](std::error_code &code) { return pipe(options, code); });
}
inline std::pair<stream, stream> socketpair() {
  return detail::throwing([](std::error_code &code) { return socketpair(code); });
}
inline void create_fifo(const name &path, const fifo_options &options = {}) {
  detail::throwing([&](std::error_code &code) { create_fifo(path, options, code); });
}
inline void unlink_fifo(const name &path) {
  detail::throwing([&](std::error_code &code) { unlink_fifo(path, code); });
}
#endif

/// Accepts connections. Closing removes the path that it published.
class listener : public detail::handle<unipc_listener, unipc_listener_close> {
public:
  using handle::handle;

  /// A path, or "@name" in the abstract namespace.
  static listener open_unix(const name &path, const unix_listen_options &options, std::error_code &code) noexcept {
    unipc_listener *raw = nullptr;
    detail::succeeded(unipc_listener_open_unix(path.c_str(), &options, &raw), code);
    return listener(raw);
  }
  /// A host of nullptr is the loopback; port 0 lets the system choose, and port() tells.
  static listener open_tcp(const name &host, std::uint32_t port, const tcp_options &options, std::error_code &code) noexcept {
    unipc_listener *raw = nullptr;
    detail::succeeded(unipc_listener_open_tcp(host.c_str(), port, &options, &raw), code);
    return listener(raw);
  }
  static listener from_fd(int fd, std::error_code &code) noexcept {
    unipc_listener *raw = nullptr;
    detail::succeeded(unipc_listener_from_fd(fd, &raw), code);
    return listener(raw);
  }
  stream accept(timeout limit, std::error_code &code) noexcept {
    return stream::made([&](unipc_stream **raw) { return unipc_listener_accept(raw_, limit.nanoseconds(), raw); }, code);
  }
  std::uint32_t port(std::error_code &code) const noexcept {
    return static_cast<std::uint32_t>(detail::count(unipc_listener_port(raw_), code));
  }
  std::string address(std::error_code &code) const {
    return detail::text_of([&](char *text, std::size_t size) { return unipc_listener_address(raw_, text, size); }, code);
  }
  int fd() const noexcept { return unipc_listener_fd(raw_); }
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_listener_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }

#ifdef UNIPC_HPP_THROWS
  static listener open_unix(const name &path, const unix_listen_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_unix(path, options, code); });
  }
  static listener open_tcp(const name &host, std::uint32_t port, const tcp_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_tcp(host, port, options, code); });
  }
  static listener from_fd(int fd) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, code); });
  }
  stream accept(timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return accept(limit, code); });
  }
  std::uint32_t port() const {
    return detail::throwing([&](std::error_code &code) { return port(code); });
  }
  std::string address() const {
    return detail::throwing([&](std::error_code &code) { return address(code); });
  }
  int into_fd() {
    return detail::throwing([&](std::error_code &code) { return into_fd(code); });
  }
#endif
};

/// Messages over any stream: a length, then the bytes.
class framed : public detail::handle<unipc_framed, unipc_framed_close> {
public:
  using handle::handle;

  /// Takes the stream over on success only.
  static framed create(stream &&from, const framed_options &options, std::error_code &code) noexcept {
    unipc_framed *raw = nullptr;
    if (detail::succeeded(unipc_framed_create(from.get(), &options, &raw), code)) from.release();
    return framed(raw);
  }
  void send(bytes message, timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_framed_send(raw_, message.data, message.length, limit.nanoseconds()), code);
  }
  /// The length of the message, or nothing at the end. A message larger than the buffer stays: std::errc::message_size.
  std::optional<std::size_t> receive(buffer into, timeout limit, std::error_code &code) noexcept {
    return received(into, limit, nullptr, code);
  }
  /// Replaces the contents of a std::string or std::vector by the next message; false at the end.
  template <class Container>
  bool receive_all(Container &message, timeout limit, std::error_code &code) {
    detail::countdown countdown(limit);
    unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
    message.resize(message.capacity());
    auto length = received(message, limit, &info, code);
    if (code == std::errc::message_size) {
      message.resize(static_cast<std::size_t>(info.size));
      length = received(message, countdown.rest(), nullptr, code);
    }
    message.resize(length.value_or(0));
    return length.has_value();
  }
  /// Finishes what a send that ran out of time has begun.
  void flush(timeout limit, std::error_code &code) noexcept { detail::succeeded(unipc_framed_flush(raw_, limit.nanoseconds()), code); }
  int fd() const noexcept { return unipc_framed_fd(raw_); }
  /// The stream below; the handle is gone.
  stream into_stream() noexcept { return stream(unipc_framed_into_stream(release())); }

#ifdef UNIPC_HPP_THROWS
  static framed create(stream &&from, const framed_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create(std::move(from), options, code); });
  }
  void send(bytes message, timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { send(message, limit, code); });
  }
  std::optional<std::size_t> receive(buffer into, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return receive(into, limit, code); });
  }
  template <class Container>
  bool receive_all(Container &message, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return receive_all(message, limit, code); });
  }
  void flush(timeout limit = forever) {
    detail::throwing([&](std::error_code &code) { flush(limit, code); });
  }
#endif

private:
  std::optional<std::size_t> received(buffer into, timeout limit, unipc_message_info *info, std::error_code &code) noexcept {
    std::ptrdiff_t result = unipc_framed_receive(raw_, into.data, into.length, limit.nanoseconds(), info);
    if (result == UNIPC_END) {
      code.clear();
      return std::nullopt;
    }
    if (!detail::succeeded(result, code)) return std::nullopt;
    return static_cast<std::size_t>(result);
  }
};

}  // namespace unipc

#endif  // UNIPC_STREAM_HPP
