// What the C++ interface adds to the functions of C: progress in exceptions, whole messages, buffers and names of every make, T in every memory.
#include <unipc.hpp>

#include "check.h"

#include <array>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

std::string own(const char *what) { return std::string("cpp_conveniences.") + std::to_string(getpid()) + "." + what; }

template <class Call>
std::size_t expect(std::errc expected, Call call) {
  try {
    call();
    CHECK(!"must throw");
  } catch (const unipc::error &problem) {
    CHECK(problem.code() == expected);
    return problem.transferred();
  }
  return 0;
}

void progress() {
  auto [reader, writer] = unipc::pipe();
  std::size_t room = writer.set_capacity(4096);
  std::vector<char> large(room + 100, 'x');
  CHECK_EQUAL(expect(std::errc::timed_out, [&, &w = writer] { w.write_all(large, 5ms); }), room);
  std::error_code code;
  CHECK_EQUAL(writer.write_all(large, 5ms, code), 0);
  CHECK(code == std::errc::timed_out);
  std::vector<char> back(room + 1);
  CHECK_EQUAL(expect(std::errc::timed_out, [&, &r = reader] { r.read_exact(back, 5ms); }), room);
  writer.write_all("abc"sv);
  CHECK_EQUAL(reader.read_exact(back, 5ms, code), 3);
  CHECK(code == std::errc::timed_out);

  auto [from, to] = unipc::pipe();
  to.write_all("abc"sv);
  unipc::transfer_options options;
  options.length = 10;
  std::size_t moved = expect(std::errc::timed_out, [&, &f = from, &w = writer] { unipc::transfer(f.fd(), w.fd(), options, 20ms); });
  CHECK_EQUAL(moved, 3);
  CHECK_EQUAL(unipc::error(code).transferred(), 0);
  auto result = unipc::transfer(reader.fd(), to.fd(), options, 20ms, code);
  CHECK(code == std::errc::timed_out && result.bytes == 3);

  auto [first, second] = unipc::socketpair();
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::vector<char> endless(std::size_t{8} << 20, 'y');
  CHECK_LESS(0, expect(std::errc::timed_out, [&, &f = first] { f.send_fds(endless, &null, 1, 5ms); }));
  close(null);
}

void buffers() {
  auto [reader, writer] = unipc::pipe();
  const unsigned char raw[] = {'r', 'a', 'w'};
  std::byte more[] = {std::byte{'!'}};
  CHECK_EQUAL(writer.write_all(raw) + writer.write_all(more), 4);
  char text[4];
  CHECK_EQUAL(reader.read_exact(text), 4);
  CHECK(std::string_view(text, 4) == "raw!");
  writer.write_all(std::array<char, 2>{'h', 'i'});
  unsigned char two[2];
  CHECK_EQUAL(reader.read_exact(two), 2);
  CHECK_EQUAL(two[1], 'i');
  CHECK_EQUAL(writer.write_vectored({"one "sv, std::string_view("two"), raw}, 1s), 10);
  std::string start(4, ' ');
  std::vector<std::byte> rest(6);
  CHECK_EQUAL(reader.read_vectored({start, rest}, 1s), 10);
  CHECK(start == "one " && rest[5] == std::byte{'w'});
  // A view of bytes, as std::span is, may be a temporary, and const.
  struct view {
    char *start;
    std::size_t length;
    char *data() const { return start; }
    std::size_t size() const { return length; }
  };
  writer.write_all("views!");
  const view whole{text, 4};
  CHECK_EQUAL(reader.read_exact(view{text, 2}) + reader.read_exact(whole, 1s), 6);
}

void names() {
  std::filesystem::path directory = "/tmp", path = directory / own("file");
  std::string whole = path.string() + "and more";
  unipc::memory_options options;
  options.size = 10;
  unipc::memory::create_file(path, options);
  // The view ends before its string does.
  CHECK_EQUAL(unipc::memory::open_file(std::string_view(whole).substr(0, path.native().size())).size(), 10);
  CHECK_EQUAL(unipc::memory::open_file(path.c_str()).size(), 10);
  CHECK_EQUAL(unipc::memory::open_file(path.string()).size(), 10);
  expect(std::errc::invalid_argument, [] { unipc::memory::open_file("/tmp\0x"sv); });
  expect(std::errc::invalid_argument, [] { unipc::memory::open_file(std::filesystem::path(std::string("/tmp\0x", 6))); });
  std::filesystem::remove(path);
}

void whole_messages() {
  std::string text = "what was there";
  std::error_code code;
  unipc::message_info info;
  auto [one, other] = unipc::seqpacket_pair();
  std::string large(50000, 'l');
  other.send(large);
  other.send(""sv);
  CHECK(one.receive_all(text, 5s, &info) && text == large && info.size == large.size());
  CHECK(one.receive_all(text) && text.empty());
  expect(std::errc::timed_out, [&, &o = one] { o.receive_all(text, 5ms); });
  CHECK(!one.receive_all(text, 0s, code) && code == std::errc::resource_unavailable_try_again);
  other.close();
  CHECK(!one.receive_all(text) && text.empty());

  auto [to, from] = unipc::datagram_pair();
  from.send(large, 5s);
  from.send("small"sv, 5s);
  std::vector<unsigned char> bytes;
  to.receive_all(bytes, 5s);
  CHECK(bytes.size() == large.size() && bytes[0] == 'l');
  to.receive_all(bytes);
  CHECK_EQUAL(bytes.size(), 5);
  expect(std::errc::timed_out, [&, &t = to] { t.receive_all(bytes, 5ms); });

  unipc::sysv_queue_options temporary;
  temporary.temporary = 1;
  auto queue = unipc::sysv_queue::create_private(temporary);
  std::string longer(5000, 'q');
  queue.send(longer, 3);
  queue.send("x"sv, 4);
  text.clear();
  text.shrink_to_fit();
  queue.receive_all(text, unipc::sysv_queue::which::type(3), 5s, &info);
  CHECK(text == longer && info.type == 3);
  queue.receive_all(text);
  CHECK(text == "x");
  expect(std::errc::timed_out, [&] { queue.receive_all(text, unipc::sysv_queue::which::any(), 5ms); });

  auto path = "/tmp/" + own("log");
  unipc::file_append(path, "first"sv);
  unipc::file_append(path, longer);
  auto follower = unipc::file_follower::open(path);
  follower.receive_all(text, 5s);
  CHECK(text == "first");
  text.shrink_to_fit();
  follower.receive_all(text);
  CHECK(text == longer);
  CHECK_EQUAL(truncate(path.c_str(), 0), 0);
  unipc::file_append(path, "again"sv);
  follower.receive_all(text, 5s);
  CHECK(text == "again");
  unipc::file_follower_info happened;
  CHECK_EQUAL(unlink(path.c_str()), 0);
  follower.receive_all(text, 5s, &happened);
  CHECK(text.empty() && happened.event == UNIPC_FILE_DELETED);
}

struct shape {
  unipc::mutex lock;
  std::atomic<int> value;
};

void typed_memory() {
  auto first = unipc::shared<shape>::memfd("cpp");
  first->value = 7;
  auto second = unipc::shared<shape>::from_fd(dup(first.bytes().fd()));
  CHECK_EQUAL(second->value, 7);
  std::error_code code;
  unipc::memory_options to_read;
  to_read.access = UNIPC_READ_ONLY;
  int fd = dup(first.bytes().fd());
  CHECK(!unipc::shared<shape>::from_fd(fd, to_read, code) && code == std::errc::invalid_argument);
  CHECK_EQUAL(close(fd), 0);  // it stayed the caller's

  auto path = "/tmp/" + own("typed");
  unipc::memory_options temporary;
  temporary.temporary = 1;
  auto file = unipc::shared<shape>::create_file(path, temporary);
  file->value = 8;
  CHECK(unipc::shared<shape>::open_file(path)->value == 8 && unipc::shared<shape>::open_or_create_file(path)->value == 8);
  std::int32_t key = unipc::sysv_key(path, 1);
  auto segment = unipc::shared<shape>::create_sysv(key, temporary);
  segment->value = 9;
  CHECK(unipc::shared<shape>::open_sysv(key)->value == 9 && !unipc::shared<shape>::open_or_create_sysv(key).was_created());

  auto words = unipc::memory::anonymous(16);
  unipc::atomic_word<std::uint32_t> small(words, 0);
  unipc::atomic_word<std::uint64_t> wide(words, 8);
  wide.store(std::uint64_t{1} << 40);
  CHECK_EQUAL(wide.fetch_add(1, std::memory_order_relaxed), std::uint64_t{1} << 40);
  CHECK_EQUAL(wide.load(std::memory_order_acquire), (std::uint64_t{1} << 40) + 1);
  small.store(6, std::memory_order_release);
  CHECK(small.fetch_sub(1) == 6 && small.fetch_and(4) == 5 && small.fetch_or(3) == 4 && small.fetch_xor(1) == 7 && small.exchange(9) == 6);
  std::uint32_t expected = 1;
  CHECK(!small.compare_exchange(expected, 2) && expected == 9 && small.compare_exchange(expected, 2) && small.load() == 2);
  expect(std::errc::invalid_argument, [&] { small.load(std::memory_order_release); });
  expect(std::errc::invalid_argument, [&] { unipc::atomic_word<std::uint32_t>(words, 14).load(); });
}

void the_rest_of_c() {
  CHECK(unipc::version() == "0.1.0"sv);
  CHECK(unipc::error_name(std::make_error_code(std::errc::timed_out)) == "ETIMEDOUT"sv);
  CHECK(unipc::error_name(unipc::errc::end) == "UNIPC_END"sv && unipc::error_name({}) == "success"sv);
  CHECK(unipc::transfer_way_name(12345) == nullptr);

  auto counter = unipc::eventfd::create();
  counter.add(3);
  CHECK_EQUAL(counter.value(), 3);
  auto timer = unipc::timer::create();
  timer.set(1h, 2h);
  CHECK(timer.state().interval == 2h && timer.state().remaining > 59min);
  int fd = timer.into_fd();
  CHECK(!timer && fd >= 0);
  close(fd);

  CHECK_EQUAL(unipc::signal_number("term"), SIGTERM);
  CHECK(unipc::describe_signal(SIGTERM).name == "SIGTERM"sv);
  expect(std::errc::invalid_argument, [] { unipc::signal_number("SIGNOTHING"); });
  {
    auto blocked = unipc::signal_block::create({SIGUSR1, SIGRTMIN});
    unipc::send_signal(getpid(), SIGUSR1);
    CHECK_EQUAL(unipc::take_signal({SIGUSR1}, 5s).signal, SIGUSR1);
    auto thread = static_cast<int>(syscall(SYS_gettid));
    unipc::send_signal_to_thread(getpid(), thread, SIGUSR1);
    CHECK_EQUAL(unipc::take_signal({SIGUSR1}, 5s).sender_pid, getpid());
    unipc::queue_signal_to_thread(getpid(), thread, SIGRTMIN, 5);
    CHECK_EQUAL(unipc::take_signal({SIGRTMIN}, 5s).value, 5);
    auto self = unipc::process::open(getpid());
    int pidfd = self.into_fd();
    unipc::send_signal_by_pidfd(pidfd, SIGUSR1);
    CHECK_EQUAL(unipc::take_signal({SIGUSR1}, 5s).signal, SIGUSR1);
    unipc::queue_signal_by_pidfd(pidfd, SIGRTMIN, 6);
    CHECK_EQUAL(unipc::take_signal({SIGRTMIN}, 5s).value, 6);
    expect(std::errc::timed_out, [] { unipc::take_signal({SIGUSR1}, 5ms); });
    expect(std::errc::invalid_argument, [] { unipc::send_signal_to_group(1, 0); });
    unipc::send_signal_to_group(0, 0);
    std::error_code code;
    int copy = unipc::take_descriptor(pidfd, counter.fd(), code);
    if (!code) {
      CHECK_EQUAL(unipc::eventfd::from_fd(copy).take(1s), 3);
    } else {
      CHECK(copy == -1 && (code == unipc::errc::unavailable || code == std::errc::operation_not_permitted));
    }
    close(pidfd);
  }
  struct sigaction before;
  CHECK_EQUAL(sigaction(SIGPIPE, nullptr, &before), 0);
  unipc::ignore_sigpipe();
  CHECK_EQUAL(sigaction(SIGPIPE, &before, nullptr), 0);
}

}  // namespace

int main() {
  house before = house_now();
  progress();
  buffers();
  names();
  whole_messages();
  typed_memory();
  the_rest_of_c();
  house_check(before);
  return 0;
}
