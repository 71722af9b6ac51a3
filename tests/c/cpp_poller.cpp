// Pollers and transfers in C++.
#include <unipc.hpp>

#include "check.h"

#include <sys/socket.h>

using namespace std::chrono_literals;

namespace {

static_assert(!std::is_copy_constructible_v<unipc::poller> && std::is_nothrow_move_constructible_v<unipc::poller>);

template <class Call>
void expect(std::errc expected, Call call) {
  try {
    call();
    CHECK(!"must throw");
  } catch (const unipc::error &problem) {
    CHECK(problem.code() == expected);
  }
}

void pollers() {
  auto poller = unipc::poller::create();
  auto counter = unipc::eventfd::create();
  unipc::poller_event events[4];
  auto source = poller.add(counter.fd(), UNIPC_POLLER_READABLE, unipc::poller::token_of(&counter));
  expect(std::errc::timed_out, [&] { poller.wait(events, 4, 1ms); });
  expect(std::errc::resource_unavailable_try_again, [&] { poller.wait(events, 4, 0s); });
  expect(std::errc::file_exists, [&] { poller.add(counter.fd(), UNIPC_POLLER_READABLE, 1); });
  counter.add();
  CHECK_EQUAL(poller.wait(events, 4), 1);
  CHECK(unipc::poller::pointer_of<unipc::eventfd>(events[0]) == &counter && events[0].source == source);
  poller.modify(source, UNIPC_POLLER_WRITABLE | UNIPC_POLLER_ONE_SHOT);
  CHECK_EQUAL(poller.wait(events, 4, 1s), 1);
  CHECK_EQUAL(events[0].ready, UNIPC_POLLER_WRITABLE);
  CHECK(poller.is_registered(source));
  poller.remove(source);
  CHECK(!poller.is_registered(source));
  expect(std::errc::no_such_file_or_directory, [&] { poller.remove(source); });
  poller.wake();
  CHECK_EQUAL(poller.wait(events, 4), 1);
  CHECK_EQUAL(events[0].ready, UNIPC_POLLER_WOKEN);

  unipc::semaphore semaphore{};
  poller.add(semaphore, UNIPC_POLLER_READABLE, 5);
  semaphore.post();
  CHECK_EQUAL(poller.wait(events, 4), 1);
  CHECK_EQUAL(events[0].token, 5);
  std::error_code code;
  poller.add(-1, 1, 1, code);
  CHECK(code == std::errc::bad_file_descriptor);
}

void transfers() {
  auto [reader, writer] = unipc::pipe();
  auto [other, into] = unipc::pipe();
  static const char text[] = "zero copy";
  CHECK_EQUAL(unipc::vmsplice(writer.fd(), unipc::bytes(text, 9)), 9);
  CHECK_EQUAL(unipc::tee(reader.fd(), into.fd(), 4), 4);
  unipc::transfer_options options;
  options.length = 9;
  auto done = unipc::transfer(reader.fd(), into.fd(), options);
  CHECK(done.bytes == 9 && done.way == UNIPC_TRANSFER_SPLICE && !done.at_end);
  expect(std::errc::timed_out, [&] { unipc::transfer(reader.fd(), into.fd(), {}, 1ms); });
  writer.close();
  CHECK(unipc::transfer(reader.fd(), into.fd()).at_end == 1);
  char got[14] = {};
  other.read_exact(unipc::buffer(got, 13));
  CHECK(strcmp(got, "zerozero copy") == 0);
}

}  // namespace

int main() {
  house before = house_now();
  pollers();
  transfers();
  house_check(before);
  return 0;
}
