// The locks of unipc/locks.hpp as a C++ program uses them: with the standard's guards, by exceptions and by error codes.
#include <unipc.hpp>

#include "check.h"

#include <mutex>
#include <shared_mutex>

using namespace std::chrono_literals;

namespace {

struct locks {
  unipc::spinlock spin;
  unipc::rwlock rw;
  unipc::mutex mutex;
  unipc::condvar changed;
  unipc::event event;
  unipc::barrier barrier;
  int value;
};
static_assert(std::is_trivially_default_constructible_v<locks>);

constexpr auto limit = 20s;

template <class Call>
void expect(std::errc wanted, Call call) {
  try {
    call();
  } catch (const unipc::error &error) {
    CHECK(error.code() == wanted);
    return;
  }
  CHECK(!"no exception");
}

int status_of(int (*work)(locks &), locks &shared) {
  pid_t child = fork();
  if (child == 0) _exit(work(shared));
  return exit_status_of(child);
}

void rwlocks(locks &shared) {
  auto refused = [](locks &others) { return others.rw.try_lock_shared() || others.rw.try_lock() || others.rw.try_lock_shared_for(5ms) ? 1 : 0; };
  {
    std::shared_lock share(shared.rw);
    expect(std::errc::resource_deadlock_would_occur, [&] { shared.rw.lock_shared(); });
    pid_t child = fork();
    if (child == 0) {
      std::shared_lock other(shared.rw, limit);
      _exit(shared.rw.get() == nullptr);
    }
    CHECK_EQUAL(exit_status_of(child), 0);
  }
  CHECK_EQUAL(status_of([](locks &others) { return others.rw.try_lock() ? 0 : 1; }, shared), 0);
  // That one has died holding it.
  expect(std::errc::owner_dead, [&] { shared.rw.lock_shared(limit); });
  {
    auto guard = shared.rw.lock_shared_recover(limit);
    CHECK(guard && guard.needs_repair());
    CHECK_EQUAL(status_of(refused, shared), 0);
    guard.mark_consistent();
  }
  CHECK(!shared.rw.lock_recover(limit).needs_repair());
  {
    std::unique_lock whole(shared.rw, std::chrono::steady_clock::now() + limit);
    CHECK(whole.owns_lock());
    CHECK_EQUAL(status_of(refused, shared), 0);
  }
  CHECK_EQUAL(status_of([](locks &others) { return others.rw.try_lock_shared() ? 0 : 1; }, shared), 0);
  std::scoped_lock all(shared.rw, shared.spin, shared.mutex);
  std::error_code code;
  shared.rw.mark_consistent(code);
  CHECK(!code);
}

void condvars(locks &shared) {
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 5; i++) {
      std::scoped_lock held(shared.mutex);
      shared.value++;
      shared.changed.notify_one();
    }
    _exit(0);
  }
  {
    std::scoped_lock held(shared.mutex);
    CHECK(shared.changed.wait(shared.mutex, limit, [&] { return shared.value == 5; }) == unipc::wakeup::notified);
    expect(std::errc::timed_out, [&] { shared.changed.wait(shared.mutex, 5ms, [] { return false; }); });
    std::error_code code;
    shared.changed.wait(shared.mutex, 0s, code);
    CHECK(code == std::errc::resource_unavailable_try_again);
    shared.changed.notify_all();
  }
  CHECK_EQUAL(exit_status_of(child), 0);
  shared.mutex.lock();
  child = fork();
  if (child == 0) {
    shared.mutex.lock();
    _exit(0);
  }
  CHECK(shared.changed.wait(shared.mutex, limit) == unipc::wakeup::needs_repair);
  shared.mutex.mark_consistent();
  shared.mutex.unlock();
  CHECK_EQUAL(exit_status_of(child), 0);
  expect(std::errc::operation_not_permitted, [&] { shared.changed.wait(shared.mutex, limit); });
  shared.changed.init();
}

void events(locks &shared) {
  CHECK(!shared.event.is_set() && !shared.event.try_wait() && !shared.event.wait_for(5ms));
  expect(std::errc::timed_out, [&] { shared.event.wait(5ms); });
  CHECK_EQUAL(status_of(
                  [](locks &others) {
                    others.event.set();
                    return 0;
                  },
                  shared),
              0);
  shared.event.wait();
  CHECK(shared.event.try_wait() && shared.event.reset() && !shared.event.reset());
  unipc::event_options options;
  options.flags = UNIPC_EVENT_AUTOMATIC_RESET;
  options.set = 1;
  shared.event.init(options);
  CHECK(shared.event.wait_for(limit) && !shared.event.try_wait());
}

void barriers(locks &shared) {
  expect(std::errc::invalid_argument, [&] { shared.barrier.wait(limit); });
  shared.barrier.init(2);
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 10; i++) shared.barrier.wait(limit);
    shared.barrier.leave();
    shared.barrier.join();
    _exit(0);
  }
  for (int i = 0; i < 10; i++) shared.barrier.wait(limit);
  // It has joined once more, and died.
  expect(std::errc::owner_dead, [&] { shared.barrier.wait(limit); });
  CHECK_EQUAL(exit_status_of(child), 0);
  CHECK(shared.barrier.is_broken() && shared.barrier.reset() && !shared.barrier.is_broken());
  expect(std::errc::timed_out, [&] { shared.barrier.wait(5ms); });
}

}  // namespace

int main() {
  house before = house_now();
  {
    auto shared = unipc::shared<locks>::anonymous();
    rwlocks(*shared);
    condvars(*shared);
    events(*shared);
    barriers(*shared);
  }
  house_check(before);
  return 0;
}
