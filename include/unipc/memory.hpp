// unipc for C++17: memory that processes share. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_MEMORY_HPP
#define UNIPC_MEMORY_HPP

#include "basics.hpp"

namespace unipc {

/// Bytes that several processes map. Handles may be closed in any order; the bytes live until the last is gone and the name is unlinked.
class memory : public detail::handle<unipc_memory, unipc_memory_close> {
public:
  using handle::handle;

  static memory create(const name &object, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_create_posix(object.c_str(), &options, raw); }, code);
  }
  static memory open(const name &object, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_open_posix(object.c_str(), &options, raw); }, code);
  }
  static memory open_or_create(const name &object, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_open_or_create_posix(object.c_str(), &options, raw); }, code);
  }
  /// Without a name: shared with the children that fork makes.
  static memory anonymous(std::size_t size, std::error_code &code) noexcept {
    memory_options options;
    options.size = size;
    return anonymous(options, code);
  }
  static memory anonymous(const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_create_anonymous(&options, raw); }, code);
  }
  /// A file that is memory.
  static memory create_file(const name &path, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_create_file(path.c_str(), &options, raw); }, code);
  }
  static memory open_file(const name &path, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_open_file(path.c_str(), &options, raw); }, code);
  }
  static memory open_or_create_file(const name &path, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_open_or_create_file(path.c_str(), &options, raw); }, code);
  }
  /// Known by its descriptor, and can be sealed.
  static memory memfd(const name &object, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_create_memfd(object.c_str(), &options, raw); }, code);
  }
  /// System V shared memory, known by a key.
  static memory create_sysv(std::int32_t key, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_create_sysv(key, &options, raw); }, code);
  }
  static memory create_private_sysv(const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_create_private_sysv(&options, raw); }, code);
  }
  static memory open_sysv(std::int32_t key, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_open_sysv(key, &options, raw); }, code);
  }
  static memory open_id_sysv(std::int32_t id, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_open_id_sysv(id, &options, raw); }, code);
  }
  static memory open_or_create_sysv(std::int32_t key, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_open_or_create_sysv(key, &options, raw); }, code);
  }
  static void remove_key_sysv(std::int32_t key, std::error_code &code) noexcept { detail::succeeded(unipc_memory_remove_key_sysv(key), code); }
  static memory from_fd(int fd, const memory_options &options, std::error_code &code) noexcept {
    return made([&](unipc_memory **raw) { return unipc_memory_from_fd(fd, &options, raw); }, code);
  }
  static void unlink(const name &object, std::error_code &code) noexcept { detail::succeeded(unipc_memory_unlink_posix(object.c_str()), code); }

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
  /// Writes what was stored in a file to the disk; a length of 0 is all to the end.
  void flush(std::size_t offset, std::size_t length, std::uint32_t flags, std::error_code &code) const noexcept {
    detail::succeeded(unipc_memory_flush(raw_, offset, length, flags), code);
  }
  void advise(std::size_t offset, std::size_t length, std::uint32_t advice, std::error_code &code) const noexcept {
    detail::succeeded(unipc_memory_advise(raw_, offset, length, advice), code);
  }
  void prefault(std::error_code &code) const noexcept { detail::succeeded(unipc_memory_prefault(raw_), code); }
  void pin(std::error_code &code) noexcept { detail::succeeded(unipc_memory_pin(raw_), code); }
  void unpin(std::error_code &code) noexcept { detail::succeeded(unipc_memory_unpin(raw_), code); }
  std::size_t page_size(std::error_code &code) const noexcept { return detail::count(unipc_memory_page_size(raw_), code); }
  /// UNIPC_SEAL_WRITE makes it read-only, and addresses from before are no longer valid.
  void seal(std::uint32_t seals, std::error_code &code) noexcept { detail::succeeded(unipc_memory_seal(raw_, seals), code); }
  std::uint32_t seals(std::error_code &code) const noexcept {
    return static_cast<std::uint32_t>(detail::count(unipc_memory_seals(raw_), code));
  }
  /// A new descriptor that can only read, which is the caller's.
  int read_only_fd(std::error_code &code) const noexcept {
    int fd = unipc_memory_read_only_fd(raw_);
    detail::succeeded(fd, code);
    return fd;
  }
  sysv_memory_status status_sysv(std::error_code &code) const noexcept {
    sysv_memory_status status;
    detail::succeeded(unipc_memory_get_status_sysv(raw_, &status), code);
    return status;
  }
  /// The kernel's number for System V memory.
  std::int32_t id_sysv(std::error_code &code) const noexcept {
    return static_cast<std::int32_t>(detail::count(unipc_memory_id_sysv(raw_), code));
  }
  void set_mode_sysv(unsigned mode, std::error_code &code) noexcept { detail::succeeded(unipc_memory_set_mode_sysv(raw_, mode), code); }
  /// UINT32_MAX leaves the one or the other.
  void set_owner_sysv(std::uint32_t uid, std::uint32_t gid, std::error_code &code) noexcept {
    detail::succeeded(unipc_memory_set_owner_sysv(raw_, uid, gid), code);
  }
  void remove_sysv(std::error_code &code) noexcept { detail::succeeded(unipc_memory_remove_sysv(raw_), code); }
  int fd() const noexcept { return unipc_memory_fd(raw_); }
  int into_fd(std::error_code &code) noexcept {
    int fd = unipc_memory_into_fd(raw_);
    if (detail::succeeded(fd, code)) raw_ = nullptr;
    return fd;
  }

#ifdef UNIPC_HPP_THROWS
  static memory create(const name &object, const memory_options &options) {
    return detail::throwing([&](std::error_code &code) { return create(object, options, code); });
  }
  static memory open(const name &object, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(object, options, code); });
  }
  static memory open_or_create(const name &object, const memory_options &options) {
    return detail::throwing([&](std::error_code &code) { return open_or_create(object, options, code); });
  }
  static memory anonymous(std::size_t size) {
    return detail::throwing([&](std::error_code &code) { return anonymous(size, code); });
  }
  static memory from_fd(int fd, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, options, code); });
  }
  static void unlink(const name &object) {
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
  static memory anonymous(const memory_options &options) {
    return detail::throwing([&](std::error_code &code) { return anonymous(options, code); });
  }
  static memory create_file(const name &path, const memory_options &options) {
    return detail::throwing([&](std::error_code &code) { return create_file(path, options, code); });
  }
  static memory open_file(const name &path, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_file(path, options, code); });
  }
  static memory open_or_create_file(const name &path, const memory_options &options) {
    return detail::throwing([&](std::error_code &code) { return open_or_create_file(path, options, code); });
  }
  static memory memfd(const name &object, const memory_options &options) {
    return detail::throwing([&](std::error_code &code) { return memfd(object, options, code); });
  }
  static memory create_sysv(std::int32_t key, const memory_options &options) {
    return detail::throwing([&](std::error_code &code) { return create_sysv(key, options, code); });
  }
  static memory create_private_sysv(const memory_options &options) {
    return detail::throwing([&](std::error_code &code) { return create_private_sysv(options, code); });
  }
  static memory open_sysv(std::int32_t key, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_sysv(key, options, code); });
  }
  static memory open_id_sysv(std::int32_t id, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_id_sysv(id, options, code); });
  }
  static memory open_or_create_sysv(std::int32_t key, const memory_options &options) {
    return detail::throwing([&](std::error_code &code) { return open_or_create_sysv(key, options, code); });
  }
  static void remove_key_sysv(std::int32_t key) {
    detail::throwing([&](std::error_code &code) { remove_key_sysv(key, code); });
  }
  void flush(std::size_t offset = 0, std::size_t length = 0, std::uint32_t flags = 0) const {
    detail::throwing([&](std::error_code &code) { flush(offset, length, flags, code); });
  }
  void advise(std::size_t offset, std::size_t length, std::uint32_t advice) const {
    detail::throwing([&](std::error_code &code) { advise(offset, length, advice, code); });
  }
  void prefault() const {
    detail::throwing([&](std::error_code &code) { prefault(code); });
  }
  void pin() {
    detail::throwing([&](std::error_code &code) { pin(code); });
  }
  void unpin() {
    detail::throwing([&](std::error_code &code) { unpin(code); });
  }
  std::size_t page_size() const {
    return detail::throwing([&](std::error_code &code) { return page_size(code); });
  }
  void seal(std::uint32_t seals) {
    detail::throwing([&](std::error_code &code) { seal(seals, code); });
  }
  std::uint32_t seals() const {
    return detail::throwing([&](std::error_code &code) { return seals(code); });
  }
  int read_only_fd() const {
    return detail::throwing([&](std::error_code &code) { return read_only_fd(code); });
  }
  sysv_memory_status status_sysv() const {
    return detail::throwing([&](std::error_code &code) { return status_sysv(code); });
  }
  std::int32_t id_sysv() const {
    return detail::throwing([&](std::error_code &code) { return id_sysv(code); });
  }
  void set_mode_sysv(unsigned mode) {
    detail::throwing([&](std::error_code &code) { set_mode_sysv(mode, code); });
  }
  void set_owner_sysv(std::uint32_t uid, std::uint32_t gid) {
    detail::throwing([&](std::error_code &code) { set_owner_sysv(uid, gid, code); });
  }
  void remove_sysv() {
    detail::throwing([&](std::error_code &code) { remove_sysv(code); });
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

  // Of each kind of memory, see there. EINVAL unless the access is to read and write: what is shared with a type is changed in place.
  static shared create(const name &object, const memory_options &options, std::error_code &code) noexcept {
    return made([&](const memory_options &fit) { return memory::create(object, fit, code); }, options, code);
  }
  static shared open(const name &object, const memory_options &options, std::error_code &code) noexcept {
    return made([&](const memory_options &fit) { return memory::open(object, fit, code); }, options, code);
  }
  static shared open_or_create(const name &object, const memory_options &options, std::error_code &code) noexcept {
    return made([&](const memory_options &fit) { return memory::open_or_create(object, fit, code); }, options, code);
  }
  static shared create_file(const name &path, const memory_options &options, std::error_code &code) noexcept {
    return made([&](const memory_options &fit) { return memory::create_file(path, fit, code); }, options, code);
  }
  static shared open_file(const name &path, const memory_options &options, std::error_code &code) noexcept {
    return made([&](const memory_options &fit) { return memory::open_file(path, fit, code); }, options, code);
  }
  static shared open_or_create_file(const name &path, const memory_options &options, std::error_code &code) noexcept {
    return made([&](const memory_options &fit) { return memory::open_or_create_file(path, fit, code); }, options, code);
  }
  static shared memfd(const name &object, const memory_options &options, std::error_code &code) noexcept {
    return made([&](const memory_options &fit) { return memory::memfd(object, fit, code); }, options, code);
  }
  static shared create_sysv(std::int32_t key, const memory_options &options, std::error_code &code) noexcept {
    return made([&](const memory_options &fit) { return memory::create_sysv(key, fit, code); }, options, code);
  }
  static shared open_sysv(std::int32_t key, const memory_options &options, std::error_code &code) noexcept {
    return made([&](const memory_options &fit) { return memory::open_sysv(key, fit, code); }, options, code);
  }
  static shared open_or_create_sysv(std::int32_t key, const memory_options &options, std::error_code &code) noexcept {
    return made([&](const memory_options &fit) { return memory::open_or_create_sysv(key, fit, code); }, options, code);
  }
  static shared from_fd(int fd, const memory_options &options, std::error_code &code) noexcept {
    return made([&](const memory_options &fit) { return memory::from_fd(fd, fit, code); }, options, code);
  }
  static shared anonymous(std::error_code &code) noexcept { return shared(memory::anonymous(sizeof(T), code)); }

#ifdef UNIPC_HPP_THROWS
  static shared create(const name &object, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create(object, options, code); });
  }
  static shared open(const name &object, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open(object, options, code); });
  }
  static shared open_or_create(const name &object, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create(object, options, code); });
  }
  static shared create_file(const name &path, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create_file(path, options, code); });
  }
  static shared open_file(const name &path, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_file(path, options, code); });
  }
  static shared open_or_create_file(const name &path, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create_file(path, options, code); });
  }
  static shared memfd(const name &object, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return memfd(object, options, code); });
  }
  static shared create_sysv(std::int32_t key, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return create_sysv(key, options, code); });
  }
  static shared open_sysv(std::int32_t key, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_sysv(key, options, code); });
  }
  static shared open_or_create_sysv(std::int32_t key, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return open_or_create_sysv(key, options, code); });
  }
  static shared from_fd(int fd, const memory_options &options = {}) {
    return detail::throwing([&](std::error_code &code) { return from_fd(fd, options, code); });
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
  template <class Make>
  static shared made(Make make, memory_options options, std::error_code &code) noexcept {
    options.size = sizeof(T);
    if (options.access != UNIPC_READ_WRITE) {
      code = std::make_error_code(std::errc::invalid_argument);
      return shared();
    }
    return shared(make(options));
  }
  explicit shared(memory &&bytes) noexcept : bytes_(std::move(bytes)) {}
  memory bytes_;
};

}  // namespace unipc

#endif  // UNIPC_MEMORY_HPP
