// Events, signals and processes in C++.
#include <unipc.hpp>

#include "check.h"

using namespace std::chrono_literals;

namespace {

static_assert(!std::is_copy_constructible_v<unipc::process> && std::is_nothrow_move_constructible_v<unipc::signals>);

template <class Call>
void expect(std::errc expected, Call call) {
  try {
    call();
    CHECK(!"must throw");
  } catch (const unipc::error &problem) {
    CHECK(problem.code() == expected);
  }
}

void counters() {
  auto counter = unipc::eventfd::create();
  counter.add(40);
  counter.add(2, 1s);
  CHECK_EQUAL(counter.take(), 42);
  expect(std::errc::resource_unavailable_try_again, [&] { counter.take(0s); });
  expect(std::errc::timed_out, [&] { counter.take(1ms); });
  unipc::eventfd_options options;
  options.initial = 2, options.semaphore = 1;
  auto semaphore = unipc::eventfd::create(options);
  CHECK_EQUAL(semaphore.take(0s), 1);
  auto again = unipc::eventfd::from_fd(semaphore.into_fd());
  CHECK(!semaphore && again.fd() >= 3);
  CHECK_EQUAL(again.take(0s), 1);
  std::error_code code;
  again.take(0s, code);
  CHECK(code == std::errc::resource_unavailable_try_again);
}

void timers() {
  auto timer = unipc::timer::create();
  timer.set(1ms);
  CHECK_EQUAL(timer.wait(10s), 1);
  timer.set_at(timer.now() + 1ms, 1ms);
  CHECK_AT_LEAST(timer.wait(10s), 1);
  timer.cancel();
  expect(std::errc::timed_out, [&] { timer.wait(3ms); });
}

void signals() {
  unipc::signals_options options;
  for (options.block = 0; options.block < 2; options.block++) {
    auto signals = unipc::signals::open({SIGHUP, SIGTERM}, options);
    unipc::queue_signal(getpid(), SIGTERM, 42);
    auto info = signals.receive(10s);
    CHECK(info.signal == SIGTERM && info.value == 42 && info.sender_pid == getpid());
    unipc::send_signal(getpid(), SIGHUP);
    CHECK_EQUAL(signals.receive().signal, SIGHUP);
    expect(std::errc::timed_out, [&] { signals.receive(1ms); });
  }
  expect(std::errc::invalid_argument, [] { unipc::signals::open({SIGKILL}); });
}

void processes() {
  unipc::command list{"sh", "-c", "exit 7"};
  auto process = unipc::process::spawn(list.fd(0, -1).c());
  auto status = process.wait(10s);
  CHECK(status.kind == UNIPC_EXIT_CODE && status.value == 7);
  CHECK_EQUAL(unipc::process::spawn(list).wait(10s).value, 7);
  CHECK_EQUAL(unipc::process::spawn(unipc::command{"sh", "-c", "exit 3"}).wait(10s).value, 3);
  unipc::command missing{"no-such-program-here"};
  expect(std::errc::no_such_file_or_directory, [&] { unipc::process::spawn(missing.c()); });
  unipc::command first{"echo", "x"}, last{"cat"};
  auto pipeline = unipc::pipeline::spawn({&first, &missing, &last});
  auto statuses = pipeline.wait(10s);
  CHECK_EQUAL(statuses.size(), 3);
  CHECK(statuses[1] == 127 && statuses[2] == 0);
  auto own = unipc::process::open(getpid());
  expect(std::errc::timed_out, [&] { own.wait(1ms); });
  own.send_signal(0);
  CHECK_EQUAL(own.pid(), getpid());
}

}  // namespace

int main() {
  house before = house_now();
  counters();
  timers();
  signals();
  processes();
  house_check(before);
}
