/* What the two C workers share: the command line, the two pinned processes, the loops that are timed, and the samples on standard output.
 *
 * A worker includes this file and defines the calls that are declared below, in its own way; both are compiled into one unit, so that the
 * loops are the same machine code but for those calls.
 *
 * Command line:  worker MECHANISM METRIC SIZE CPU PEER_CPU SAMPLES BATCH
 * Output:        one line, the nanoseconds of each sample; a sample is BATCH operations
 */
#ifndef UNIPC_BENCH_WORKER_H
#define UNIPC_BENCH_WORKER_H

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Where a call or a switch more would show beside what is measured. */
#define INLINED static inline __attribute__((always_inline))

struct job {
  const char *mechanism, *metric;
  size_t size;
  int cpus[2]; /* of the measuring process, and of its peer */
  long samples, batch;
  uint64_t *times;
};

/* ---- What the worker brings --------------------------------------------------------------------------- */

/* The two directions of a connection, as one process sees it: of bytes or of messages. */
struct ends;
/* Makes what both processes need, before the fork; then each process opens its side. */
static void prepare_ends(const char *mechanism);
static struct ends *open_ends(const char *mechanism, int is_peer);
static void write_message(struct ends *ends, const unsigned char *message, size_t size);
static void read_message(struct ends *ends, unsigned char *message, size_t size);

/* A lock; the result is a number in shared memory that it protects. */
static uint64_t *prepare_lock(const char *mechanism);
INLINED void lock(void);
INLINED void unlock(void);

enum { THERE, BACK };
/* Two semaphores of value 0, or something else by which one process wakes the other: after the fork each knows the other's number. */
static void prepare_notices(const char *mechanism);
INLINED void post(int which);
INLINED void take(int which);
static pid_t other_process;

/* The same for what is called too seldom for a switch to be too slow. What is not between two has a `which` of no meaning. */
static size_t operand_size;
static void prepare_memory(void);
static void copy_in(int which);
static void copy_out(int which);
static void prepare_timer(void);
static void set_timer(int which);
static void cancel_timer(int which);
static void prepare_transfer(void);
static void transfer_in(int which);
static void transfer_out(int which);
static void prepare_spawn(void);
static void start_child(int which);
static void await_child(int which);
static void prepare_passing(void);
static void pass(int which);
static void take_passed(int which);
static void prepare_poller(void);
static void add_to_watched(int which);
static void take_when_told(int which);
static void prepare_futex(void);
static void set_and_wake(int which);
static void sleep_until_set(int which);

struct calls {
  const char *mechanism;
  void (*prepare)(void), (*post)(int), (*take)(int);
};

static const struct calls all_calls[] = {
    {"memory", prepare_memory, copy_in, copy_out},
    {"timer", prepare_timer, set_timer, cancel_timer},
    {"transfer", prepare_transfer, transfer_in, transfer_out},
    {"spawn", prepare_spawn, start_child, await_child},
    {"fd-passing", prepare_passing, pass, take_passed},
    {"poller", prepare_poller, add_to_watched, take_when_told},
    {"futex", prepare_futex, set_and_wake, sleep_until_set},
};

/* ---- Helpers -------------------------------------------------------------------------------------------- */

_Noreturn static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  _exit(1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("pin", "the CPU is not ours");
}

/* Starts the peer, and pins both. The result says which of the two one is. */
static int fork_pinned(const struct job *job) {
  pid_t parent = getpid(), child = fork();
  if (child < 0) fail("fork", "no process");
  other_process = child == 0 ? parent : child;
  pin(job->cpus[child == 0]);
  return child == 0;
}

static void wait_for_peer(void) {
  int status;
  if (wait(&status) < 0 || status != 0) fail("peer", "it failed");
}

/* Samples before those that count: caches, branch predictors and page tables have seen everything then. */
static long warm_up(const struct job *job) {
  return job->samples / 10 + 1;
}

static long operations(const struct job *job) {
  return (warm_up(job) + job->samples) * job->batch;
}

/* ---- Streams and messages -------------------------------------------------------------------------------------------- */

/* Every message carries its number in its first and its last byte, so that both are touched on either side. */
static void stamp(unsigned char *message, size_t size, long number) {
  message[0] = message[size - 1] = (unsigned char)number;
}

static void check(const unsigned char *message, size_t size, long number) {
  if (message[0] != (unsigned char)number || message[size - 1] != (unsigned char)number) fail("message", "not the one expected");
}

/* Before the clock runs, every byte crosses twice and is compared. */
static void compare_whole(struct ends *ends, unsigned char *message, size_t size) {
  unsigned char *back = malloc(size);
  if (!back) fail("message", "no memory");
  for (size_t i = 0; i < size; i++) message[i] = (unsigned char)(i * 7 + 1);
  write_message(ends, message, size);
  read_message(ends, back, size);
  if (memcmp(message, back, size) != 0) fail("message", "it came back changed");
  free(back);
}

static void round_trips(const struct job *job, struct ends *ends, unsigned char *message) {
  for (long i = -warm_up(job); i < job->samples; i++) {
    uint64_t start = now();
    stamp(message, job->size, i);
    write_message(ends, message, job->size);
    read_message(ends, message, job->size);
    check(message, job->size, i);
    uint64_t time = now() - start;
    if (i >= 0) job->times[i] = time;
  }
}

static void echo(const struct job *job, struct ends *ends, unsigned char *message) {
  for (long i = 0; i < operations(job); i++) {
    read_message(ends, message, job->size);
    write_message(ends, message, job->size);
  }
}

/* A sample ends when the other side says that it has read the whole batch. */
static void send_batches(const struct job *job, struct ends *ends, unsigned char *message) {
  long number = 0;
  for (long i = -warm_up(job); i < job->samples; i++) {
    uint64_t start = now();
    for (long j = 0; j < job->batch; j++) {
      stamp(message, job->size, number++);
      write_message(ends, message, job->size);
    }
    unsigned char acknowledged;
    read_message(ends, &acknowledged, 1);
    uint64_t time = now() - start;
    if (i >= 0) job->times[i] = time;
  }
}

static void receive_batches(const struct job *job, struct ends *ends, unsigned char *message) {
  for (long i = 0; i < operations(job); i++) {
    read_message(ends, message, job->size);
    check(message, job->size, i);
    if ((i + 1) % job->batch == 0) write_message(ends, message, 1);
  }
}

static void measure_messages(const struct job *job) {
  int both_ways = strcmp(job->metric, "round_trip_ns") == 0;
  unsigned char *message = calloc(1, job->size);
  if (!message) fail("message", "no memory");
  prepare_ends(job->mechanism);
  int is_peer = fork_pinned(job);
  struct ends *ends = open_ends(job->mechanism, is_peer);
  if (is_peer) {
    read_message(ends, message, job->size);
    write_message(ends, message, job->size);
    (both_ways ? echo : receive_batches)(job, ends, message);
    _exit(0);
  }
  compare_whole(ends, message, job->size);
  (both_ways ? round_trips : send_batches)(job, ends, message);
  wait_for_peer();
}

/* ---- Locks ---------------------------------------------------------------------------------------------- */

static void measure_lock(const struct job *job) {
  prepare_lock(job->mechanism);
  pin(job->cpus[0]);
  for (long i = -warm_up(job); i < job->samples; i++) {
    uint64_t start = now();
    for (long j = 0; j < job->batch; j++) {
      lock();
      unlock();
    }
    uint64_t time = now() - start;
    if (i >= 0) job->times[i] = time;
  }
}

/* Adds one under the lock until the number is reached, by both together; so both work to the end of the sample. */
static void race(volatile uint64_t *number, uint64_t goal) {
  for (;;) {
    lock();
    int done = *number >= goal;
    if (!done) *number = *number + 1;
    unlock();
    if (done) return;
  }
}

static void tell(int fd) {
  if (write(fd, "", 1) != 1) fail("control", "cannot be written");
}

static void hear(int fd) {
  char byte;
  if (read(fd, &byte, 1) != 1) fail("control", "the other process has ended");
}

static void measure_contended_lock(const struct job *job) {
  uint64_t *number = prepare_lock(job->mechanism);
  int there[2], back[2];
  if (pipe(there) != 0 || pipe(back) != 0) fail("control", "no pipe");
  int is_peer = fork_pinned(job);
  long first = -warm_up(job);
  for (long i = first; i < job->samples; i++) {
    uint64_t goal = (uint64_t)((i - first + 1) * job->batch);
    if (is_peer) {
      hear(there[0]);
      race(number, goal);
      tell(back[1]);
      continue;
    }
    uint64_t start = now();
    tell(there[1]);
    race(number, goal);
    uint64_t time = now() - start;
    hear(back[0]);
    if (*number != goal) fail("lock", "the sum is wrong");
    if (i >= 0) job->times[i] = time;
  }
  if (is_peer) _exit(0);
  wait_for_peer();
}

/* ---- Notices ----------------------------------------------------------------------------------------- */

INLINED void measure_pairs(const struct job *job, void (*post)(int), void (*take)(int)) {
  pin(job->cpus[0]);
  for (long i = -warm_up(job); i < job->samples; i++) {
    uint64_t start = now();
    for (long j = 0; j < job->batch; j++) {
      post(THERE);
      take(THERE);
    }
    uint64_t time = now() - start;
    if (i >= 0) job->times[i] = time;
  }
}

INLINED void measure_turns(const struct job *job, void (*post)(int), void (*take)(int)) {
  if (fork_pinned(job)) {
    for (long i = 0; i < operations(job); i++) {
      take(THERE);
      post(BACK);
    }
    _exit(0);
  }
  for (long i = -warm_up(job); i < job->samples; i++) {
    uint64_t start = now();
    post(THERE);
    take(BACK);
    uint64_t time = now() - start;
    if (i >= 0) job->times[i] = time;
  }
  wait_for_peer();
}

INLINED void measure_both(const struct job *job, void (*post)(int), void (*take)(int)) {
  if (strcmp(job->metric, "round_trip_ns") == 0) {
    measure_turns(job, post, take);
  } else {
    measure_pairs(job, post, take);
  }
}

static void measure_notices(const struct job *job) {
  prepare_notices(job->mechanism);
  measure_both(job, post, take);
}

static const struct calls *calls_of(const char *mechanism) {
  const struct calls *end = all_calls + sizeof all_calls / sizeof *all_calls;
  for (const struct calls *calls = all_calls; calls < end; calls++) {
    if (strcmp(calls->mechanism, mechanism) == 0) return calls;
  }
  return NULL;
}

static void measure_calls(const struct job *job) {
  const struct calls *calls = calls_of(job->mechanism);
  operand_size = job->size;
  calls->prepare();
  measure_both(job, calls->post, calls->take);
}

/* ---- The worker ----------------------------------------------------------------------------------------- */

static struct job parse(char **arguments) {
  struct job job = {
      .mechanism = arguments[1],
      .metric = arguments[2],
      .size = strtoul(arguments[3], NULL, 10),
      .cpus = {atoi(arguments[4]), atoi(arguments[5])},
      .samples = atol(arguments[6]),
      .batch = atol(arguments[7]),
  };
  job.times = calloc((size_t)job.samples, sizeof *job.times);
  if (!job.times) fail("samples", "no memory");
  return job;
}

static int is_one_of(const char *name, const char *const *names) {
  while (*names && strcmp(name, *names) != 0) names++;
  return *names != NULL;
}

/* Everything that is not listed carries bytes. */
static void (*shape_of(const struct job *job))(const struct job *) {
  static const char *const locks[] = {"mutex", "spinlock", "rwlock-read", "rwlock-write", "file-lock", NULL};
  static const char *const contended[] = {"mutex-contended", "spinlock-contended", NULL};
  static const char *const notices[] = {"semaphore", "posix-semaphore", "sysv-semaphore", "event",
                                        "condvar",   "barrier",         "eventfd",        "signal", NULL};
  if (is_one_of(job->mechanism, locks)) return measure_lock;
  if (is_one_of(job->mechanism, contended)) return measure_contended_lock;
  if (is_one_of(job->mechanism, notices)) return measure_notices;
  if (calls_of(job->mechanism)) return measure_calls;
  return measure_messages;
}

int main(int argc, char **argv) {
  if (argc != 8) fail("usage", "worker MECHANISM METRIC SIZE CPU PEER_CPU SAMPLES BATCH");
  struct job job = parse(argv);
  shape_of(&job)(&job);
  for (long i = 0; i < job.samples; i++) printf("%llu ", (unsigned long long)job.times[i]);
  printf("\n");
  return 0;
}

#endif
