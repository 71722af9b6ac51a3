// unipc for C++17: one wait over many. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_POLLER_HPP
#define UNIPC_POLLER_HPP

#include "message.hpp"
#include "sync.hpp"
#include "sysv_semaphores.hpp"

namespace unipc {

using poller_event = unipc_poller_event;

/// One wait over descriptors, and over objects that have none and are asked instead. Interest and what is ready are made of UNIPC_POLLER_READABLE and
/// so on. A token is a number, or a pointer that token_of has turned into one; remove a source before its descriptor is closed.
class poller : public detail::handle<unipc_poller, unipc_poller_close> {
public:
  using handle::handle;
  using source = std::uint64_t;

  /// A pointer as a token, and back.
  template <class T>
  static std::uint64_t token_of(T *pointer) noexcept { return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(pointer)); }
  template <class T>
  static T *pointer_of(const poller_event &event) noexcept { return reinterpret_cast<T *>(static_cast<std::uintptr_t>(event.token)); }

  static poller create(std::error_code &code) noexcept {
    unipc_poller *raw = nullptr;
    detail::succeeded(unipc_poller_create(&raw), code);
    return poller(raw);
  }
  source add(int fd, std::uint32_t interest, std::uint64_t token, std::error_code &code) noexcept {
    source added = 0;
    detail::succeeded(unipc_poller_add(raw_, fd, interest, token, &added), code);
    return added;
  }
  /// Of type 0: any message.
  source add(const sysv_queue &queue, std::int64_t type, std::uint32_t flags, std::uint32_t interest, std::uint64_t token,
             std::error_code &code) noexcept {
    source added = 0;
    detail::succeeded(unipc_poller_add_sysv_queue(raw_, queue.get(), type, flags, interest, token, &added), code);
    return added;
  }
  /// Readable while semaphore `index` has at least so many units.
  source add(const sysv_semaphores &set, std::uint16_t index, std::uint16_t units, std::uint32_t interest, std::uint64_t token,
             std::error_code &code) noexcept {
    source added = 0;
    detail::succeeded(unipc_poller_add_sysv_semaphore(raw_, set.get(), index, units, interest, token, &added), code);
    return added;
  }
  /// The semaphore stays open until its removal here.
  source add(const posix_semaphore &semaphore, std::uint32_t interest, std::uint64_t token, std::error_code &code) noexcept {
    source added = 0;
    detail::succeeded(unipc_poller_add_posix_semaphore(raw_, semaphore.get(), interest, token, &added), code);
    return added;
  }
  /// The semaphore stays where it is until its removal here.
  source add(semaphore &in_memory, std::uint32_t interest, std::uint64_t token, std::error_code &code) noexcept {
    source added = 0;
    detail::succeeded(unipc_poller_add_semaphore(raw_, in_memory.get(), interest, token, &added), code);
    return added;
  }
  void modify(source which, std::uint32_t interest, std::error_code &code) noexcept {
    detail::succeeded(unipc_poller_modify(raw_, which, interest), code);
  }
  void remove(source which, std::error_code &code) noexcept { detail::succeeded(unipc_poller_remove(raw_, which), code); }
  /// Asked of the later events of an array when the work on the earlier ones removes sources.
  bool is_registered(source which) const noexcept { return unipc_poller_is_registered(raw_, which) == 1; }
  /// How many events were told.
  std::size_t wait(poller_event *events, std::size_t capacity, timeout limit, std::error_code &code) noexcept {
    int room = capacity > 1u << 30 ? 1 << 30 : static_cast<int>(capacity);
    return detail::count(unipc_poller_wait(raw_, events, room, limit.nanoseconds()), code);
  }
  /// May be called in a signal handler.
  void wake() const noexcept { unipc_poller_wake(raw_); }
  /// For a loop inside another.
  int fd() const noexcept { return unipc_poller_fd(raw_); }
  /// Whether some source has no descriptor: fd() tells nothing of those.
  bool is_asking() const noexcept { return unipc_poller_is_asking(raw_) == 1; }

#ifdef UNIPC_HPP_THROWS
  static poller create() { return detail::throwing([&](std::error_code &code) { return create(code); }); }
  source add(int fd, std::uint32_t interest, std::uint64_t token) {
    return detail::throwing([&](std::error_code &code) { return add(fd, interest, token, code); });
  }
  source add(const sysv_queue &queue, std::int64_t type, std::uint32_t flags, std::uint32_t interest, std::uint64_t token) {
    return detail::throwing([&](std::error_code &code) { return add(queue, type, flags, interest, token, code); });
  }
  source add(const sysv_semaphores &set, std::uint16_t index, std::uint16_t units, std::uint32_t interest, std::uint64_t token) {
    return detail::throwing([&](std::error_code &code) { return add(set, index, units, interest, token, code); });
  }
  source add(const posix_semaphore &semaphore, std::uint32_t interest, std::uint64_t token) {
    return detail::throwing([&](std::error_code &code) { return add(semaphore, interest, token, code); });
  }
  source add(semaphore &in_memory, std::uint32_t interest, std::uint64_t token) {
    return detail::throwing([&](std::error_code &code) { return add(in_memory, interest, token, code); });
  }
  void modify(source which, std::uint32_t interest) {
    detail::throwing([&](std::error_code &code) { modify(which, interest, code); });
  }
  void remove(source which) {
    detail::throwing([&](std::error_code &code) { remove(which, code); });
  }
  std::size_t wait(poller_event *events, std::size_t capacity, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return wait(events, capacity, limit, code); });
  }
#endif
};

}  // namespace unipc

#endif  // UNIPC_POLLER_HPP
