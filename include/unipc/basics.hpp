// unipc for C++17: errors, timeouts, names, buffers, the stop token. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_BASICS_HPP
#define UNIPC_BASICS_HPP

#include "../unipc.h"

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
#include <vector>

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

namespace detail {
/// The failure that the calling thread has just met.
struct just_met {};
}  // namespace detail

/// What the calls without a `std::error_code &` throw: what() names the operation, the object and the remedy where one is known. One that is made of a code
/// alone knows no more than the code.
class error : public std::system_error {
public:
  explicit error(std::error_code code, std::size_t transferred = 0)
      : std::system_error(code), text_(code.message()), transferred_(transferred) {}
  error(std::error_code code, detail::just_met, std::size_t transferred = 0)
      : std::system_error(code), text_(describe(code)), transferred_(transferred) {}
  const char *what() const noexcept override { return text_.what(); }
  /// How many bytes had gone through before it failed: of read_exact, write_all, send_fds on a stream, and transfer.
  std::size_t transferred() const noexcept { return transferred_; }

private:
  // The detail is kept per thread for the last failure, so this has to be asked before anything else is called.
  static std::string describe(std::error_code code) {
    int number = code.category() == category() ? code.value() : -code.value();
    char text[1024];
    unipc_error_text(number, text, sizeof text);
    return text;
  }
  std::runtime_error text_;  // copies of an exception must not throw; those of this type do not
  std::size_t transferred_;
};
#ifdef UNIPC_HPP_THROWS
static_assert(std::is_nothrow_copy_constructible_v<error>, "a copy of what is thrown must not throw");
#endif

/// The name of a code: "EAGAIN", "UNIPC_END"; "success" for none, "unknown" for another library's.
inline const char *error_name(std::error_code code) noexcept {
  if (code.category() == category()) return unipc_error_name(code.value());
  bool is_errno = code.category() == std::generic_category() || code.category() == std::system_category();
  return is_errno ? unipc_error_name(-code.value()) : "unknown";
}
/// The version of the library that is running, "0.1.0".
inline const char *version() noexcept { return unipc_version(); }

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

/// A name or a path: a string literal, std::string, std::string_view (which is copied, for the zero at its end), std::filesystem::path. One with a zero
/// byte inside becomes the empty name, which every call refuses, never a shorter name.
class name {
public:
  name(std::nullptr_t) noexcept : text_(nullptr) {}
  name(const char *text) noexcept : text_(text) {}
  name(const std::string &text) noexcept : text_(checked(text)) {}
  name(std::string_view text) : copy_(text), text_(checked(copy_)) {}
  /// A path, or whatever else is a string natively.
  template <class Path, std::enable_if_t<std::is_same_v<decltype(std::declval<const Path &>().native()), const std::string &>, int> = 0>
  name(const Path &path) noexcept : text_(checked(path.native())) {}
  name(const name &) = delete;
  name &operator=(const name &) = delete;
  const char *c_str() const noexcept { return text_; }

private:
  static const char *checked(const std::string &text) noexcept { return text.find('\0') == std::string::npos ? text.c_str() : ""; }
  std::string copy_;
  const char *text_;
};

namespace detail {
template <class T, class = void>
struct is_byte_container : std::false_type {};
template <class T>
struct is_byte_container<T, std::void_t<decltype(std::declval<T &>().data()), decltype(std::declval<T &>().size())>>
    : std::bool_constant<std::is_class_v<std::remove_cv_t<T>> && sizeof(*std::declval<T &>().data()) == 1 &&
                         std::is_trivially_copyable_v<std::remove_pointer_t<decltype(std::declval<T &>().data())>>> {};

/// What an array of is bytes, and no text.
template <class T>
struct is_byte : std::bool_constant<std::is_same_v<T, unsigned char> || std::is_same_v<T, signed char> || std::is_same_v<T, std::byte>> {};

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
/// The numbers of a C function that fills an array and returns how many there are.
template <class Fill>
std::vector<std::uint32_t> groups_of(Fill fill, std::error_code &code) {
  std::vector<std::uint32_t> groups;
  std::ptrdiff_t count = fill(nullptr, 0);
  if (succeeded(count, code) && count > 0) {
    groups.resize(static_cast<std::size_t>(count));
    count = fill(groups.data(), groups.size());
  }
  if (!succeeded(count, code)) groups.clear();
  return groups;
}
/// The rest of a time that several waits share.
class countdown {
public:
  explicit countdown(timeout limit) noexcept : limit_(limit), start_(clock::now()) {}
  /// Once there was time, running out of it is a timeout, and not a wait of zero.
  timeout rest() const noexcept {
    if (limit_.nanoseconds() == UNIPC_FOREVER || limit_.nanoseconds() <= 0) return limit_;
    auto rest = std::chrono::nanoseconds(limit_.nanoseconds()) - (clock::now() - start_);
    return rest > std::chrono::nanoseconds(1) ? rest : std::chrono::nanoseconds(1);
  }
  bool never_waits() const noexcept { return limit_.nanoseconds() <= 0; }

private:
  using clock = std::chrono::steady_clock;
  timeout limit_;
  clock::time_point start_;
};

#ifdef UNIPC_HPP_THROWS
/// Calls with an error_code, and throws what it reports, with how much had gone through.
template <class Call>
std::size_t throwing_count(Call call) {
  std::error_code code;
  std::size_t transferred = call(code);
  if (code) throw error(code, just_met{}, transferred);
  return transferred;
}
/// Calls with an error_code, and throws what it reports.
template <class Call>
auto throwing(Call call) -> decltype(call(std::declval<std::error_code &>())) {
  std::error_code code;
  if constexpr (std::is_void_v<decltype(call(code))>) {
    call(code);
    if (code) throw error(code, just_met{});
  } else {
    auto result = call(code);
    if (code) throw error(code, just_met{});
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
  /// A string literal, without the zero at its end.
  template <std::size_t N>
  constexpr bytes(const char (&text)[N]) noexcept : unipc_bytes{text, N - 1} {}
  /// An array of bytes, the whole of it.
  template <class T, std::size_t N, std::enable_if_t<detail::is_byte<T>::value, int> = 0>
  constexpr bytes(const T (&array)[N]) noexcept : unipc_bytes{array, N} {}
  /// How much of an array of characters is meant is not known.
  template <std::size_t N>
  bytes(char (&)[N]) = delete;
};

/// Bytes to be filled: a pointer and a length, an array, a container of bytes in its present size, or a view of them such as std::span.
struct buffer : unipc_buffer {
  constexpr buffer(void *start, std::size_t size) noexcept : unipc_buffer{start, size} {}
  template <class T, std::size_t N, std::enable_if_t<std::is_same_v<T, char> || detail::is_byte<T>::value, int> = 0>
  constexpr buffer(T (&array)[N]) noexcept : unipc_buffer{array, N} {}
  /// What lets its bytes be changed though it is const itself owns none: it may be a temporary.
  template <class View, std::enable_if_t<detail::is_byte_container<const View>::value &&
                                             !std::is_const_v<std::remove_pointer_t<decltype(std::declval<const View &>().data())>>,
                                         int> = 0>
  constexpr buffer(const View &view) noexcept : unipc_buffer{view.data(), view.size()} {}
  template <class Container, std::enable_if_t<detail::is_byte_container<Container>::value &&
                                                  !std::is_const_v<std::remove_pointer_t<decltype(std::declval<Container &>().data())>>,
                                              int> = 0>
  constexpr buffer(Container &container) noexcept : unipc_buffer{container.data(), container.size()} {}
};

static_assert(sizeof(bytes) == sizeof(unipc_bytes) && sizeof(buffer) == sizeof(unipc_buffer), "an array of the one is one of the other");

// The options of unipc.h, born with their size set and every field at its default.
using pipe_options = detail::sized<unipc_pipe_options>;
using fifo_options = detail::sized<unipc_fifo_options>;
using unix_listen_options = detail::sized<unipc_unix_listen_options>;
using unix_connect_options = detail::sized<unipc_unix_connect_options>;
using tcp_options = detail::sized<unipc_tcp_options>;
using framed_options = detail::sized<unipc_framed_options>;
using memory_options = detail::sized<unipc_memory_options>;
using sysv_memory_status = detail::sized<unipc_sysv_memory_status>;
using mutex_options = detail::sized<unipc_mutex_options>;
using semaphore_options = detail::sized<unipc_semaphore_options>;
using event_options = detail::sized<unipc_event_options>;
using posix_semaphore_options = detail::sized<unipc_posix_semaphore_options>;
using posix_semaphore_status = detail::sized<unipc_posix_semaphore_status>;
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

/// Takes a copy of another process's descriptor, which is the caller's; -1 in failure. See unipc_descriptor_take.
inline int take_descriptor(int pidfd, int number, std::error_code &code) noexcept {
  int fd = unipc_descriptor_take(pidfd, number);
  return detail::succeeded(fd, code) ? fd : -1;
}
/// SIGPIPE is ignored from now on, in the whole program.
inline void ignore_sigpipe(std::error_code &code) noexcept { detail::succeeded(unipc_ignore_sigpipe(), code); }
#ifdef UNIPC_HPP_THROWS
inline int take_descriptor(int pidfd, int number) {
  return detail::throwing([&](std::error_code &code) { return take_descriptor(pidfd, number, code); });
}
inline void ignore_sigpipe() {
  detail::throwing([](std::error_code &code) { ignore_sigpipe(code); });
}
#endif

}  // namespace unipc

template <>
struct std::is_error_code_enum<unipc::errc> : std::true_type {};

#endif  // UNIPC_BASICS_HPP
