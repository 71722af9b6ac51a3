// unipc for C++17: the functions of unipc.h as types. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Handles (stream, listener, framed, memory, posix_semaphore, stop) own what they name: they move, never copy, and close at the end of
// their scope. Objects that live in shared memory (mutex, semaphore) are trivial: they are members of a struct of yours, and memory
// full of zero bytes is where their life begins. `shared<T>` joins the two: T, in memory that several processes see.
//
// Every call that can fail has two forms. The one that ends in `std::error_code &` reports there and throws nothing; the one without
// throws `unipc::error`. With -fno-exceptions only the first exists. Times are std::chrono durations, or `unipc::forever`; zero and less
// never wait. What the kernel reported compares with std::errc (`error == std::errc::timed_out`), what only unipc can say with unipc::errc.
#ifndef UNIPC_HPP
#define UNIPC_HPP

#include "unipc.h"

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#if defined(__cpp_exceptions)
#define UNIPC_HPP_THROWS 1
#endif

namespace unipc {

// ---- Errors ------------------------------------------------------------------------------------------------------------------------

/// What no errno says.
enum class errc {
  end = UNIPC_END,                    ///< the other side has ended, nothing more comes
  forked = UNIPC_FORKED,              ///< the handle belongs to the parent process
  panic = UNIPC_PANIC,                ///< a bug in unipc; nothing was acquired
  unavailable = UNIPC_UNAVAILABLE,    ///< this build or this system cannot do it
  wrong_kind = UNIPC_WRONG_KIND,      ///< the name belongs to an object of another kind
  wrong_size = UNIPC_WRONG_SIZE,      ///< the object is smaller than what was asked for
  incompatible = UNIPC_INCOMPATIBLE,  ///< an object of another layout, kind or pid namespace
  truncated = UNIPC_TRUNCATED         ///< the stream ended inside a message
};

/// The category of unipc::errc.
inline const std::error_category &category() noexcept {
  struct names final : std::error_category {
    const char *name() const noexcept override { return "unipc"; }
    std::string message(int code) const override {
      char text[256];
      unipc_error_text(code, text, sizeof text);
      return text;
    }
    std::error_condition default_error_condition(int code) const noexcept override {
      switch (code) {
        case UNIPC_UNAVAILABLE: return std::errc::not_supported;
        case UNIPC_FORKED: return std::errc::operation_not_permitted;
        case UNIPC_WRONG_KIND: return std::errc::invalid_argument;
        default: return {code, *this};
      }
    }
  };
  static const names instance;
  return instance;
}

inline std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), category()}; }

/// A negative result of a C function as a std::error_code; no error for anything else.
inline std::error_code code_of(std::int64_t result) noexcept {
  if (result >= 0) return {};
  if (result <= UNIPC_END) return {static_cast<int>(result), category()};
  return {static_cast<int>(-result), std::generic_category()};
}

/// What the calls without a `std::error_code &` throw: what() names the operation, the object and the remedy where one is known.
class error : public std::system_error {
public:
  explicit error(std::error_code code) : std::system_error(code), text_(describe(code)) {}
  const char *what() const noexcept override { return text_.what(); }

private:
  // The detail is kept per thread for the last failure, so this has to be asked before anything else is called.
  static std::string describe(std::error_code code) {
    int number = code.category() == category() ? code.value() : -code.value();
    char text[1024];
    unipc_error_text(number, text, sizeof text);
    return text;
  }
  std::runtime_error text_;  // copies of an exception must not throw; those of this type do not
};

// ---- Arguments -----------------------------------------------------------------------------------------------------------------------

/// Wait without a limit.
struct forever_t {};
inline constexpr forever_t forever{};

/// How long a call may wait: negative durations are zero, those that do not fit are forever, fractions of a nanosecond are rounded up.
class timeout {
public:
  constexpr timeout(forever_t) noexcept : nanoseconds_(UNIPC_FOREVER) {}
  template <class Rep, class Period>
  constexpr timeout(std::chrono::duration<Rep, Period> duration) noexcept : nanoseconds_(clamp(duration)) {}
  constexpr std::int64_t nanoseconds() const noexcept { return nanoseconds_; }

private:
  template <class Rep, class Period>
  static constexpr std::int64_t clamp(std::chrono::duration<Rep, Period> duration) noexcept {
    using wide = std::chrono::duration<long double, std::nano>;
    if (!(duration > duration.zero())) return 0;  // not-a-number too
    if (std::chrono::duration_cast<wide>(duration).count() >= 9.2e18L) return UNIPC_FOREVER;
    return std::chrono::ceil<std::chrono::nanoseconds>(duration).count();
  }
  std::int64_t nanoseconds_;
};

/// A name or a path. A string with a zero byte inside becomes the empty name, which every call refuses, never a shorter name.
class name {
public:
  name(std::nullptr_t) noexcept : text_(nullptr) {}
  name(const char *text) noexcept : text_(text) {}
  name(const std::string &text) noexcept : text_(text.find('\0') == std::string::npos ? text.c_str() : "") {}
  const char *c_str() const noexcept { return text_; }

private:
  const char *text_;
};

namespace detail {
template <class T, class = void>
struct is_byte_container : std::false_type {};
template <class T>
struct is_byte_container<T, std::void_t<decltype(std::declval<T &>().data()), decltype(std::declval<T &>().size())>>
    : std::bool_constant<std::is_class_v<std::remove_cv_t<T>> && sizeof(*std::declval<T &>().data()) == 1 &&
                         std::is_trivially_copyable_v<std::remove_pointer_t<decltype(std::declval<T &>().data())>>> {};

template <class T>
struct sized : T {
  constexpr sized() noexcept : T{} { this->struct_size = sizeof(T); }
};

inline bool succeeded(std::int64_t result, std::error_code &code) noexcept {
  code = code_of(result);
  return result >= 0;
}
inline std::size_t count(std::int64_t result, std::error_code &code) noexcept {
  return succeeded(result, code) ? static_cast<std::size_t>(result) : 0;
}
/// The text of a C function that fills a buffer and returns the whole length.
template <class Fill>
std::string text_of(Fill fill, std::error_code &code) {
  char text[512];
  return succeeded(fill(text, sizeof text), code) ? std::string(text) : std::string();
}
#ifdef UNIPC_HPP_THROWS
/// Calls with an error_code, and throws what it reports.
template <class Call>
auto throwing(Call call) -> decltype(call(std::declval<std::error_code &>())) {
  std::error_code code;
  if constexpr (std::is_void_v<decltype(call(code))>) {
    call(code);
    if (code) throw error(code);
  } else {
    auto result = call(code);
    if (code) throw error(code);
    return result;
  }
}
#endif

/// A handle that closes itself.
template <class T, void (*Close)(T *)>
class handle {
public:
  handle() noexcept = default;
  explicit handle(T *raw) noexcept : raw_(raw) {}
  handle(handle &&other) noexcept : raw_(other.release()) {}
  handle &operator=(handle &&other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  handle(const handle &) = delete;
  handle &operator=(const handle &) = delete;
  ~handle() { Close(raw_); }

  /// False: nothing is open (never opened, moved from, closed).
  explicit operator bool() const noexcept { return raw_ != nullptr; }
  /// The C handle, still owned here.
  T *get() const noexcept { return raw_; }
  /// The C handle, now the caller's.
  T *release() noexcept { return std::exchange(raw_, nullptr); }
  void reset(T *raw = nullptr) noexcept { Close(std::exchange(raw_, raw)); }
  void close() noexcept { reset(); }

protected:
  T *raw_ = nullptr;
};
}  // namespace detail

/// Bytes to be sent: a pointer and a length, or a container of bytes (std::string_view, std::vector<std::byte>, std::array, std::span).
struct bytes : unipc_bytes {
  constexpr bytes(const void *start, std::size_t size) noexcept : unipc_bytes{start, size} {}
  template <class Container, std::enable_if_t<detail::is_byte_container<const Container>::value, int> = 0>
  constexpr bytes(const Container &container) noexcept : unipc_bytes{container.data(), container.size()} {}
};

/// Bytes to be filled.
struct buffer : unipc_buffer {
  constexpr buffer(void *start, std::size_t size) noexcept : unipc_buffer{start, size} {}
  template <class Container, std::enable_if_t<detail::is_byte_container<Container>::value &&
                                                  !std::is_const_v<std::remove_pointer_t<decltype(std::declval<Container &>().data())>>,
                                              int> = 0>
  constexpr buffer(Container &container) noexcept : unipc_buffer{container.data(), container.size()} {}
};

// The options of unipc.h, born with their size set and every field at its default.
using pipe_options = detail::sized<unipc_pipe_options>;
using fifo_options = detail::sized<unipc_fifo_options>;
using unix_listen_options = detail::sized<unipc_unix_listen_options>;
using unix_connect_options = detail::sized<unipc_unix_connect_options>;
using tcp_options = detail::sized<unipc_tcp_options>;
using framed_options = detail::sized<unipc_framed_options>;
using memory_options = detail::sized<unipc_memory_options>;
using mutex_options = detail::sized<unipc_mutex_options>;
using semaphore_options = detail::sized<unipc_semaphore_options>;
using posix_semaphore_options = detail::sized<unipc_posix_semaphore_options>;
using credentials = detail::sized<unipc_credentials>;

// ---- Ending a wait early ---------------------------------------------------------------------------------------------------------------

/// Ends waits from a signal handler or another thread: they fail with std::errc::operation_canceled.
class stop : public detail::handle<unipc_stop, unipc_stop_close> {
public:
  using handle::handle;

  /// While it lives, the waits of this thread end with the token.
  class binding {
  public:
    binding(const binding &) = delete;
    binding &operator=(const binding &) = delete;
    ~binding() { unipc_stop_bind(nullptr); }

  private:
    friend class stop;
    binding(const unipc_stop *raw, std::error_code &code) noexcept { detail::succeeded(unipc_stop_bind(raw), code); }
  };

  static stop create(std::error_code &code) noexcept {
    unipc_stop *raw = nullptr;
    detail::succeeded(unipc_stop_create(&raw), code);
    return stop(raw);
  }
  /// May be called in a signal handler.
  void request() const noexcept { unipc_stop_request(raw_); }
  void reset_request() const noexcept { unipc_stop_reset(raw_); }
  bool is_requested() const noexcept { return unipc_stop_is_requested(raw_) == 1; }
  [[nodiscard]] binding bind(std::error_code &code) const noexcept { return binding(raw_, code); }
  /// Readable while the stop is requested.
  int fd() const noexcept { return unipc_stop_fd(raw_); }

#ifdef UNIPC_HPP_THROWS
  static stop create() { return detail::throwing([&](std::error_code &code) { return create(code); }); }
  [[nodiscard]] binding bind() const {
    if (raw_ == nullptr) throw error(std::make_error_code(std::errc::invalid_argument));
    std::error_code ignored;  // binding a token that is there does not fail
    return binding(raw_, ignored);
  }
#endif
};

// ---- Streams ---------------------------------------------------------------------------------------------------------------------------

/// A pipe end, a FIFO end, a Unix or a TCP connection: bytes without boundaries.
class stream : public detail::handle<unipc_stream, unipc_stream_close> {
public:
  using handle::handle;

  static stream connect_unix(name path, timeout limit, const unix_connect_options &options, std::error_code &code) noexcept {
    return made([&](unipc_stream **raw) { return unipc_stream_connect_unix(path.c_str(), &options, limit.nanoseconds(), raw); }, code);
  }
  /// A host of nullptr is this machine.
  static stream connect_tcp(name host, std::uint32_t port, timeout limit, const tcp_options &options, std::error_code &code) noexcept {
    return made([&](unipc_stream **raw) { return unipc_stream_connect_tcp(host.c_str(), port, &options, limit.nanoseconds(), raw); }, code);
  }
  /// The timeout is for the other side to open its end; so in the three that follow.
  static stream open_fifo_reader(name path, timeout limit, const fifo_options &options, std::error_code &code) noexcept {
    return made([&](unipc_stream **raw) { return unipc_stream_open_fifo_reader(path.c_str(), &options, limit.nanoseconds(), raw); }, code);
  }
  static stream open_fifo_writer(name path, timeout limit, const fifo_options &options, std::error_code &code) noexcept {
    return made([&](unipc_stream **raw) { return unipc_stream_open_fifo_writer(path.c_str(), &options, limit.nanoseconds(), raw); }, code);
  }
  static stream open_or_create_fifo_reader(name path, timeout limit, const fifo_options &options, std::error_code &code) noexcept {
    return made(
        [&](unipc_stream **raw) { return unipc_stream_open_or_create_fifo_reader(path.c_str(), &options, limit.nanoseconds(), raw); }, code);
  }
  static stream open_or_create_fifo_writer(name path, timeout limit, const fifo_options &options, std::error_code &code) noexcept {
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
  /// Readable until a read with a timeout of zero says that it would wait.
  int fd() const noexcept { return unipc_stream_fd(raw_); }
  /// The descriptor, now the caller's; the handle is gone.
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_stream_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }

#ifdef UNIPC_HPP_THROWS
  static stream connect_unix(name path, timeout limit, const unix_connect_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return connect_unix(path, limit, options, code); });
  }
  static stream connect_tcp(name host, std::uint32_t port, timeout limit, const tcp_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return connect_tcp(host, port, limit, options, code); });
  }
  static stream open_fifo_reader(name path, timeout limit, const fifo_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_fifo_reader(path, limit, options, code); });
  }
  static stream open_fifo_writer(name path, timeout limit, const fifo_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_fifo_writer(path, limit, options, code); });
  }
  static stream open_or_create_fifo_reader(name path, timeout limit, const fifo_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create_fifo_reader(path, limit, options, code); });
  }
  static stream open_or_create_fifo_writer(name path, timeout limit, const fifo_options &options = {}) {
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
    return detail::throwing([&](std::error_code &code) { return read_exact(into, limit, code); });
  }
  std::size_t write_all(bytes data, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return write_all(data, limit, code); });
  }
  std::size_t read_vectored(const unipc_buffer *buffers, std::size_t count, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return read_vectored(buffers, count, limit, code); });
  }
  std::size_t write_vectored(const unipc_bytes *parts, std::size_t count, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return write_vectored(parts, count, limit, code); });
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
  credentials peer_credentials() const {
    return detail::throwing([&](std::error_code &code) { return peer_credentials(code); });
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
inline void create_fifo(name path, const fifo_options &options, std::error_code &code) noexcept {
  detail::succeeded(unipc_fifo_create(path.c_str(), &options), code);
}
inline void unlink_fifo(name path, std::error_code &code) noexcept { detail::succeeded(unipc_fifo_unlink(path.c_str()), code); }
#ifdef UNIPC_HPP_THROWS
inline pipe_ends pipe(const pipe_options &options = {}) {
  return detail::throwing([&](std::error_code &code) { return pipe(options, code); });
}
inline std::pair<stream, stream> socketpair() {
  return detail::throwing([](std::error_code &code) { return socketpair(code); });
}
inline void create_fifo(name path, const fifo_options &options = {}) {
  detail::throwing([&](std::error_code &code) { create_fifo(path, options, code); });
}
inline void unlink_fifo(name path) {
  detail::throwing([&](std::error_code &code) { unlink_fifo(path, code); });
}
#endif

/// Accepts connections. Closing removes the path that it published.
class listener : public detail::handle<unipc_listener, unipc_listener_close> {
public:
  using handle::handle;

  /// A path, or "@name" in the abstract namespace.
  static listener open_unix(name path, const unix_listen_options &options, std::error_code &code) noexcept {
    unipc_listener *raw = nullptr;
    detail::succeeded(unipc_listener_open_unix(path.c_str(), &options, &raw), code);
    return listener(raw);
  }
  /// A host of nullptr is the loopback; port 0 lets the system choose, and port() tells.
  static listener open_tcp(name host, std::uint32_t port, const tcp_options &options, std::error_code &code) noexcept {
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
  static listener open_unix(name path, const unix_listen_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_unix(path, options, code); });
  }
  static listener open_tcp(name host, std::uint32_t port, const tcp_options &options = {}) {
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
    using clock = std::chrono::steady_clock;
    auto start = clock::now();
    unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
    message.resize(message.capacity());
    auto length = received(message, limit, &info, code);
    if (code == std::errc::message_size) {
      message.resize(static_cast<std::size_t>(info.size));
      bool endless = limit.nanoseconds() == UNIPC_FOREVER;
      timeout rest = endless ? limit : timeout(std::chrono::nanoseconds(limit.nanoseconds()) - (clock::now() - start));
      length = received(message, rest, nullptr, code);
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

// ---- Memory ----------------------------------------------------------------------------------------------------------------------------

/// Bytes that several processes map. Handles may be closed in any order; the bytes live until the last is gone and the name is unlinked.
class memory : public detail::handle<unipc_memory, unipc_memory_close> {
public:
  using handle::handle;

  static memory create(name object, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_create_posix(object.c_str(), &options, raw); }, code);
  }
  static memory open(name object, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_open_posix(object.c_str(), &options, raw); }, code);
  }
  static memory open_or_create(name object, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_open_or_create_posix(object.c_str(), &options, raw); }, code);
  }
  /// Without a name: shared with the children that fork makes.
  static memory anonymous(std::size_t size, std::error_code &code) noexcept {
    memory_options options;
    options.size = size;
    return made([&](unipc_memory **raw) { return unipc_memory_create_anonymous(&options, raw); }, code);
  }
  static memory from_fd(int fd, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_from_fd(fd, &options, raw); }, code);
  }
  static void unlink(name object, std::error_code &code) noexcept { detail::succeeded(unipc_memory_unlink_posix(object.c_str()), code); }

  /// Gives the name to memory that was created with `unpublished`.
  void publish(std::error_code &code) noexcept { detail::succeeded(unipc_memory_publish(raw_), code); }
  /// Whether this handle made the object.
  bool was_created() const noexcept { return unipc_memory_was_created(raw_) == 1; }
  /// The first byte of the newest mapping; earlier ones stay valid until the close.
  void *address() const noexcept { return unipc_memory_address(raw_); }
  std::size_t size() const noexcept { return unipc_memory_size(raw_); }
  void resize(std::size_t size, std::error_code &code) noexcept { detail::succeeded(unipc_memory_resize(raw_, size), code); }
  /// Maps what another process has added.
  void refresh(std::error_code &code) noexcept { detail::succeeded(unipc_memory_refresh(raw_), code); }
  void read(std::size_t offset, buffer into, std::error_code &code) const noexcept {
    detail::succeeded(unipc_memory_read(raw_, offset, into.data, into.length), code);
  }
  void write(std::size_t offset, bytes data, std::error_code &code) noexcept {
    detail::succeeded(unipc_memory_write(raw_, offset, data.data, data.length), code);
  }
  int fd() const noexcept { return unipc_memory_fd(raw_); }
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_memory_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }

#ifdef UNIPC_HPP_THROWS
  static memory create(name object, const memory_options &options) {
    return detail::throwing([&](std::error_code &code) { return create(object, options, code); });
  }
  static memory open(name object, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(object, options, code); });
  }
  static memory open_or_create(name object, const memory_options &options) {
    return detail::throwing([&](std::error_code &code) { return open_or_create(object, options, code); });
  }
  static memory anonymous(std::size_t size) {
    return detail::throwing([&](std::error_code &code) { return anonymous(size, code); });
  }
  static memory from_fd(int fd, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, options, code); });
  }
  static void unlink(name object) {
    detail::throwing([&](std::error_code &code) { unlink(object, code); });
  }
  void publish() {
    detail::throwing([&](std::error_code &code) { publish(code); });
  }
  void resize(std::size_t size) {
    detail::throwing([&](std::error_code &code) { resize(size, code); });
  }
  void refresh() {
    detail::throwing([&](std::error_code &code) { refresh(code); });
  }
  void read(std::size_t offset, buffer into) const {
    detail::throwing([&](std::error_code &code) { read(offset, into, code); });
  }
  void write(std::size_t offset, bytes data) {
    detail::throwing([&](std::error_code &code) { write(offset, data, code); });
  }
  int into_fd() {
    return detail::throwing([&](std::error_code &code) { return into_fd(code); });
  }
#endif

private:
  template <class Make>
  static memory made(Make make, std::error_code &code) noexcept {
    unipc_memory *raw = nullptr;
    detail::succeeded(make(&raw), code);
    return memory(raw);
  }
};

/// May a T begin its life as zero bytes that other processes write? Yes if it is trivially copyable, or is never copied and trivially
/// made and destroyed (a struct with a mutex in it). For another type that is fit for it, specialise this. Pointers in T, also hidden
/// ones, mean nothing in another process; the compiler cannot see them.
template <class T>
struct may_be_shared
    : std::bool_constant<std::is_trivially_copyable_v<T> || (!std::is_copy_constructible_v<T> && std::is_trivially_destructible_v<T> &&
                                                             std::is_trivially_default_constructible_v<T>)> {};

/// A T in memory of its own, zero bytes at first.
template <class T>
class shared {
  static_assert(may_be_shared<T>::value, "T must be trivially copyable, or trivially made and destroyed, or marked by may_be_shared");
  static_assert(std::is_standard_layout_v<T>, "the layout of T must be the same in every program that sees it");
  static_assert(!std::is_pointer_v<T>, "a pointer means nothing in another process");
  static_assert(alignof(T) <= 4096, "memory is aligned to pages");

public:
  shared() noexcept = default;

  static shared create(name object, memory_options options, std::error_code &code) noexcept {
    options.size = sizeof(T);
    return shared(memory::create(object, options, code));
  }
  static shared open(name object, memory_options options, std::error_code &code) noexcept {
    options.size = sizeof(T);
    options.access = UNIPC_READ_WRITE;
    return shared(memory::open(object, options, code));
  }
  static shared open_or_create(name object, memory_options options, std::error_code &code) noexcept {
    options.size = sizeof(T);
    return shared(memory::open_or_create(object, options, code));
  }
  static shared anonymous(std::error_code &code) noexcept { return shared(memory::anonymous(sizeof(T), code)); }

#ifdef UNIPC_HPP_THROWS
  static shared create(name object, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create(object, options, code); });
  }
  static shared open(name object, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(object, options, code); });
  }
  static shared open_or_create(name object, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create(object, options, code); });
  }
  static shared anonymous() {
    return detail::throwing([](std::error_code &code) { return anonymous(code); });
  }
#endif

  T *get() const noexcept { return static_cast<T *>(bytes_.address()); }
  T *operator->() const noexcept { return get(); }
  T &operator*() const noexcept { return *get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(bytes_); }
  /// Whether this handle made the object.
  bool was_created() const noexcept { return bytes_.was_created(); }
  memory &bytes() noexcept { return bytes_; }

private:
  explicit shared(memory &&bytes) noexcept : bytes_(std::move(bytes)) {}
  memory bytes_;
};

// ---- Synchronisation -------------------------------------------------------------------------------------------------------------------

class recovery_guard;

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
  bool try_lock(std::error_code &code) noexcept { return tried(0, code); }
  /// False without an error: the time ran out.
  bool try_lock_for(timeout limit, std::error_code &code) noexcept { return tried(limit.nanoseconds(), code); }
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
  bool tried(std::int64_t limit, std::error_code &code) noexcept {
    int result = unipc_mutex_lock(&raw_, limit);
    code = result == -EAGAIN || result == -ETIMEDOUT ? std::error_code() : code_of(result);
    return result >= 0;
  }
  unipc_mutex raw_;
};

/// A held mutex, of which it is known whether its last holder died.
class recovery_guard {
public:
  recovery_guard(recovery_guard &&other) noexcept : held_(std::exchange(other.held_, nullptr)), repair_(other.repair_) {}
  recovery_guard(const recovery_guard &) = delete;
  recovery_guard &operator=(const recovery_guard &) = delete;
  ~recovery_guard() { unlock(); }

  explicit operator bool() const noexcept { return held_ != nullptr; }
  /// The last holder died: what the mutex guards may be half-written. Without mark_consistent the need stays for the next.
  bool needs_repair() const noexcept { return repair_; }
  void mark_consistent(std::error_code &code) noexcept {
    if (detail::succeeded(unipc_mutex_mark_consistent(held_), code)) repair_ = false;
  }
  void unlock() noexcept {
    if (unipc_mutex *held = std::exchange(held_, nullptr)) unipc_mutex_unlock(held);
  }
#ifdef UNIPC_HPP_THROWS
  void mark_consistent() {
    detail::throwing([&](std::error_code &code) { mark_consistent(code); });
  }
#endif

private:
  friend class mutex;
  recovery_guard(unipc_mutex *held, bool repair) noexcept : held_(held), repair_(repair) {}
  unipc_mutex *held_;
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
  bool try_wait(std::error_code &code) noexcept { return wait_for(std::chrono::nanoseconds::zero(), code); }
  /// False without an error: the time ran out.
  bool wait_for(timeout limit, std::error_code &code) noexcept {
    static_cast<Self *>(this)->wait(limit, code);
    if (code != std::errc::resource_unavailable_try_again && code != std::errc::timed_out) return !code;
    code.clear();
    return false;
  }
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
  unipc_semaphore raw_;
};

/// A named POSIX semaphore, the same object as sem_open's.
class posix_semaphore : public detail::handle<unipc_posix_semaphore, unipc_posix_semaphore_close>, public detail::waits<posix_semaphore> {
public:
  using handle::handle;
  using options_type = posix_semaphore_options;
#ifdef UNIPC_HPP_THROWS
  using waits::post, waits::value, waits::wait;
  static posix_semaphore create(name object, const options_type &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create(object, options, code); });
  }
  static posix_semaphore open(name object, const options_type &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(object, options, code); });
  }
  static posix_semaphore open_or_create(name object, const options_type &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create(object, options, code); });
  }
  static void unlink(name object) {
    detail::throwing([&](std::error_code &code) { unlink(object, code); });
  }
#endif
  static posix_semaphore create(name object, const options_type &options, std::error_code &code) noexcept {
    return made(unipc_posix_semaphore_create, object, options, code);
  }
  static posix_semaphore open(name object, const options_type &options, std::error_code &code) noexcept {
    return made(unipc_posix_semaphore_open, object, options, code);
  }
  static posix_semaphore open_or_create(name object, const options_type &options, std::error_code &code) noexcept {
    return made(unipc_posix_semaphore_open_or_create, object, options, code);
  }
  static void unlink(name object, std::error_code &code) noexcept { detail::succeeded(unipc_posix_semaphore_unlink(object.c_str()), code); }
  void wait(timeout limit, std::error_code &code) noexcept {
    detail::succeeded(unipc_posix_semaphore_wait(raw_, limit.nanoseconds()), code);
  }
  void post(std::error_code &code) noexcept { detail::succeeded(unipc_posix_semaphore_post(raw_), code); }
  int value(std::error_code &code) const noexcept { return static_cast<int>(detail::count(unipc_posix_semaphore_value(raw_), code)); }

private:
  template <class Make>
  static posix_semaphore made(Make make, name object, const options_type &options, std::error_code &code) noexcept {
    unipc_posix_semaphore *raw = nullptr;
    detail::succeeded(make(object.c_str(), &options, &raw), code);
    return posix_semaphore(raw);
  }
};

static_assert(std::is_standard_layout_v<mutex> && sizeof(mutex) == sizeof(unipc_mutex), "the same bytes as in C");
static_assert(std::is_standard_layout_v<semaphore> && sizeof(semaphore) == sizeof(unipc_semaphore), "the same bytes as in C");

}  // namespace unipc

template <>
struct std::is_error_code_enum<unipc::errc> : std::true_type {};

#undef UNIPC_HPP_THROWS
#endif  // UNIPC_HPP
