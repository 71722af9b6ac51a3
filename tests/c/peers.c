/* Peers that die, stall or are many: what the survivor meets is an error code and a way on, never a hang or a signal. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <sys/resource.h>
#include <sys/socket.h>

#define LIMIT (20 * UNIPC_SECOND)

struct shared {
  unipc_mutex mutex;
  unipc_semaphore units;
  unipc_semaphore ready;
  int64_t value, backup;
  char filler[4096];
};

static struct shared *s;

static void kill_and_reap(pid_t child) {
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  CHECK_EQUAL(exit_status_of(child), 1000 + SIGKILL);
}

/* A child that reports itself ready and then sleeps until it is killed. */
static void wait_for_death(void) {
  CHECK_EQUAL(unipc_semaphore_post(&s->ready), 0);
  for (;;) pause();
}

static void killed_while_holding(void) {
  for (int round = 0; round < 20; round++) {
    pid_t holder = fork();
    if (holder == 0) {
      CHECK_EQUAL(unipc_mutex_lock(&s->mutex, LIMIT), 0);
      s->value = -1;
      wait_for_death();
    }
    CHECK_EQUAL(unipc_semaphore_wait(&s->ready, LIMIT), 0);
    CHECK_EQUAL(unipc_mutex_try_lock(&s->mutex), -EAGAIN);
    CHECK_EQUAL(unipc_mutex_lock_recover(&s->mutex, UNIPC_MILLISECOND), -ETIMEDOUT);
    kill_and_reap(holder);
    CHECK_EQUAL(unipc_mutex_lock(&s->mutex, LIMIT), -EOWNERDEAD);
    CHECK_EQUAL(unipc_mutex_unlock(&s->mutex), -EPERM);

    /* The repairer dies too: the need stays. */
    pid_t repairer = fork();
    if (repairer == 0) {
      CHECK_EQUAL(unipc_mutex_lock_recover(&s->mutex, LIMIT), UNIPC_NEEDS_REPAIR);
      wait_for_death();
    }
    CHECK_EQUAL(unipc_semaphore_wait(&s->ready, LIMIT), 0);
    kill_and_reap(repairer);
    CHECK_EQUAL(unipc_mutex_try_lock(&s->mutex), -EOWNERDEAD);
    /* And unlocking without marking leaves the need standing. */
    CHECK_EQUAL(unipc_mutex_lock_recover(&s->mutex, LIMIT), UNIPC_NEEDS_REPAIR);
    CHECK_EQUAL(unipc_mutex_unlock(&s->mutex), 0);
    CHECK_EQUAL(unipc_mutex_lock_recover(&s->mutex, LIMIT), UNIPC_NEEDS_REPAIR);
    s->value = s->backup;
    CHECK_EQUAL(unipc_mutex_mark_consistent(&s->mutex), 0);
    CHECK_EQUAL(unipc_mutex_unlock(&s->mutex), 0);
    CHECK_EQUAL(unipc_mutex_lock_recover(&s->mutex, LIMIT), 0);
    CHECK_EQUAL(unipc_mutex_unlock(&s->mutex), 0);
  }
}

/* Children that lock, change two numbers and unlock, killed at moments of no choice: the numbers agree, or the mutex says so. */
static void killed_anywhere(void) {
  int repairs = 0;
  for (int round = 0; round < 200; round++) {
    pid_t child = fork();
    if (child == 0) {
      CHECK_EQUAL(unipc_semaphore_post(&s->ready), 0);
      for (;;) {
        if (unipc_mutex_lock(&s->mutex, LIMIT) != 0) _exit(9);
        s->value++, s->backup++;
        if (unipc_mutex_unlock(&s->mutex) != 0) _exit(9);
      }
    }
    CHECK_EQUAL(unipc_semaphore_wait(&s->ready, LIMIT), 0);
    struct timespec moment = {0, (round * 7919) % 300000};
    nanosleep(&moment, NULL);
    kill_and_reap(child);
    int result = unipc_mutex_lock_recover(&s->mutex, LIMIT);
    CHECK(result == 0 || result == UNIPC_NEEDS_REPAIR);
    if (result == UNIPC_NEEDS_REPAIR) {
      CHECK(s->value == s->backup || s->value == s->backup + 1);
      s->value = s->backup;
      CHECK_EQUAL(unipc_mutex_mark_consistent(&s->mutex), 0);
      repairs++;
    }
    CHECK_EQUAL(s->value, s->backup);
    CHECK_EQUAL(unipc_mutex_unlock(&s->mutex), 0);
  }
  printf("  %d of 200 died holding the mutex\n", repairs);
}

static void recovering_semaphore(void) {
  unipc_semaphore_options options = UNIPC_SEMAPHORE_OPTIONS_INIT;
  options.value = 2, options.flags = UNIPC_SEMAPHORE_RECOVER;
  CHECK_EQUAL(unipc_semaphore_init(&s->units, &options), 0);
  CHECK_EQUAL(unipc_semaphore_post(&s->units), -EPERM);
  for (int round = 0; round < 10; round++) {
    pid_t holders[2];
    for (int i = 0; i < 2; i++) {
      if ((holders[i] = fork()) == 0) {
        CHECK_EQUAL(unipc_semaphore_wait(&s->units, LIMIT), 0);
        wait_for_death();
      }
      CHECK_EQUAL(unipc_semaphore_wait(&s->ready, LIMIT), 0);
    }
    CHECK_EQUAL(unipc_semaphore_try_wait(&s->units), -EAGAIN);
    for (int i = 0; i < 2; i++) kill_and_reap(holders[i]);
    CHECK_EQUAL(unipc_semaphore_wait(&s->units, LIMIT), 0);
    CHECK_EQUAL(unipc_semaphore_wait(&s->units, LIMIT), 0);
    CHECK_EQUAL(unipc_semaphore_try_wait(&s->units), -EAGAIN);
    CHECK_EQUAL(unipc_semaphore_post(&s->units), 0);
    CHECK_EQUAL(unipc_semaphore_post(&s->units), 0);
    CHECK_EQUAL(unipc_semaphore_value(&s->units), 2);
  }
}

/* 300 processes meet zeroed memory at once; each is the first for somebody. */
static void first_used_by_many(void) {
  enum { PROCESSES = 300, TIMES = 200 };
  memset(s, 0, sizeof *s);
  int gate[2];
  CHECK_EQUAL(pipe(gate), 0);
  static pid_t children[PROCESSES];
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = fork();
    CHECK_AT_LEAST(children[i], 0);
    if (children[i] != 0) continue;
    char byte;
    close(gate[1]);
    CHECK_EQUAL(read(gate[0], &byte, 1), 0); /* the gate opens for all when the parent closes it */
    for (int n = 0; n < TIMES; n++) {
      CHECK_EQUAL(unipc_mutex_lock(&s->mutex, 100 * UNIPC_SECOND), 0);
      int64_t seen = *(volatile int64_t *)&s->value;
      *(volatile int64_t *)&s->value = seen + 1;
      CHECK_EQUAL(unipc_mutex_unlock(&s->mutex), 0);
    }
    _exit(0);
  }
  close(gate[0]);
  close(gate[1]);
  for (int i = 0; i < PROCESSES; i++) CHECK_EQUAL(exit_status_of(children[i]), 0);
  CHECK_EQUAL(s->value, PROCESSES * TIMES);
}

static void pair(int kind, unipc_stream **reader, unipc_stream **writer) {
  CHECK_EQUAL(kind == 0 ? unipc_pipe_create(NULL, reader, writer) : unipc_stream_pair_unix(reader, writer), 0);
}

static void reader_gone(void) {
  static char data[1 << 20];
  for (int kind = 0; kind < 2; kind++) {
    unipc_stream *reader, *writer;
    pair(kind, &reader, &writer);
    unipc_stream_close(reader);
    CHECK_EQUAL(unipc_stream_write(writer, "x", 1, UNIPC_FOREVER), -EPIPE);
    CHECK_EQUAL(unipc_stream_write(writer, "x", 1, 0), -EPIPE);
    CHECK_EQUAL(unipc_stream_write_all(writer, "x", 1, LIMIT, NULL), -EPIPE);
    unipc_bytes part = {"x", 1};
    CHECK_EQUAL(unipc_stream_write_vectored(writer, &part, 1, LIMIT), -EPIPE);
    unipc_framed *framed;
    CHECK_EQUAL(unipc_framed_create(writer, NULL, &framed), 0);
    CHECK_EQUAL(unipc_framed_send(framed, "x", 1, LIMIT), -EPIPE);
    unipc_framed_close(framed);

    /* The reader is killed while the writer sleeps in the middle of a large write. */
    pair(kind, &reader, &writer);
    pid_t child = fork();
    if (child == 0) {
      unipc_stream_close(writer);
      CHECK_EQUAL(unipc_stream_read_exact(reader, data, 100, LIMIT, NULL), 0);
      wait_for_death();
    }
    unipc_stream_close(reader);
    pid_t killer = fork();
    if (killer == 0) {
      unipc_stream_close(writer);
      CHECK_EQUAL(unipc_semaphore_wait(&s->ready, LIMIT), 0);
      _exit(kill(child, SIGKILL) != 0);
    }
    size_t transferred;
    int result = unipc_stream_write_all(writer, data, sizeof data, LIMIT, &transferred);
    CHECK(result == -EPIPE || result == -ECONNRESET);
    CHECK_LESS(transferred, sizeof data);
    CHECK_EQUAL(exit_status_of(killer), 0);
    CHECK_EQUAL(exit_status_of(child), 1000 + SIGKILL);
    unipc_stream_close(writer);
  }
  struct sigaction action;
  sigset_t blocked, pending;
  CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL); /* and it is as it was */
  CHECK(sigprocmask(SIG_BLOCK, NULL, &blocked) == 0 && !sigismember(&blocked, SIGPIPE));
  CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
}

static void half_a_frame(void) {
  for (int kind = 0; kind < 2; kind++) {
    for (int sent = 0; sent <= 7; sent++) {
      unipc_stream *reader, *writer;
      unipc_framed *framed;
      pair(kind, &reader, &writer);
      pid_t child = fork();
      if (child == 0) {
        static const unsigned char frame[] = {0, 0, 0, 4, 'f', 'o', 'u', 'r'};
        CHECK_EQUAL(write(unipc_stream_fd(writer), frame, (size_t)sent), sent);
        wait_for_death();
      }
      unipc_stream_close(writer);
      CHECK_EQUAL(unipc_framed_create(reader, NULL, &framed), 0);
      char message[16];
      CHECK_EQUAL(unipc_semaphore_wait(&s->ready, LIMIT), 0);
      CHECK_EQUAL(unipc_framed_receive(framed, message, sizeof message, 0, NULL), -EAGAIN);
      kill_and_reap(child);
      ptrdiff_t first = unipc_framed_receive(framed, message, sizeof message, LIMIT, NULL);
      CHECK_EQUAL(first, sent == 0 ? UNIPC_END : UNIPC_TRUNCATED);
      ptrdiff_t second = unipc_framed_receive(framed, message, sizeof message, LIMIT, NULL);
      CHECK_EQUAL(second, sent == 0 ? UNIPC_END : -EBADMSG); /* it stays broken, and says so */
      unipc_framed_close(framed);
    }
    unipc_stream *reader, *writer;
    char four[4];
    size_t transferred;
    pair(kind, &reader, &writer);
    CHECK_EQUAL(unipc_stream_write_all(writer, "abc", 3, LIMIT, NULL), 0);
    unipc_stream_close(writer);
    CHECK_EQUAL(unipc_stream_read_exact(reader, four, 4, LIMIT, &transferred), UNIPC_TRUNCATED);
    CHECK_EQUAL(transferred, 3);
    CHECK_EQUAL(unipc_stream_read_exact(reader, four, 4, LIMIT, &transferred), UNIPC_END);
    CHECK_EQUAL(transferred, 0);
    unipc_stream_close(reader);
  }
}

static int64_t processor_time(void) {
  struct rusage used;
  CHECK_EQUAL(getrusage(RUSAGE_SELF, &used), 0);
  return ((int64_t)used.ru_utime.tv_sec + used.ru_stime.tv_sec) * UNIPC_SECOND +
         ((int64_t)used.ru_utime.tv_usec + used.ru_stime.tv_usec) * UNIPC_MICROSECOND;
}

/* With no descriptor left, a waiting connection keeps the listener readable: accept must neither spin nor lose it. */
static void no_descriptor_left(void) {
  unipc_listener *listener;
  unipc_stream *client, *server;
  struct rlimit before, low;
  CHECK_EQUAL(unipc_listener_open_tcp(NULL, 0, NULL, &listener), 0);
  CHECK_EQUAL(unipc_stream_connect_tcp(NULL, (uint32_t)unipc_listener_port(listener), NULL, LIMIT, &client), 0);
  CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
  int next = dup(0);
  close(next);
  low = before, low.rlim_cur = (rlim_t)next;
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
  int64_t start = now(), used = processor_time();
  int attempts = 0, result = 0;
  while (now() - start < UNIPC_SECOND) {
    result = unipc_listener_accept(listener, 200 * UNIPC_MILLISECOND, &server);
    CHECK(result == -EMFILE || result == -ETIMEDOUT);
    CHECK(server == NULL);
    attempts++;
  }
  int64_t wall = now() - start;
  used = processor_time() - used;
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
  printf("  accept without a descriptor: %d calls, %" PRId64 " of %" PRId64 " ms of a processor\n", attempts, used / UNIPC_MILLISECOND,
         wall / UNIPC_MILLISECOND);
  CHECK_LESS(used, wall / 4);
  CHECK_EQUAL(unipc_listener_accept(listener, LIMIT, &server), 0);
  CHECK_EQUAL(unipc_stream_write_all(server, "hello", 5, LIMIT, NULL), 0);
  char text[5];
  CHECK_EQUAL(unipc_stream_read_exact(client, text, 5, LIMIT, NULL), 0);
  unipc_stream_close(server);
  unipc_stream_close(client);
  unipc_listener_close(listener);
}

int main(void) {
  house before = house_now();
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  unipc_memory *memory;
  options.size = sizeof *s;
  CHECK_EQUAL(unipc_memory_create_anonymous(&options, &memory), 0);
  s = unipc_memory_address(memory);
  killed_while_holding();
  killed_anywhere();
  recovering_semaphore();
  first_used_by_many();
  reader_gone();
  half_a_frame();
  no_descriptor_left();
  unipc_memory_close(memory);
  house_check(before);
  return 0;
}
