// System V semaphores and futexes in C++.
#include <unipc.hpp>

#include "check.h"

#include <sys/wait.h>

#include <algorithm>
#include <thread>

using namespace std::chrono_literals;

namespace {

static_assert(!std::is_copy_constructible_v<unipc::sysv_semaphores> && std::is_nothrow_move_constructible_v<unipc::sysv_semaphores>);

template <class Call>
void expect(std::errc expected, Call call) {
  try {
    call();
    CHECK(!"must throw");
  } catch (const unipc::error &problem) {
    CHECK(problem.code() == expected);
  }
}

// A list in braces would be two units, and not two semaphores.
static_assert(!std::is_convertible_v<std::initializer_list<int>, unipc::sysv_semaphores_options>);

void sets(std::int32_t key) {
  using set_type = unipc::sysv_semaphores;
  std::vector<std::uint32_t> units{1, 4};
  unipc::sysv_semaphores_options options(units);
  options.temporary = 1;
  auto set = set_type::create(key, options);
  expect(std::errc::file_exists, [&] { set_type::create(key); });
  auto twin = set_type::open(key, unipc::sysv_semaphores_options(2, 0));
  CHECK(twin.count() == 2 && twin.id() == set.id() && twin.values() == units);
  CHECK(set_type::open_id(set.id()).count() == 2 && set_type::open_or_create(key).count() == 2);
  set.wait(0, set_type::undo, 1s);
  CHECK(!twin.try_wait(0));
  expect(std::errc::timed_out, [&] { twin.wait(0, 0, 2ms); });
  expect(std::errc::resource_unavailable_try_again, [&] { twin.operate({set_type::take(1), set_type::take(0, 1, set_type::at_once)}); });
  expect(std::errc::file_too_large, [&] { twin.post(2); });
  expect(std::errc::result_out_of_range, [&] { twin.set_value(0, 32768); });
  set.post(0, set_type::undo);
  twin.operate({set_type::take(1, 4), set_type::zero(1), set_type::give(0, 2)}, 1s);
  twin.wait_zero(1, 1s);
  CHECK(set.value(0) == 3 && set.value(1) == 0 && set.waiters(0) == 0 && set.waiters_for_zero(1) == 0);
  CHECK(set.last_process(1) == getpid());
  set.set_values({5, 6});
  set.set_mode(0640);
  set.set_owner(UINT32_MAX, UINT32_MAX);
  auto status = set.status();
  CHECK(status.count == 2 && status.mode == 0640 && status.uid == geteuid());
  std::error_code code;
  CHECK(set.value(9, code) <= 0 && code == std::errc::file_too_large);
  set_type().post(0, 0, code);
  CHECK(code == std::errc::invalid_argument);
  set_type::remove_key(key);
  expect(std::errc::identifier_removed, [&] { twin.post(0); });
  expect(std::errc::identifier_removed, [&] { set.remove(); });
  auto hidden = set_type::create_private(unipc::sysv_semaphores_options(3, 1));
  CHECK(hidden.values() == std::vector<std::uint32_t>(3, 1));
  hidden.remove();
}

void words() {
  std::atomic<std::uint32_t> word{0}, other{0};
  expect(std::errc::timed_out, [&] { unipc::futex_wait(word, 0, 2ms); });
  unipc::futex_wait(word, 1);
  std::thread sleeper([&] {
    while (word.load() == 0) unipc::futex_wait(word, 0);
  });
  word = 1;
  unipc::futex_wake(word);
  sleeper.join();
  CHECK(unipc::futex_requeue(word, 1, 1, other, 1) == 0);
  expect(std::errc::resource_unavailable_try_again, [&] { unipc::futex_requeue(word, 0, 1, other, 1); });
}

void named(const std::string &name) {
  unipc::posix_semaphore_options options;
  options.value = 3, options.temporary = 1;
  auto semaphore = unipc::posix_semaphore::create(name, options);
  CHECK(unipc::posix_semaphore::status(name).value == 3);
  const auto names = unipc::posix_semaphore::list();
  CHECK(std::count(names.begin(), names.end(), name) == 1);
}

}  // namespace

int main() {
  house before = house_now();
  sets(0x51000000 + getpid());
  words();
  named("cpp_semaphores." + std::to_string(getpid()));
  house_check(before);
}
