// Datagrams, seqpackets and travelling descriptors in C++.
#include <unipc.hpp>

#include "check.h"

#include <fcntl.h>

#include <array>
#include <string>

using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

static_assert(!std::is_copy_constructible_v<unipc::datagram> && std::is_nothrow_move_constructible_v<unipc::datagram>);
static_assert(!std::is_copy_constructible_v<unipc::seqpacket> && std::is_nothrow_move_constructible_v<unipc::seqpacket>);

template <class Call>
void expect(std::errc expected, Call call) {
  try {
    call();
    CHECK(!"must throw");
  } catch (const unipc::error &problem) {
    CHECK(problem.code() == expected);
  }
}

void datagrams(const std::string &path) {
  unipc::datagram_options options;
  options.credentials = 1;
  auto log = unipc::datagram::open_unix(path, options);
  auto sender = unipc::datagram::open_unix("@");
  std::array<char, 8> text;
  std::string from;
  unipc::message_info info;
  sender.send_to(path, "hello"sv);
  CHECK_EQUAL(log.next_size(5s), 5);
  CHECK_EQUAL(log.receive_from(text, from, 5s, &info), 5);
  CHECK(from == sender.address() && log.address() == path && info.has_sender && info.sender_pid == getpid());
  sender.connect(path, 5s);
  sender.send("longer than the buffer"sv, 5s);
  expect(std::errc::message_size, [&] { log.receive(text, 5s); });
  expect(std::errc::resource_unavailable_try_again, [&] { log.receive(text, 0s); });
  expect(std::errc::timed_out, [&] { log.receive(text, 2ms); });
  expect(std::errc::address_in_use, [&] { unipc::datagram::open_unix(path); });
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC), got[2] = {-1, -1};
  std::size_t count = 0;
  sender.send_fds(nullptr, "x"sv, &null, 1, 5s);
  CHECK_EQUAL(log.receive_fds(text, got, 2, count, 5s), 1);
  CHECK_EQUAL(count, 1);
  close(got[0]);
  close(null);

  auto server = unipc::datagram::open_udp(nullptr, 0);
  auto client = unipc::datagram::open_udp(nullptr, 0);
  client.send_to("127.0.0.1:" + std::to_string(server.port()), "hello"sv, 5s);
  CHECK_EQUAL(server.receive_from(text, from, 5s), 5);
  CHECK(from == client.address());
  unipc::udp_options lonely;
  lonely.multicast_interface = "lo";
  auto member = unipc::datagram::open_udp("0.0.0.0", 0, lonely);
  member.join("239.255.77.4", "lo");
  member.send_to("239.255.77.4:" + std::to_string(member.port()), "to all"sv, 5s);
  CHECK_EQUAL(member.receive(text, 5s), 6);
  member.leave("239.255.77.4", "lo");
  std::error_code code;
  member.leave("239.255.77.4", "lo", code);
  CHECK(code == std::errc::address_not_available);
}

void seqpackets(const std::string &path) {
  auto listener = unipc::seqpacket_listener::open_unix(path);
  auto client = unipc::seqpacket::connect_unix(path, 5s);
  auto server = listener.accept(5s);
  CHECK_EQUAL(server.peer_credentials().pid, getpid());
  CHECK_EQUAL(static_cast<int>(server.peer_groups().size()), getgroups(0, nullptr));
  CHECK(client.peer_address() == path && server.peer_address().empty());
  std::error_code code;
  int pidfd = server.peer_pidfd(code);
  CHECK(code ? pidfd == -1 : close(pidfd) == 0);
  std::string label = server.peer_label(code);
  CHECK(code || !label.empty());
  std::array<char, 8> text;
  client.send("one"sv, 5s);
  client.send(""sv, 5s);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC), got[2] = {-1, -1};
  std::size_t count = 0;
  client.send_fds("fd"sv, &null, 1, 5s);
  close(null);
  client.shutdown(UNIPC_SHUTDOWN_WRITE);
  CHECK(server.receive(text, 5s) == 3 && server.receive(text, 5s) == 0);
  CHECK(server.receive_fds(text, got, 2, count, 5s) == 2 && count == 1);
  close(got[0]);
  CHECK(!server.receive(text, 5s) && !server.next_size(5s));
  expect(std::errc::timed_out, [&] { client.receive(text, 2ms); });
  auto other = unipc::seqpacket::from_fd(client.into_fd());
  server.send("still"sv, 5s);
  CHECK(other.receive(text, 5s) == 5);
}

void streams() {
  auto [first, second] = unipc::socketpair();
  CHECK_EQUAL(static_cast<int>(first.peer_groups().size()), getgroups(0, nullptr));
  std::error_code code;
  int pidfd = first.peer_pidfd(code);
  CHECK(code ? pidfd == -1 : close(pidfd) == 0);
  std::string label = first.peer_label(code);
  CHECK(code || !label.empty());
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC), got[2] = {-1, -1};
  int both[2] = {null, null};
  std::size_t count = 7;
  std::array<char, 8> text;
  CHECK_EQUAL(first.send_fds("x"sv, both, 2, 5s), 1);
  expect(std::errc::protocol_error, [&] { second.receive_fds(text, got, 1, count, 5s); });
  CHECK_EQUAL(count, 0);
  first.send_fds("x"sv, both, 2, 5s);
  CHECK_EQUAL(second.receive_fds(text, got, 2, count, 5s), 1);
  for (int fd : got) close(fd);
  close(null);
  auto [reader, writer] = unipc::pipe();
  CHECK(reader.peer_groups(code).empty() && code == std::errc::operation_not_supported);
}

} // namespace

int main() {
  const std::string path = "/tmp/cpp_sockets." + std::to_string(getpid());
  house before = house_now();
  datagrams(path);
  seqpackets(path);
  streams();
  house_check(before);
  return 0;
}
