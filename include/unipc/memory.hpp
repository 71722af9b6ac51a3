// unipc for C++17: memory that processes share. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_MEMORY_HPP
#define UNIPC_MEMORY_HPP

#include "basics.hpp"

namespace unipc {

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

}  // namespace unipc

#endif  // UNIPC_MEMORY_HPP
