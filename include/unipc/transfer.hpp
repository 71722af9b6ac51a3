// unipc for C++17: bytes between descriptors without a copy. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_TRANSFER_HPP
#define UNIPC_TRANSFER_HPP

#include "basics.hpp"

namespace unipc {

using transfer_options = detail::sized<unipc_transfer_options>;
using transfer_result = detail::sized<unipc_transfer_result>;

/// From any descriptor to any, by the fastest way that the pair allows. `bytes` is told in failure, too.
inline transfer_result transfer(int source, int destination, const transfer_options &options, timeout limit, std::error_code &code) noexcept {
  transfer_result result;
  detail::succeeded(unipc_transfer(source, destination, &options, limit.nanoseconds(), &result), code);
  return result;
}
/// What a way is called: "splice"; nullptr for what is none.
inline const char *transfer_way_name(std::uint32_t way) noexcept { return unipc_transfer_way_name(way); }
/// Duplicates what is in a pipe into another; 0 is the end.
inline std::size_t tee(int source, int destination, std::size_t length, timeout limit, std::error_code &code) noexcept {
  return detail::count(unipc_transfer_tee(source, destination, length, limit.nanoseconds()), code);
}
/// Lends memory that never changes to a pipe; says how much of it.
inline std::size_t vmsplice(int pipe, bytes data, timeout limit, std::error_code &code) noexcept {
  return detail::count(unipc_transfer_vmsplice(pipe, data.data, data.length, limit.nanoseconds()), code);
}

#ifdef UNIPC_HPP_THROWS
inline transfer_result transfer(int source, int destination, const transfer_options &options = {}, timeout limit = forever) {
  std::error_code code;
  transfer_result result = transfer(source, destination, options, limit, code);
  if (code) throw error(code, detail::just_met{}, static_cast<std::size_t>(result.bytes));
  return result;
}
inline std::size_t tee(int source, int destination, std::size_t length, timeout limit = forever) {
  return detail::throwing([&](std::error_code &code) { return tee(source, destination, length, limit, code); });
}
inline std::size_t vmsplice(int pipe, bytes data, timeout limit = forever) {
  return detail::throwing([&](std::error_code &code) { return vmsplice(pipe, data, limit, code); });
}
#endif

}  // namespace unipc

#endif  // UNIPC_TRANSFER_HPP
