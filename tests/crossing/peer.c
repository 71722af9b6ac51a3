/* The C peer of the crossing tests: every role by the C ABI. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"
#include "peer.h"

#define PATIENCE (SECONDS * UNIPC_SECOND)

static unsigned char data[BYTES > CUT ? BYTES : CUT], echo[LARGEST];

/* ---- one mutex and what it guards ---- */

typedef struct counter {
  unipc_mutex lock;
  volatile int64_t value, backup;
} counter;

static unipc_memory *counter_memory;

static counter *open_counter(const char *name) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(counter);
  CHECK_EQUAL(unipc_memory_open_or_create_posix(name, &options, &counter_memory), 0);
  return unipc_memory_address(counter_memory);
}

static void pause_shortly(void) {
  static const struct timespec moment = {0, 1000000};
  nanosleep(&moment, NULL);
}

static void await_change(counter *shared, int64_t last) {
  int64_t end = now() + PATIENCE, seen;
  do {
    CHECK_LESS(now(), end);
    pause_shortly();
    CHECK_EQUAL(unipc_mutex_lock(&shared->lock, PATIENCE), 0);
    seen = shared->value;
    CHECK_EQUAL(unipc_mutex_unlock(&shared->lock), 0);
  } while (seen == last);
}

/* Each waits for the other's first, or two that are fast might never meet; and ten times it sleeps in the middle of counting, where the
   mutex alone keeps the other one out. */
static void count(char **arguments) {
  counter *shared = open_counter(arguments[0]);
  int times = atoi(arguments[1]), taken_turns = 0;
  int64_t last = 0;
  say("ready");
  await_go();
  for (int i = 0; i < times; i++) {
    CHECK_EQUAL(unipc_mutex_lock(&shared->lock, PATIENCE), 0);
    int64_t seen = shared->value;
    if (i % (times / 10) == 0) pause_shortly();
    if (i > 0 && seen != last) taken_turns++;
    last = seen + 1;
    shared->value = last;
    CHECK_EQUAL(unipc_mutex_unlock(&shared->lock), 0);
    if (i == 0) await_change(shared, last);
  }
  printf("counted %d\n", taken_turns);
  unipc_memory_close(counter_memory);
}

static void hold(char **arguments) {
  counter *shared = open_counter(arguments[0]);
  CHECK_EQUAL(unipc_mutex_lock(&shared->lock, PATIENCE), 0);
  shared->backup = shared->value;
  shared->value = -1;
  say("locked");
  await_death();
}

static void recover(char **arguments) {
  counter *shared = open_counter(arguments[0]);
  CHECK_EQUAL(unipc_mutex_try_lock(&shared->lock), -EAGAIN);
  say("waiting");
  CHECK_EQUAL(unipc_mutex_lock(&shared->lock, PATIENCE), -EOWNERDEAD);
  CHECK_EQUAL(unipc_mutex_try_lock(&shared->lock), -EOWNERDEAD);
  CHECK_EQUAL(unipc_mutex_lock_recover(&shared->lock, PATIENCE), UNIPC_NEEDS_REPAIR);
  CHECK_EQUAL(shared->value, -1);
  shared->value = shared->backup;
  CHECK_EQUAL(unipc_mutex_mark_consistent(&shared->lock), 0);
  CHECK_EQUAL(unipc_mutex_unlock(&shared->lock), 0);
  say("repaired");
  unipc_memory_close(counter_memory);
}

static void clean(char **arguments) {
  counter *shared = open_counter(arguments[0]);
  CHECK_EQUAL(unipc_mutex_lock(&shared->lock, PATIENCE), 0);
  CHECK_EQUAL(shared->value, atoi(arguments[1]));
  CHECK_EQUAL(unipc_mutex_unlock(&shared->lock), 0);
  CHECK_EQUAL(unipc_mutex_lock_recover(&shared->lock, PATIENCE), 0);
  CHECK_EQUAL(unipc_mutex_unlock(&shared->lock), 0);
  unipc_memory_close(counter_memory);
}

/* ---- the other locks, and what they guard ---- */

typedef struct table {
  unipc_mutex mutex;
  unipc_condvar changed;
  unipc_spinlock spinlock;
  unipc_event there, back;
  unipc_barrier barrier;
  unipc_rwlock rwlock;
  volatile int64_t spun, written, backup, turns;
} table;

static unipc_memory *table_memory;

static table *open_table(const char *name) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(table);
  CHECK_EQUAL(unipc_memory_open_or_create_posix(name, &options, &table_memory), 0);
  return unipc_memory_address(table_memory);
}

typedef struct side {
  table *shared;
  int64_t number;
} side;

static int is_others_turn(void *argument) {
  side *own = argument;
  return own->shared->turns % 2 != own->number;
}

/* Every lock, many times each; number 0 goes first where somebody has to. */
static void use_together(table *shared, int64_t number) {
  side own = {shared, number};
  for (int i = 0; i < TOGETHER; i++) {
    CHECK(unipc_barrier_wait(&shared->barrier, PATIENCE) >= 0);
    CHECK_EQUAL(unipc_spinlock_lock(&shared->spinlock, PATIENCE), 0);
    shared->spun = shared->spun + 1;
    CHECK_EQUAL(unipc_spinlock_unlock(&shared->spinlock), 0);
    CHECK_EQUAL(unipc_rwlock_write_lock(&shared->rwlock, PATIENCE), 0);
    shared->written = shared->written + 1;
    shared->backup = shared->written;
    CHECK_EQUAL(unipc_rwlock_unlock(&shared->rwlock), 0);
    CHECK_EQUAL(unipc_rwlock_read_lock(&shared->rwlock, PATIENCE), 0);
    CHECK_EQUAL(shared->backup, shared->written);
    CHECK_EQUAL(unipc_rwlock_unlock(&shared->rwlock), 0);
    CHECK_EQUAL(unipc_mutex_lock(&shared->mutex, PATIENCE), 0);
    CHECK_EQUAL(unipc_condvar_wait_while(&shared->changed, &shared->mutex, is_others_turn, &own, PATIENCE), 0);
    shared->turns = shared->turns + 1;
    CHECK_EQUAL(unipc_condvar_notify_one(&shared->changed), 0);
    CHECK_EQUAL(unipc_mutex_unlock(&shared->mutex), 0);
    if (number == 0) CHECK_EQUAL(unipc_event_set(&shared->there), 0);
    CHECK_EQUAL(unipc_event_wait(number == 0 ? &shared->back : &shared->there, PATIENCE), 0);
    if (number == 1) CHECK_EQUAL(unipc_event_set(&shared->back), 0);
  }
  CHECK(unipc_barrier_wait(&shared->barrier, PATIENCE) >= 0);
  CHECK_EQUAL(shared->spun, 2 * TOGETHER);
  CHECK_EQUAL(shared->written, 2 * TOGETHER);
  CHECK_EQUAL(shared->turns, 2 * TOGETHER);
  CHECK(unipc_barrier_wait(&shared->barrier, PATIENCE) >= 0); /* both have looked */
}

static void locks_first(char **arguments) {
  table *shared = open_table(arguments[0]);
  unipc_event_options turnstile = UNIPC_EVENT_OPTIONS_INIT;
  turnstile.flags = UNIPC_EVENT_AUTOMATIC_RESET;
  CHECK_EQUAL(unipc_event_init(&shared->there, &turnstile), 0);
  CHECK_EQUAL(unipc_event_init(&shared->back, &turnstile), 0);
  CHECK_EQUAL(unipc_barrier_init(&shared->barrier, 2), 0);
  say("made");
  use_together(shared, 0);
  CHECK_EQUAL(unipc_spinlock_lock(&shared->spinlock, PATIENCE), 0);
  CHECK_EQUAL(unipc_rwlock_write_lock(&shared->rwlock, PATIENCE), 0);
  shared->written = -1;
  say("locked");
  await_death();
}

static void locks_second(char **arguments) {
  table *shared = open_table(arguments[0]);
  use_together(shared, 1);
  say("together");
  await_go();
  CHECK_EQUAL(unipc_rwlock_write_lock(&shared->rwlock, PATIENCE), -EOWNERDEAD);
  CHECK_EQUAL(unipc_rwlock_read_lock_recover(&shared->rwlock, PATIENCE), UNIPC_NEEDS_REPAIR);
  CHECK_EQUAL(shared->written, -1);
  shared->written = shared->backup;
  CHECK_EQUAL(unipc_rwlock_mark_consistent(&shared->rwlock), 0);
  CHECK_EQUAL(unipc_rwlock_unlock(&shared->rwlock), 0);
  CHECK_EQUAL(unipc_rwlock_try_read_lock(&shared->rwlock), 0);
  CHECK_EQUAL(unipc_rwlock_unlock(&shared->rwlock), 0);
  CHECK_EQUAL(unipc_spinlock_lock_recover(&shared->spinlock, PATIENCE), UNIPC_NEEDS_REPAIR);
  CHECK_EQUAL(unipc_spinlock_mark_consistent(&shared->spinlock), 0);
  CHECK_EQUAL(unipc_spinlock_unlock(&shared->spinlock), 0);
  CHECK_EQUAL(unipc_barrier_wait(&shared->barrier, PATIENCE), -EOWNERDEAD);
  CHECK_EQUAL(unipc_barrier_reset(&shared->barrier), 1);
  unipc_memory_close(table_memory);
}

/* ---- messages ---- */

static unipc_framed *frame(unipc_stream *stream) {
  unipc_framed *framed;
  CHECK_EQUAL(unipc_framed_create(stream, NULL, &framed), 0);
  return framed;
}

static void send_filled(unipc_framed *framed, size_t size, size_t salt) {
  fill(data, size, salt);
  CHECK_EQUAL(unipc_framed_send(framed, data, size, PATIENCE), 0);
}

/* Leaves the message in `echo`. */
static void receive_filled(unipc_framed *framed, size_t size, size_t salt) {
  CHECK_EQUAL(unipc_framed_receive(framed, echo, sizeof echo, PATIENCE, NULL), size);
  CHECK(is_filled(echo, size, salt));
}

static ptrdiff_t receive(unipc_framed *framed) { return unipc_framed_receive(framed, data, sizeof data, PATIENCE, NULL); }

/* ---- one FIFO ---- */

static unipc_stream *open_reader(const char *path) {
  unipc_stream *stream;
  CHECK_EQUAL(unipc_stream_open_or_create_fifo_reader(path, NULL, PATIENCE, &stream), 0);
  return stream;
}

static unipc_stream *open_writer(const char *path) {
  unipc_stream *stream;
  unipc_fifo_options options = UNIPC_FIFO_OPTIONS_INIT;
  options.wait_for_creator = PATIENCE;
  CHECK_EQUAL(unipc_stream_open_fifo_writer(path, &options, PATIENCE, &stream), 0);
  return stream;
}

static void fifo_read(char **arguments) {
  unipc_stream *stream = open_reader(arguments[0]);
  CHECK_EQUAL(unipc_stream_read_exact(stream, data, BYTES, PATIENCE, NULL), 0);
  CHECK(is_filled(data, BYTES, SALT_BYTES));
  unipc_framed *framed = frame(stream);
  for (size_t i = 0; i < SIZES; i++) receive_filled(framed, sizes[i], SALT_FRAMES + i);
  CHECK_EQUAL(receive(framed), UNIPC_END);
  CHECK_EQUAL(receive(framed), UNIPC_END);
  unipc_framed_close(framed);
  CHECK_EQUAL(unipc_fifo_unlink(arguments[0]), 0);
}

static void fifo_write(char **arguments) {
  unipc_stream *stream = open_writer(arguments[0]);
  fill(data, BYTES, SALT_BYTES);
  CHECK_EQUAL(unipc_stream_write_all(stream, data, BYTES, PATIENCE, NULL), 0);
  unipc_framed *framed = frame(stream);
  for (size_t i = 0; i < SIZES; i++) send_filled(framed, sizes[i], SALT_FRAMES + i);
  unipc_framed_close(framed);
}

static void fifo_read_cut(char **arguments) {
  unipc_framed *framed = frame(open_reader(arguments[0]));
  say("open");
  await_go();
  receive_filled(framed, 5, SALT_FRAMES);
  CHECK_EQUAL(receive(framed), UNIPC_TRUNCATED);
  CHECK_EQUAL(receive(framed), -EBADMSG);
  unipc_framed_close(framed);
  CHECK_EQUAL(unipc_fifo_unlink(arguments[0]), 0);
}

static void fifo_write_cut(char **arguments) {
  unipc_framed *framed = frame(open_writer(arguments[0]));
  send_filled(framed, 5, SALT_FRAMES);
  /* Nobody reads: what does not fit into the FIFO is kept, and lost with the process. */
  fill(data, CUT, SALT_FRAMES);
  CHECK_EQUAL(unipc_framed_send(framed, data, CUT, 20 * UNIPC_MILLISECOND), 0);
  say("cut");
  await_death();
}

/* ---- one Unix socket ---- */

static unipc_listener *listen_at(const char *path) {
  unipc_listener *listener;
  CHECK_EQUAL(unipc_listener_open_unix(path, NULL, &listener), 0);
  say("listening");
  return listener;
}

static unipc_stream *accept_from(unipc_listener *listener) {
  unipc_stream *stream;
  CHECK_EQUAL(unipc_listener_accept(listener, PATIENCE, &stream), 0);
  return stream;
}

static unipc_stream *connect_to(const char *path) {
  unipc_stream *stream;
  unipc_unix_connect_options options = UNIPC_UNIX_CONNECT_OPTIONS_INIT;
  options.wait_for_listener = 1;
  CHECK_EQUAL(unipc_stream_connect_unix(path, &options, PATIENCE, &stream), 0);
  return stream;
}

static void tell_peer(unipc_stream *stream) {
  unipc_credentials peer = UNIPC_CREDENTIALS_INIT;
  CHECK_EQUAL(unipc_stream_peer_credentials(stream, &peer), 0);
  CHECK_EQUAL(peer.uid, geteuid());
  printf("peer %d\n", (int)peer.pid);
  fflush(stdout);
}

static void unix_serve(char **arguments) {
  unipc_listener *listener = listen_at(arguments[0]);
  unipc_stream *stream = accept_from(listener);
  tell_peer(stream);
  unipc_framed *framed = frame(stream);
  for (size_t i = 0; i < SIZES; i++) {
    receive_filled(framed, sizes[i], SALT_TO_SERVER + i);
    CHECK_EQUAL(unipc_framed_send(framed, echo, sizes[i], PATIENCE), 0);
  }
  for (size_t i = 0; i < SIZES; i++) {
    send_filled(framed, sizes[i], SALT_TO_CLIENT + i);
    receive_filled(framed, sizes[i], SALT_TO_CLIENT + i);
  }
  CHECK_EQUAL(receive(framed), UNIPC_END);
  /* The client has ended its direction alone. */
  stream = unipc_framed_into_stream(framed);
  CHECK_EQUAL(unipc_stream_write_all(stream, "last", 4, PATIENCE, NULL), 0);
  unipc_stream_close(stream);
  unipc_listener_close(listener);
}

static void unix_connect(char **arguments) {
  unipc_stream *stream = connect_to(arguments[0]);
  tell_peer(stream);
  unipc_framed *framed = frame(stream);
  for (size_t i = 0; i < SIZES; i++) {
    send_filled(framed, sizes[i], SALT_TO_SERVER + i);
    receive_filled(framed, sizes[i], SALT_TO_SERVER + i);
  }
  for (size_t i = 0; i < SIZES; i++) {
    receive_filled(framed, sizes[i], SALT_TO_CLIENT + i);
    CHECK_EQUAL(unipc_framed_send(framed, echo, sizes[i], PATIENCE), 0);
  }
  stream = unipc_framed_into_stream(framed);
  CHECK_EQUAL(unipc_stream_shutdown(stream, UNIPC_SHUTDOWN_WRITE), 0);
  CHECK_EQUAL(unipc_stream_read_exact(stream, data, 4, PATIENCE, NULL), 0);
  CHECK(memcmp(data, "last", 4) == 0);
  CHECK_EQUAL(unipc_stream_read(stream, data, 1, PATIENCE), 0);
  unipc_stream_close(stream);
}

/* Takes one message, and leaves what else there is unread. */
static void unix_serve_hold(char **arguments) {
  unipc_framed *framed = frame(accept_from(listen_at(arguments[0])));
  receive_filled(framed, 5, SALT_TO_SERVER);
  say("served");
  await_death();
}

/* A server that dies with something unread resets the connection; else it ends. */
static void unix_lose(char **arguments) {
  int messages = atoi(arguments[1]);
  unipc_framed *framed = frame(connect_to(arguments[0]));
  for (int i = 0; i < messages; i++) send_filled(framed, 5, SALT_TO_SERVER);
  say("sent");
  CHECK_EQUAL(receive(framed), messages == 1 ? UNIPC_END : -ECONNRESET);
  unipc_framed_close(framed);
}

/* ---- one memory and one named semaphore ---- */

static void memory_write(char **arguments) {
  unipc_memory *memory;
  unipc_posix_semaphore *filled;
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = PAGE;
  CHECK_EQUAL(unipc_memory_create_posix(arguments[0], &options, &memory), 0);
  CHECK_EQUAL(unipc_posix_semaphore_create(arguments[0], NULL, &filled), 0);
  say("created");
  await_go();
  fill(data, PAGE, SALT_MEMORY);
  CHECK_EQUAL(unipc_memory_write(memory, 0, data, PAGE), 0);
  CHECK_EQUAL(unipc_posix_semaphore_post(filled), 0);
  say("posted");
  await_go();
  CHECK_EQUAL(unipc_memory_unlink_posix(arguments[0]), -ENOENT); /* the reader has done it */
  CHECK_EQUAL(unipc_posix_semaphore_unlink(arguments[0]), 0);
  unipc_posix_semaphore_close(filled);
  unipc_memory_close(memory);
}

static void memory_read(char **arguments) {
  unipc_memory *memory;
  unipc_posix_semaphore *filled;
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  unipc_posix_semaphore_options semaphore_options = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  CHECK_EQUAL(unipc_memory_open_posix(arguments[0], NULL, &memory), -ENOENT);
  CHECK_EQUAL(unipc_posix_semaphore_open(arguments[0], NULL, &filled), -ENOENT);
  say("starting");
  options.size = PAGE;
  options.wait_for_creator = PATIENCE;
  semaphore_options.wait_for_creator = PATIENCE;
  CHECK_EQUAL(unipc_memory_open_posix(arguments[0], &options, &memory), 0);
  CHECK_EQUAL(unipc_posix_semaphore_open(arguments[0], &semaphore_options, &filled), 0);
  CHECK_EQUAL(unipc_posix_semaphore_try_wait(filled), -EAGAIN);
  say("opened");
  CHECK_EQUAL(unipc_posix_semaphore_wait(filled, PATIENCE), 0);
  CHECK_EQUAL(unipc_memory_size(memory), PAGE);
  CHECK_EQUAL(unipc_memory_read(memory, 0, data, PAGE), 0);
  CHECK(is_filled(data, PAGE, SALT_MEMORY));
  CHECK_EQUAL(unipc_posix_semaphore_wait(filled, 20 * UNIPC_MILLISECOND), -ETIMEDOUT); /* it was one unit */
  CHECK_EQUAL(unipc_memory_unlink_posix(arguments[0]), 0);
  say("read");
  unipc_posix_semaphore_close(filled);
  unipc_memory_close(memory);
}

static const role roles[] = {
    {"count", count, 2},
    {"hold", hold, 1},
    {"recover", recover, 1},
    {"clean", clean, 2},
    {"locks-first", locks_first, 1},
    {"locks-second", locks_second, 1},
    {"fifo-read", fifo_read, 1},
    {"fifo-write", fifo_write, 1},
    {"fifo-read-cut", fifo_read_cut, 1},
    {"fifo-write-cut", fifo_write_cut, 1},
    {"unix-serve", unix_serve, 1},
    {"unix-connect", unix_connect, 1},
    {"unix-serve-hold", unix_serve_hold, 1},
    {"unix-lose", unix_lose, 2},
    {"memory-write", memory_write, 1},
    {"memory-read", memory_read, 1},
    {NULL, NULL, 0},
};

int main(int argc, char **argv) {
  house before = house_now();
  int status = play(roles, argc, argv);
  house_check(before);
  return status;
}
