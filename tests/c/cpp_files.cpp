// Locks on files, and files replaced, appended to and followed, in C++.
#include <unipc.hpp>

#include "check.h"

#include <fcntl.h>

#include <mutex>
#include <shared_mutex>

using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

static_assert(!std::is_copy_constructible_v<unipc::file_lock> && std::is_nothrow_move_constructible_v<unipc::file_lock>);

template <class Call>
void expect(std::errc expected, Call call) {
  try {
    call();
    CHECK(!"must throw");
  } catch (const unipc::error &problem) {
    CHECK(problem.code() == expected);
  }
}

void locks(const std::string &path, std::uint32_t kind) {
  unipc::file_lock_options options;
  options.kind = kind;
  auto first = unipc::file_lock::open_or_create(path, options);
  auto second = unipc::file_lock::open(path, options);
  {
    std::scoped_lock held(first);
    CHECK(!second.try_lock() && !second.try_lock_shared() && !second.try_lock_for(2ms));
    expect(std::errc::timed_out, [&] { second.lock({}, 2ms); });
    expect(std::errc::resource_unavailable_try_again, [&] { second.lock_shared({}, 0s); });
    auto holder = second.find_holder();
    CHECK(holder && holder->mode == UNIPC_FILE_LOCK_EXCLUSIVE);
  }
  {
    std::shared_lock one(first), two(second);
    CHECK(one.owns_lock() && two.owns_lock());
    expect(std::errc::timed_out, [&] { first.upgrade({}, 2ms); });
    two.unlock();
    first.upgrade();
    CHECK(!second.try_lock_shared());
    first.downgrade();
    CHECK(second.try_lock_shared());
    second.unlock_shared();
  }
  CHECK(!second.find_holder());
  if (kind == UNIPC_FILE_LOCK_OFD) {
    first.lock({10, 5});
    CHECK(second.try_lock({15, 0}) && !second.try_lock({14, 1}));
    auto holder = second.find_holder(UNIPC_FILE_LOCK_SHARED);
    CHECK(holder && holder->start == 10 && holder->length == 5);
    first.unlock({10, 5});
    second.unlock();
  }
  std::error_code code;
  second.lock({1, UINT64_MAX}, 0s, code);
  CHECK(code == std::errc::invalid_argument);
  int fd = second.into_fd();
  CHECK(!second);
  auto again = unipc::file_lock::from_fd(fd, kind);
  CHECK_EQUAL(again.fd(), fd);
  CHECK(again.try_lock());
}

void exchange(const std::string &path) {
  unipc::file_replace(path, "first\n"sv);
  auto follower = unipc::file_follower::open(path);
  unipc::file_follower_info info;
  char place[32];
  auto next = [&] { return std::string_view(place, follower.receive({place, sizeof place}, 10s, &info)); };
  CHECK(next() == "first" && info.event == UNIPC_FILE_RECORD && info.end == 6);
  unipc::file_append(path, "second"sv);
  CHECK(next() == "second" && info.offset == 6);
  CHECK(follower.fd() >= 0);
  expect(std::errc::timed_out, [&] { follower.receive({place, sizeof place}, 2ms); });
  unipc::file_replace_options options;
  options.mode = 0640;
  options.sync = UNIPC_FILE_SYNC_NOTHING;
  unipc::file_replace(path, "third and longer\n"sv, options);
  CHECK(next().empty() && info.event == UNIPC_FILE_REPLACED);
  expect(std::errc::message_size, [&] { follower.receive({place, 5}, 0s); });
  CHECK(next() == "third and longer");
  unlink(path.c_str());
  CHECK(next().empty() && info.event == UNIPC_FILE_DELETED);
  std::error_code code;
  unipc::file_append(path, "a\nb"sv, {}, 0s, code);
  CHECK(code == std::errc::invalid_argument);
  expect(std::errc::no_such_file_or_directory, [&] { unipc::file_follower::open(path); });
}

}  // namespace

int main() {
  house before = house_now();
  std::string path = "/tmp/cpp_files." + std::to_string(getpid());
  expect(std::errc::no_such_file_or_directory, [&] { unipc::file_lock::open(path); });
  locks(path, UNIPC_FILE_LOCK_OFD);
  locks(path, UNIPC_FILE_LOCK_FLOCK);
  unlink(path.c_str());
  exchange(path);
  house_check(before);
}
