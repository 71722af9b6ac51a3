// unipc for C++17: many reads and writes at once (io_uring). See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_RING_HPP
#define UNIPC_RING_HPP

#include "basics.hpp"

namespace unipc {

using ring_operation = unipc_ring_operation;
using ring_completion = unipc_ring_completion;

/// Many reads and writes handed to the kernel at once, and told as each completes, in any order. It owns the buffers, and closing it cancels what is in flight.
class ring : public detail::handle<unipc_ring, unipc_ring_close> {
public:
  using handle::handle;

  /// Up to so many bytes, at least one or the end.
  static ring_operation read(int fd, std::size_t length, std::uint64_t token, std::uint64_t offset = UNIPC_RING_POSITION) noexcept {
    return {token, offset, nullptr, length, fd, UNIPC_RING_READ};
  }
  /// The bytes are copied when it is submitted.
  static ring_operation write(int fd, const void *data, std::size_t length, std::uint64_t token,
                              std::uint64_t offset = UNIPC_RING_POSITION) noexcept {
    return {token, offset, data, length, fd, UNIPC_RING_WRITE};
  }
  /// Whether this machine has it; if not, the code is errc::unavailable and unipc_error_text says why.
  static bool available(std::error_code &code) noexcept { return detail::succeeded(unipc_ring_available(), code); }
  static ring create(std::uint32_t capacity, std::error_code &code) noexcept {
    unipc_ring *raw = nullptr;
    detail::succeeded(unipc_ring_create(capacity, &raw), code);
    return ring(raw);
  }
  /// All or none.
  void submit(const ring_operation *operations, std::size_t count, std::error_code &code) noexcept {
    detail::succeeded(unipc_ring_submit(raw_, operations, count), code);
  }
  /// How many were told; 0: nothing is in flight. Their data is good until the next call.
  std::size_t wait(ring_completion *completions, std::size_t capacity, timeout limit, std::error_code &code) noexcept {
    int room = capacity > 1u << 30 ? 1 << 30 : static_cast<int>(capacity);
    return detail::count(unipc_ring_wait(raw_, completions, room, limit.nanoseconds()), code);
  }
  /// How many there are in flight with this token; each completes all the same.
  std::size_t cancel(std::uint64_t token, std::error_code &code) noexcept { return detail::count(unipc_ring_cancel(raw_, token), code); }
  /// For a poller.
  int fd() const noexcept { return unipc_ring_fd(raw_); }

#ifdef UNIPC_HPP_THROWS
  /// Throws if it is not, saying why.
  static bool available() {
    return detail::throwing([](std::error_code &code) { return available(code); });
  }
  static ring create(std::uint32_t capacity) { return detail::throwing([&](std::error_code &code) { return create(capacity, code); }); }
  void submit(const ring_operation *operations, std::size_t count) {
    detail::throwing([&](std::error_code &code) { submit(operations, count, code); });
  }
  std::size_t wait(ring_completion *completions, std::size_t capacity, timeout limit = forever) {
    return detail::throwing([&](std::error_code &code) { return wait(completions, capacity, limit, code); });
  }
  std::size_t cancel(std::uint64_t token) {
    return detail::throwing([&](std::error_code &code) { return cancel(token, code); });
  }
#endif
};

}  // namespace unipc

#endif  // UNIPC_RING_HPP
