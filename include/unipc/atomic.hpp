// unipc for C++17: atomic words at places of a memory. See unipc.hpp. SPDX-License-Identifier: MIT OR Apache-2.0
#ifndef UNIPC_ATOMIC_HPP
#define UNIPC_ATOMIC_HPP

#include "memory.hpp"

#include <atomic>

namespace unipc {

namespace detail {
inline int order_of(std::memory_order order) noexcept {
  switch (order) {
    case std::memory_order_relaxed: return UNIPC_RELAXED;
    case std::memory_order_release: return UNIPC_RELEASE;
    case std::memory_order_acq_rel: return UNIPC_ACQUIRE_RELEASE;
    case std::memory_order_seq_cst: return UNIPC_SEQUENTIAL;
    default: return UNIPC_ACQUIRE;  // of which consume is a weaker one
  }
}
/// The C functions for words of each size.
template <class T>
struct word_calls;
template <>
struct word_calls<std::uint32_t> {
  static constexpr auto load = unipc_memory_load_u32;
  static constexpr auto store = unipc_memory_store_u32;
  static constexpr auto exchange = unipc_memory_exchange_u32;
  static constexpr auto compare_exchange = unipc_memory_compare_exchange_u32;
  static constexpr auto fetch_add = unipc_memory_fetch_add_u32;
  static constexpr auto fetch_sub = unipc_memory_fetch_sub_u32;
  static constexpr auto fetch_and = unipc_memory_fetch_and_u32;
  static constexpr auto fetch_or = unipc_memory_fetch_or_u32;
  static constexpr auto fetch_xor = unipc_memory_fetch_xor_u32;
};
template <>
struct word_calls<std::uint64_t> {
  static constexpr auto load = unipc_memory_load_u64;
  static constexpr auto store = unipc_memory_store_u64;
  static constexpr auto exchange = unipc_memory_exchange_u64;
  static constexpr auto compare_exchange = unipc_memory_compare_exchange_u64;
  static constexpr auto fetch_add = unipc_memory_fetch_add_u64;
  static constexpr auto fetch_sub = unipc_memory_fetch_sub_u64;
  static constexpr auto fetch_and = unipc_memory_fetch_and_u64;
  static constexpr auto fetch_or = unipc_memory_fetch_or_u64;
  static constexpr auto fetch_xor = unipc_memory_fetch_xor_u64;
};
}  // namespace detail

/// A word of 32 or 64 bits at an offset of a memory, looked after at each use: std::errc::invalid_argument outside, or at no multiple of its size, and
/// std::errc::permission_denied for a change of what is read-only. The memory must outlive it. For a place whose type is known, a std::atomic in a
/// shared<T> is the same and costs no look.
template <class T>
class atomic_word {
  static_assert(std::is_same_v<T, std::uint32_t> || std::is_same_v<T, std::uint64_t>, "words have 32 or 64 bits");
  using calls = detail::word_calls<T>;

public:
  atomic_word(memory &bytes, std::size_t offset) noexcept : raw_(bytes.get()), offset_(offset) {}

  T load(std::memory_order order, std::error_code &code) const noexcept {
    T value = 0;
    detail::succeeded(calls::load(raw_, offset_, detail::order_of(order), &value), code);
    return value;
  }
  void store(T value, std::memory_order order, std::error_code &code) noexcept {
    detail::succeeded(calls::store(raw_, offset_, detail::order_of(order), value), code);
  }
  /// The word from before; so in those that follow.
  T exchange(T value, std::memory_order order, std::error_code &code) noexcept { return changed(calls::exchange, value, order, code); }
  T fetch_add(T value, std::memory_order order, std::error_code &code) noexcept { return changed(calls::fetch_add, value, order, code); }
  T fetch_sub(T value, std::memory_order order, std::error_code &code) noexcept { return changed(calls::fetch_sub, value, order, code); }
  T fetch_and(T value, std::memory_order order, std::error_code &code) noexcept { return changed(calls::fetch_and, value, order, code); }
  T fetch_or(T value, std::memory_order order, std::error_code &code) noexcept { return changed(calls::fetch_or, value, order, code); }
  T fetch_xor(T value, std::memory_order order, std::error_code &code) noexcept { return changed(calls::fetch_xor, value, order, code); }
  /// Whether the word was what was expected, and has been exchanged; if not, `expected` is what it is.
  bool compare_exchange(T &expected, T desired, std::memory_order order, std::error_code &code) noexcept {
    int result = calls::compare_exchange(raw_, offset_, detail::order_of(order), &expected, desired);
    return detail::succeeded(result, code) && result == 1;
  }

#ifdef UNIPC_HPP_THROWS
  T load(std::memory_order order = std::memory_order_seq_cst) const {
    return detail::throwing([&](std::error_code &code) { return load(order, code); });
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst) {
    detail::throwing([&](std::error_code &code) { store(value, order, code); });
  }
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst) {
    return detail::throwing([&](std::error_code &code) { return exchange(value, order, code); });
  }
  T fetch_add(T value, std::memory_order order = std::memory_order_seq_cst) {
    return detail::throwing([&](std::error_code &code) { return fetch_add(value, order, code); });
  }
  T fetch_sub(T value, std::memory_order order = std::memory_order_seq_cst) {
    return detail::throwing([&](std::error_code &code) { return fetch_sub(value, order, code); });
  }
  T fetch_and(T value, std::memory_order order = std::memory_order_seq_cst) {
    return detail::throwing([&](std::error_code &code) { return fetch_and(value, order, code); });
  }
  T fetch_or(T value, std::memory_order order = std::memory_order_seq_cst) {
    return detail::throwing([&](std::error_code &code) { return fetch_or(value, order, code); });
  }
  T fetch_xor(T value, std::memory_order order = std::memory_order_seq_cst) {
    return detail::throwing([&](std::error_code &code) { return fetch_xor(value, order, code); });
  }
  bool compare_exchange(T &expected, T desired, std::memory_order order = std::memory_order_seq_cst) {
    return detail::throwing([&](std::error_code &code) { return compare_exchange(expected, desired, order, code); });
  }
#endif

private:
  template <class Change>
  T changed(Change change, T value, std::memory_order order, std::error_code &code) noexcept {
    T previous = 0;
    detail::succeeded(change(raw_, offset_, detail::order_of(order), value, &previous), code);
    return previous;
  }
  unipc_memory *raw_;
  std::size_t offset_;
};

}  // namespace unipc

#endif  // UNIPC_ATOMIC_HPP
