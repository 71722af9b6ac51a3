/* A storm of signals, a thousand a second, during every call that waits: no call fails with EINTR, none ends early, none is starved. And
   the stop token ends every one of them, requested from a signal handler and from another thread. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/time.h>

#define LONG (60 * UNIPC_SECOND)

static char path[96], name[64];
static unipc_stream *empty_reader, *full_writer, *empty_socket, *idle_end, *idle_peer;
static unipc_stream *pipe_writer, *pipe_reader, *other_socket;
static unipc_listener *quiet, *crowded;
static unipc_framed *silent;
static unipc_posix_semaphore *named;
static unipc_memory *memory;
static struct shared {
  unipc_mutex mutex;
  unipc_semaphore semaphore, recovering;
} *s;
static char data[1 << 20];

/* Every call that can wait, on an object where nothing will ever happen. */
static int read_pipe(int64_t t) { return (int)unipc_stream_read(empty_reader, data, 1, t); }
static int read_socket(int64_t t) { return (int)unipc_stream_read(empty_socket, data, 1, t); }
static int read_exact(int64_t t) { return unipc_stream_read_exact(empty_reader, data, 10, t, NULL); }
static int read_vectored(int64_t t) {
  unipc_buffer buffer = {data, 4};
  return (int)unipc_stream_read_vectored(empty_reader, &buffer, 1, t);
}
static int write_pipe(int64_t t) { return (int)unipc_stream_write(full_writer, data, 1, t); }
static int write_all(int64_t t) { return unipc_stream_write_all(full_writer, data, sizeof data, t, NULL); }
static int write_socket(int64_t t) { return unipc_stream_write_all(idle_end, data, sizeof data, t, NULL); }
static int write_vectored(int64_t t) {
  unipc_bytes bytes = {data, 4};
  return (int)unipc_stream_write_vectored(full_writer, &bytes, 1, t);
}
static int receive(int64_t t) { return (int)unipc_framed_receive(silent, data, sizeof data, t, NULL); }
static int accept_one(int64_t t) {
  unipc_stream *stream;
  return unipc_listener_accept(quiet, t, &stream);
}
static int connect_unix(int64_t t) {
  unipc_stream *stream;
  char address[108];
  unipc_listener_address(crowded, address, sizeof address);
  return unipc_stream_connect_unix(address, NULL, t, &stream);
}
static int await_listener(int64_t t) {
  unipc_stream *stream;
  unipc_unix_connect_options options = UNIPC_UNIX_CONNECT_OPTIONS_INIT;
  options.wait_for_listener = 1;
  return unipc_stream_connect_unix("@unipc-nobody-listens-here", &options, t, &stream);
}
static int fifo_reader(int64_t t) {
  unipc_stream *stream;
  return unipc_stream_open_fifo_reader(path, NULL, t, &stream);
}
static int fifo_writer(int64_t t) {
  unipc_stream *stream;
  return unipc_stream_open_fifo_writer(path, NULL, t, &stream);
}
static int lock(int64_t t) { return unipc_mutex_lock(&s->mutex, t); }
static int lock_recover(int64_t t) { return unipc_mutex_lock_recover(&s->mutex, t); }
static int semaphore(int64_t t) { return unipc_semaphore_wait(&s->semaphore, t); }
static int recovering(int64_t t) { return unipc_semaphore_wait(&s->recovering, t); }
static int posix_semaphore(int64_t t) { return unipc_posix_semaphore_wait(named, t); }

static const struct {
  const char *name;
  int (*call)(int64_t);
} calls[] = {{"read pipe", read_pipe},
             {"read socket", read_socket},
             {"read_exact", read_exact},
             {"read_vectored", read_vectored},
             {"write", write_pipe},
             {"write_all", write_all},
             {"write_all to a socket", write_socket},
             {"write_vectored", write_vectored},
             {"framed receive", receive},
             {"accept", accept_one},
             {"connect, queue full", connect_unix},
             {"connect, no listener yet", await_listener},
             {"open FIFO reader", fifo_reader},
             {"open FIFO writer", fifo_writer},
             {"mutex lock", lock},
             {"mutex lock_recover", lock_recover},
             {"semaphore wait", semaphore},
             {"recovering semaphore wait", recovering},
             {"POSIX semaphore wait", posix_semaphore}};
enum { CALLS = sizeof calls / sizeof calls[0] };

static atomic_int signals;
static unipc_stop *token;
static pthread_t main_thread;
static atomic_int stop_at; /* the handler's count at which it requests a stop; 0: never */

static void on_signal(int number) {
  (void)number;
  int count = atomic_fetch_add(&signals, 1) + 1;
  int limit = atomic_load(&stop_at);
  if (limit != 0 && count >= limit) unipc_stop_request(token);
}

static void storm(int microseconds) {
  struct itimerval timer = {{0, microseconds}, {0, microseconds}};
  CHECK_EQUAL(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* Not early, not absurdly late, and the storm did blow: a busy machine lets this process see but a few of the signals. */
static void deadlines_hold(void) {
  for (int i = 0; i < CALLS; i++) {
    int64_t limit = 100 * UNIPC_MILLISECOND;
    atomic_store(&signals, 0);
    int64_t start = now();
    int result = calls[i].call(limit);
    int64_t took = now() - start;
    if (result != -ETIMEDOUT || took < limit || took > 10 * limit || atomic_load(&signals) < 2) {
      fprintf(stderr, "%s in a storm: result %d (%s) after %" PRId64 " us of %" PRId64 ", %d signals\n", calls[i].name, result,
              unipc_error_name(result), took / 1000, limit / 1000, (int)atomic_load(&signals));
      _exit(1);
    }
  }
}

static void stops_from_a_handler(int64_t timeout) {
  for (int i = 0; i < CALLS; i++) {
    CHECK_EQUAL(unipc_stop_reset(token), 0);
    CHECK_EQUAL(unipc_stop_bind(token), 0);
    atomic_store(&stop_at, atomic_load(&signals) + 20);
    int64_t start = now();
    int result = calls[i].call(timeout);
    int64_t took = now() - start;
    atomic_store(&stop_at, 0);
    CHECK_EQUAL(unipc_stop_bind(NULL), 0);
    if (result != -ECANCELED || took > 5 * UNIPC_SECOND) {
      fprintf(stderr, "%s stopped by a handler: result %d (%s) after %" PRId64 " us\n", calls[i].name, result, unipc_error_name(result),
              took / 1000);
      _exit(1);
    }
  }
}

/* Requests a stop once the main thread sleeps in the kernel (state S), which is when it is inside the call. */
static void *request_when_asleep(void *argument) {
  (void)argument;
  char file[64], line[256];
  snprintf(file, sizeof file, "/proc/%d/task/%d/stat", (int)getpid(), (int)getpid());
  for (int64_t end = now() + LONG; now() < end;) {
    FILE *stat = fopen(file, "re");
    if (stat == NULL) break;
    char *found = fgets(line, sizeof line, stat);
    fclose(stat);
    char *state = found == NULL ? NULL : strrchr(line, ')');
    if (state != NULL && state[2] == 'S') break;
  }
  unipc_stop_request(token);
  return NULL;
}

static void stops_from_a_thread(int64_t timeout) {
  for (int i = 0; i < CALLS; i++) {
    pthread_t thread;
    CHECK_EQUAL(unipc_stop_reset(token), 0);
    CHECK_EQUAL(unipc_stop_bind(token), 0);
    CHECK_EQUAL(pthread_create(&thread, NULL, request_when_asleep, NULL), 0);
    int64_t start = now();
    int result = calls[i].call(timeout);
    int64_t took = now() - start;
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    CHECK_EQUAL(unipc_stop_bind(NULL), 0);
    if (result != -ECANCELED || took > 5 * UNIPC_SECOND) {
      fprintf(stderr, "%s stopped by a thread: result %d (%s) after %" PRId64 " us\n", calls[i].name, result, unipc_error_name(result),
              took / 1000);
      _exit(1);
    }
  }
}

static void fill(unipc_stream *stream) {
  while (unipc_stream_write(stream, data, sizeof data, 0) > 0) {}
  while (unipc_stream_write(stream, data, 1, 0) > 0) {}
}

/* Another thread holds the mutex and, in the recovering semaphore, the only unit. */
static pthread_barrier_t held, finished;
static void *holder(void *argument) {
  (void)argument;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  CHECK_EQUAL(unipc_mutex_lock(&s->mutex, LONG), 0);
  CHECK_EQUAL(unipc_semaphore_wait(&s->recovering, LONG), 0);
  pthread_barrier_wait(&held);
  pthread_barrier_wait(&finished);
  CHECK_EQUAL(unipc_semaphore_post(&s->recovering), 0);
  CHECK_EQUAL(unipc_mutex_unlock(&s->mutex), 0);
  return NULL;
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/signals.%d", (int)getpid());
  snprintf(name, sizeof name, "signals.%d", (int)getpid());
  house before = house_now();
  main_thread = pthread_self();

  unipc_stream *silent_end, *silent_peer, *waiting[2];
  CHECK_EQUAL(unipc_pipe_create(NULL, &empty_reader, &pipe_writer), 0);
  CHECK_EQUAL(unipc_pipe_create(NULL, &pipe_reader, &full_writer), 0);
  fill(full_writer);
  CHECK_EQUAL(unipc_stream_pair_unix(&empty_socket, &other_socket), 0);
  CHECK_EQUAL(unipc_stream_pair_unix(&idle_end, &idle_peer), 0);
  fill(idle_end);
  CHECK_EQUAL(unipc_stream_pair_unix(&silent_end, &silent_peer), 0);
  CHECK_EQUAL(unipc_framed_create(silent_end, NULL, &silent), 0);
  CHECK_EQUAL(unipc_listener_open_tcp(NULL, 0, NULL, &quiet), 0);
  char address[64];
  unipc_unix_listen_options one = UNIPC_UNIX_LISTEN_OPTIONS_INIT;
  one.backlog = 1;
  snprintf(address, sizeof address, "@signals.%d", (int)getpid());
  CHECK_EQUAL(unipc_listener_open_unix(address, &one, &crowded), 0);
  for (int i = 0; i < 2; i++) CHECK_EQUAL(unipc_stream_connect_unix(address, NULL, 0, &waiting[i]), 0);
  CHECK_EQUAL(unipc_fifo_create(path, NULL), 0);
  CHECK_EQUAL(unipc_posix_semaphore_create(name, NULL, &named), 0);
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof *s;
  CHECK_EQUAL(unipc_memory_create_anonymous(&options, &memory), 0);
  s = unipc_memory_address(memory);
  unipc_semaphore_options unit = UNIPC_SEMAPHORE_OPTIONS_INIT;
  unit.value = 1, unit.flags = UNIPC_SEMAPHORE_RECOVER;
  CHECK_EQUAL(unipc_semaphore_init(&s->recovering, &unit), 0);
  CHECK_EQUAL(unipc_stop_create(&token), 0);
  pthread_t thread;
  pthread_barrier_init(&held, NULL, 2);
  pthread_barrier_init(&finished, NULL, 2);
  CHECK_EQUAL(pthread_create(&thread, NULL, holder, NULL), 0);
  pthread_barrier_wait(&held);

  struct sigaction action = {.sa_handler = on_signal}, old;
  CHECK_EQUAL(sigaction(SIGALRM, &action, &old), 0);
  storm(1000);
  deadlines_hold();
  stops_from_a_handler(LONG);
  stops_from_a_handler(UNIPC_FOREVER);
  storm(0);
  stops_from_a_thread(LONG);
  stops_from_a_thread(UNIPC_FOREVER);
  CHECK_EQUAL(sigaction(SIGALRM, &old, NULL), 0);

  pthread_barrier_wait(&finished);
  CHECK_EQUAL(pthread_join(thread, NULL), 0);
  unipc_stop_close(token);
  unipc_memory_close(memory);
  unipc_posix_semaphore_close(named);
  CHECK_EQUAL(unipc_posix_semaphore_unlink(name), 0);
  CHECK_EQUAL(unipc_fifo_unlink(path), 0);
  for (int i = 0; i < 2; i++) unipc_stream_close(waiting[i]);
  unipc_listener_close(crowded);
  unipc_listener_close(quiet);
  unipc_framed_close(silent);
  unipc_stream *streams[] = {silent_peer, idle_end, idle_peer, empty_socket, other_socket, empty_reader, pipe_writer, pipe_reader, full_writer};
  for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) unipc_stream_close(streams[i]);
  house_check(before);
  return 0;
}
