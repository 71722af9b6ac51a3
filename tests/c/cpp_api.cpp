// The C++ interface used for real: between processes where two are the point, and every manner of it that unipc.hpp promises.
#include <unipc.hpp>

#include "check.h"

#include <array>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

struct counter {
  unipc::mutex lock;
  unipc::semaphore ready;
  std::int64_t value, backup;
};
static_assert(unipc::may_be_shared<counter>::value);
static_assert(!unipc::may_be_shared<std::string>::value);
static_assert(std::is_trivially_default_constructible_v<unipc::mutex>);
static_assert(!std::is_copy_constructible_v<unipc::stream> && std::is_nothrow_move_constructible_v<unipc::stream>);
static_assert(std::is_nothrow_copy_constructible_v<unipc::error>);

std::string own(const char *what) { return std::string("cpp_api.") + std::to_string(getpid()) + "." + what; }

template <class Call>
void expect(std::error_code expected, Call call) {
  try {
    call();
    CHECK(!"must throw");
  } catch (const unipc::error &problem) {
    CHECK(problem.code() == expected);
    CHECK(problem.what()[0] != '\0');
  }
}

void timeouts() {
  CHECK_EQUAL(unipc::timeout(unipc::forever).nanoseconds(), UNIPC_FOREVER);
  CHECK_EQUAL(unipc::timeout(-5s).nanoseconds(), 0);
  CHECK_EQUAL(unipc::timeout(std::chrono::hours::max()).nanoseconds(), UNIPC_FOREVER);
  CHECK_EQUAL(unipc::timeout(std::chrono::hours::min()).nanoseconds(), 0);
  CHECK_EQUAL(unipc::timeout(std::chrono::duration<double>(1e300)).nanoseconds(), UNIPC_FOREVER);
  CHECK_EQUAL(unipc::timeout(std::chrono::duration<double, std::nano>(0.25)).nanoseconds(), 1);
  CHECK_EQUAL(unipc::timeout(3ms).nanoseconds(), 3 * UNIPC_MILLISECOND);
}

void errors() {
  std::error_code code;
  auto absent = unipc::memory::open(own("absent"), {}, code);
  CHECK(!absent);
  CHECK(code == std::errc::no_such_file_or_directory);
  try {
    unipc::memory::open(own("absent"));
    CHECK(!"must throw");
  } catch (const std::system_error &problem) {
    CHECK(problem.code() == std::errc::no_such_file_or_directory);
    CHECK(std::strstr(problem.what(), own("absent").c_str()) != nullptr);
    std::fprintf(stderr, "  says: %s\n", problem.what());
  }
  // What is made of a code alone says nothing of the failure that came last.
  unipc::memory::open(own("other"), {}, code);
  CHECK(std::strstr(unipc::error(std::make_error_code(std::errc::timed_out)).what(), "other") == nullptr);
  CHECK(unipc::sysv_semaphores().count() == 0);
  CHECK(unipc::code_of(UNIPC_TRUNCATED) == unipc::errc::truncated);
  CHECK(unipc::code_of(UNIPC_UNAVAILABLE) == std::errc::not_supported);
  CHECK(!unipc::code_of(7));
  // A zero byte inside a name must not cut it.
  expect(std::make_error_code(std::errc::invalid_argument), [] { unipc::memory::open(std::string("a\0b", 3)); });
  expect(std::make_error_code(std::errc::invalid_argument), [] { unipc::stream().read(unipc::buffer(nullptr, 0)); });
}

void streams() {
  auto [reader, writer] = unipc::pipe();
  CHECK_EQUAL(writer.write_all("hello"), 5);
  std::array<char, 5> text;
  CHECK_EQUAL(reader.read_exact(text), 5);
  CHECK(std::string_view(text.data(), text.size()) == "hello");
  std::error_code code;
  CHECK_EQUAL(reader.read(text, 0s, code), 0);
  CHECK(code == std::errc::resource_unavailable_try_again);
  expect(std::make_error_code(std::errc::timed_out), [&, &r = reader] { r.read(text, 20ms); });
  CHECK(writer.set_capacity(1 << 18) >= 1u << 18);
  unipc::stream moved = std::move(writer);
  CHECK(!writer);
  moved.close();
  CHECK_EQUAL(reader.read(text), 0);

  auto [first, second] = unipc::socketpair();
  pid_t child = fork();
  if (child == 0) {
    auto messages = unipc::framed::create(std::move(second));
    std::string message;
    first.close();
    while (messages.receive_all(message)) messages.send(message);
    _exit(0);
  }
  second.close();
  CHECK_EQUAL(first.peer_credentials().uid, getuid());
  auto messages = unipc::framed::create(std::move(first));
  CHECK(!first);
  std::string large(300000, 'x'), back;
  messages.send(""sv);
  messages.send(large);
  CHECK(messages.receive_all(back) && back.empty());
  CHECK(messages.receive_all(back, 10s) && back == large);
  messages.into_stream().close();
  CHECK_EQUAL(exit_status_of(child), 0);
}

void sockets() {
  auto path = "/tmp/" + own("socket");
  auto listener = unipc::listener::open_unix(path);
  CHECK(listener.address() == path);
  auto client = unipc::stream::connect_unix(path, 5s);
  auto server = listener.accept(5s);
  client.write_all(std::vector<std::byte>(3, std::byte{7}));
  std::vector<unsigned char> got(3);
  CHECK_EQUAL(server.read_exact(got, 5s), 3);
  CHECK_EQUAL(got[2], 7);
  expect(std::make_error_code(std::errc::address_in_use), [&] { unipc::listener::open_unix(path); });
  listener.close();
  CHECK_EQUAL(access(path.c_str(), F_OK), -1);

  auto tcp = unipc::listener::open_tcp(nullptr, 0);
  auto dialled = unipc::stream::connect_tcp(nullptr, tcp.port(), 5s);
  auto accepted = tcp.accept(5s);
  dialled.shutdown(UNIPC_SHUTDOWN_WRITE);
  CHECK_EQUAL(accepted.read(got, 5s), 0);
  expect(std::make_error_code(std::errc::timed_out), [&] { tcp.accept(10ms); });

  auto fifo = "/tmp/" + own("fifo");
  unipc::create_fifo(fifo);
  expect(std::make_error_code(std::errc::file_exists), [&] { unipc::create_fifo(fifo); });
  std::thread other([&] { unipc::stream::open_fifo_writer(fifo, 5s).write_all("fifo"sv); });
  auto end = unipc::stream::open_fifo_reader(fifo, 5s);
  std::array<char, 4> word;
  CHECK_EQUAL(end.read_exact(word, 5s), 4);
  other.join();
  unipc::unlink_fifo(fifo);
}

void stopping() {
  auto token = unipc::stop::create();
  auto [reader, writer] = unipc::pipe();
  std::thread other([&] { token.request(); });
  {
    auto bound = token.bind();
    std::array<char, 1> byte;
    expect(std::make_error_code(std::errc::operation_canceled), [&, &r = reader] { r.read(byte, 10s); });
  }
  other.join();
  CHECK(token.is_requested());
  std::array<char, 1> byte;
  std::error_code code;
  reader.read(byte, 10ms, code);
  CHECK(code == std::errc::timed_out);
  unipc::stop moved = std::move(token);
  moved.reset_request();
  CHECK(!moved.is_requested());
}

void memories() {
  auto name = own("memory");
  unipc::memory_options options;
  options.size = 100;
  auto memory = unipc::memory::create(name, options);
  CHECK_EQUAL(memory.size(), 100);
  memory.write(10, "text"sv);
  std::array<char, 4> back;
  auto again = unipc::memory::open(name);
  again.read(10, back);
  CHECK(std::string_view(back.data(), 4) == "text");
  void *before = memory.address();
  memory.resize(1 << 20);
  CHECK(std::memcmp(static_cast<char *>(before) + 10, "text", 4) == 0);
  again.refresh();
  CHECK_EQUAL(again.size(), 1 << 20);
  expect(std::make_error_code(std::errc::invalid_argument), [&] { again.read(1 << 20, back); });
  unipc::memory::unlink(name);
}

void counters() {
  auto name = own("counter");
  auto shared = unipc::shared<counter>::open_or_create(name);
  CHECK(shared.was_created());
  CHECK(!unipc::shared<counter>::open_or_create(name).was_created());
  unipc::memory_options to_read;
  to_read.access = UNIPC_READ_ONLY;
  expect(std::make_error_code(std::errc::invalid_argument), [&] { unipc::shared<counter>::open(name, to_read); });
  std::array<pid_t, 4> children;
  for (auto &child : children) {
    if ((child = fork()) != 0) continue;
    auto mine = unipc::shared<counter>::open(name);
    for (int i = 0; i < 1000; ++i) {
      std::scoped_lock held(mine->lock);
      ++mine->value;
    }
    mine->ready.post();
    _exit(0);
  }
  for (auto &child : children) {
    shared->ready.wait(20s);
    (void)child;
  }
  for (auto child : children) CHECK_EQUAL(exit_status_of(child), 0);
  CHECK_EQUAL(shared->value, 4000);
  CHECK_EQUAL(shared->ready.value(), 0);
  CHECK(!shared->ready.try_wait());
  CHECK(!shared->ready.wait_for(5ms));

  std::unique_lock<unipc::mutex> held(shared->lock, 1s);
  CHECK(held.owns_lock());
  std::thread([&] {
    CHECK(!shared->lock.try_lock());
    CHECK(!shared->lock.try_lock_for(10ms));
    CHECK(!shared->lock.try_lock_until(std::chrono::steady_clock::now() + 10ms));
    CHECK(!shared->lock.try_lock_until(std::chrono::system_clock::now() - 10ms));
  }).join();
  held.unlock();

  pid_t child = fork();
  if (child == 0) {
    shared->lock.lock();
    shared->value = -1;
    _exit(0);
  }
  CHECK_EQUAL(exit_status_of(child), 0);
  expect(std::make_error_code(std::errc::owner_dead), [&] { shared->lock.lock(); });
  {
    auto unrepaired = shared->lock.lock_recover(100ms);
    CHECK(unrepaired && unrepaired.needs_repair());
  }
  {
    auto guard = shared->lock.lock_recover(100ms);
    CHECK(guard.needs_repair());
    shared->value = 4000;
    guard.mark_consistent();
    CHECK(!guard.needs_repair());
  }
  CHECK(shared->lock.try_lock());
  shared->lock.unlock();
  unipc::memory::unlink(name);

  auto anonymous = unipc::shared<std::atomic<int>>::anonymous();
  CHECK_EQUAL(anonymous->load(), 0);
}

struct locks {
  unipc::spinlock spin;
  int value;
};
static_assert(std::is_trivially_default_constructible_v<unipc::spinlock>);

int status_of(int (*work)(locks &), locks &shared) {
  pid_t child = fork();
  if (child == 0) _exit(work(shared));
  return exit_status_of(child);
}

void spinlocks() {
  auto shared = unipc::shared<locks>::anonymous();
  {
    std::scoped_lock held(shared->spin);
    expect(std::make_error_code(std::errc::resource_deadlock_would_occur), [&] { shared->spin.lock(1s); });
    auto busy = [](locks &others) { return others.spin.try_lock() || others.spin.try_lock_for(5ms) ? 1 : 0; };
    CHECK_EQUAL(status_of(busy, *shared), 0);
  }
  auto dies = [](locks &others) {
    others.spin.lock();
    return 0;
  };
  CHECK_EQUAL(status_of(dies, *shared), 0);
  expect(std::make_error_code(std::errc::owner_dead), [&] { shared->spin.lock(20s); });
  {
    auto guard = shared->spin.lock_recover(20s);
    CHECK(guard && guard.needs_repair());
    guard.mark_consistent();
    CHECK(!guard.needs_repair());
  }
  CHECK(shared->spin.try_lock());
  shared->spin.unlock();
  std::error_code code;
  shared->spin.unlock(code);
  CHECK(code == std::errc::operation_not_permitted);
  shared->spin.mark_consistent(code);
  CHECK(code == std::errc::operation_not_permitted);
  shared->spin.init();
  CHECK(!shared->spin.lock_recover().needs_repair());
}

void named_semaphores() {
  auto name = own("semaphore");
  unipc::posix_semaphore_options options;
  options.value = 2;
  options.temporary = 1;
  auto semaphore = unipc::posix_semaphore::create(name, options);
  auto other = unipc::posix_semaphore::open(name);
  other.wait(1s);
  CHECK(other.try_wait());
  CHECK(!other.try_wait());
  semaphore.post();
  CHECK_EQUAL(other.value(), 1);
  expect(std::make_error_code(std::errc::file_exists), [&] { unipc::posix_semaphore::create(name); });
  semaphore.close();
  expect(std::make_error_code(std::errc::no_such_file_or_directory), [&] { unipc::posix_semaphore::open(name); });
}

void queues() {
  auto name = own("queue");
  unipc::mq_options options;
  options.capacity = 2, options.largest = 16, options.temporary = 1;
  auto queue = unipc::mq::create(name, options);
  auto other = unipc::mq::open(name);
  other.send(std::string_view("low"), 1);
  other.send(std::string_view("high"), 10, 1s);
  expect(std::make_error_code(std::errc::resource_unavailable_try_again), [&] { other.send(std::string_view("full"), 0, 0s); });
  unipc::message_info info;
  std::string text;
  queue.receive_all(text, 1s, &info);
  CHECK(text == "high" && info.priority == 10);
  queue.receive_all(text);
  CHECK(text == "low");
  char small[15];
  std::error_code code;
  CHECK_EQUAL(queue.receive({small, sizeof small}, 0s, code, &info), 0);
  CHECK(code == std::errc::message_size && info.size == 16);
  CHECK(queue.attributes().queued == 0 && queue.attributes().capacity == 2 && queue.largest() == 16);
  queue.notify_signal(SIGUSR1);
  queue.cancel_notify();
  auto again = unipc::mq::from_fd(other.into_fd());
  CHECK(!other && again.fd() >= 0);
  expect(std::make_error_code(std::errc::timed_out), [&] { again.receive_all(text, 1ms); });
  expect(std::make_error_code(std::errc::file_exists), [&] { unipc::mq::create(name); });
  queue.close();
  expect(std::make_error_code(std::errc::no_such_file_or_directory), [&] { unipc::mq::unlink(name); });

  using which = unipc::sysv_queue::which;
  unipc::sysv_queue_options temporary;
  temporary.temporary = 1;
  auto typed = unipc::sysv_queue::create_private(temporary);
  auto twin = unipc::sysv_queue::open_id(typed.id());
  for (int type = 1; type <= 3; type++) twin.send(std::string_view("message"), type, 1s);
  CHECK(typed.status().messages == 3 && typed.status().bytes == 21);
  char room[8];
  CHECK_EQUAL(typed.receive({room, sizeof room}, which::type(2), 1s, &info), 7);
  CHECK_EQUAL(info.type, 2);
  CHECK_EQUAL(typed.receive({small, sizeof small}, which::all_but(1), 1s, &info), 7);
  CHECK_EQUAL(info.type, 3);
  char tiny[3];
  expect(std::make_error_code(std::errc::argument_list_too_long), [&] { typed.receive({tiny, sizeof tiny}, which::any(), 0s); });
  CHECK_EQUAL(typed.receive({tiny, sizeof tiny}, which::lowest_up_to(9).cut(), 0s), 3);
  typed.set_mode(0640);
  typed.set_owner(UINT32_MAX, getgid());
  CHECK(typed.status().mode == 0640 && typed.status().id == typed.id() && typed.status().key == 0 && typed.status().uid == getuid());
  typed.set_limit(100);
  typed.remove();
  expect(std::make_error_code(std::errc::identifier_removed), [&] { twin.send(std::string_view("x"), 1); });
  CHECK(unipc::sysv_key("/", 1) != 0);
  expect(std::make_error_code(std::errc::no_such_file_or_directory), [&] { unipc::sysv_key("/no/such/file", 1); });
  expect(std::make_error_code(std::errc::invalid_argument), [] { unipc::sysv_queue::open(0); });
}

}  // namespace

static void kinds_of_memory() {
  unipc::memory_options options;
  options.size = 100;
  auto sealed = unipc::memory::memfd("cpp", options);
  sealed.write(0, "sealed"sv);
  sealed.seal(UNIPC_SEAL_SHRINK | UNIPC_SEAL_WRITE);
  CHECK((sealed.seals() & UNIPC_SEAL_WRITE) != 0);
  CHECK_AT_LEAST(sealed.page_size(), 4096);
  unipc::memory_options required;
  required.access = UNIPC_READ_ONLY;
  required.require_seals = UNIPC_SEAL_SHRINK;
  auto received = unipc::memory::from_fd(sealed.read_only_fd(), required);
  CHECK(std::string_view(static_cast<char *>(received.address()), 6) == "sealed");

  options.temporary = 1;
  auto path = "/tmp/" + own("file");
  auto file = unipc::memory::create_file(path, options);
  file.write(0, "file"sv);
  file.flush();
  file.advise(0, 0, UNIPC_ADVICE_WILL_NEED);
  expect(std::make_error_code(std::errc::file_exists), [&] { unipc::memory::create_file(path, options); });

  auto segment = unipc::memory::create_private_sysv(options);
  auto status = segment.status_sysv();
  CHECK_EQUAL(status.size, 100);
  segment.set_mode_sysv(0640);
  segment.set_owner_sysv(UINT32_MAX, getgid());
  CHECK(segment.id_sysv() == status.id && segment.status_sysv().mode == 0640 && status.creator_pid == getpid());
  auto other = unipc::memory::open_id_sysv(status.id);
  other.write(0, "same"sv);
  char text[4];
  segment.read(0, unipc::buffer(text, sizeof text));
  CHECK(std::string_view(text, 4) == "same");
  std::error_code code;
  unipc::memory::open_sysv(1, options, code);
  unipc::memory::remove_key_sysv(0, code);
  CHECK(code == std::errc::invalid_argument);
}

int main() {
  house before = house_now();
  timeouts();
  errors();
  streams();
  sockets();
  stopping();
  memories();
  kinds_of_memory();
  counters();
  spinlocks();
  named_semaphores();
  queues();
  house_check(before);
}
