// Rings from C++: the same calls in both forms, and a program that goes on without.
#include <unipc.hpp>

#include "check.h"

#include <cstring>

int main() {
  house before = house_now();
  std::error_code code;
  if (unipc::ring::available(code)) {
    auto ring = unipc::ring::create(2);
    int fds[2];
    CHECK_EQUAL(pipe(fds), 0);
    const unipc::ring_operation both[] = {unipc::ring::read(fds[0], 10, 1), unipc::ring::write(fds[1], "hello", 5, 2)};
    ring.submit(both, 2);
    unipc::ring_completion done[2];
    for (std::size_t left = 2; left > 0;) {
      std::size_t told = ring.wait(done, 2, std::chrono::seconds(20));
      for (std::size_t i = 0; i < told; i++) CHECK(done[i].result == 5 && std::memcmp(done[i].data, "hello", 5) == 0);
      left -= told;
    }
    ring.submit(both, 1);
    CHECK_EQUAL(ring.wait(done, 2, std::chrono::milliseconds(1), code), 0);
    CHECK(code == std::errc::timed_out);
    CHECK_EQUAL(ring.cancel(1), 1);
    CHECK_EQUAL(ring.wait(done, 2), 1);
    CHECK_EQUAL(done[0].result, -ECANCELED);
    ring.submit(both, 1);
    auto moved = std::move(ring);
    CHECK(moved.fd() >= 0);
    close(fds[0]), close(fds[1]);
  } else {
    CHECK(code == unipc::errc::unavailable);
  }
  auto none = unipc::ring::create(0, code);
  CHECK(!none && code == std::errc::invalid_argument);
  house_check(before);
  return 0;
}
