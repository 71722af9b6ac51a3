/* The C ABI, as a program that links libunipc uses it: every wait is for ever, every result is looked at. */
#define _GNU_SOURCE
#include "worker.h"

#include <unipc.h>

struct ends {
  unipc_stream *in, *out;
};

static struct ends sides[2];
static unipc_listener *listener;

static int need(const char *what, int result) {
  if (result < 0) {
    unipc_error_print(what, result);
    _exit(1);
  }
  return result;
}

/* ---- Streams -------------------------------------------------------------------------------------------- */

static void write_message(struct ends *ends, const unsigned char *message, size_t size) {
  need("write", unipc_stream_write_all(ends->out, message, size, UNIPC_FOREVER, NULL));
}

static void read_message(struct ends *ends, unsigned char *message, size_t size) {
  need("read", unipc_stream_read_exact(ends->in, message, size, UNIPC_FOREVER, NULL));
}

static void prepare_streams(const char *mechanism) {
  need("ignore SIGPIPE", unipc_ignore_sigpipe());
  if (strcmp(mechanism, "pipe") == 0) {
    need("pipe", unipc_pipe_create(NULL, &sides[1].in, &sides[0].out));
    need("pipe", unipc_pipe_create(NULL, &sides[0].in, &sides[1].out));
  } else if (strcmp(mechanism, "fifo") == 0) {
    need("there", unipc_fifo_create("there", NULL));
    need("back", unipc_fifo_create("back", NULL));
  } else if (strcmp(mechanism, "unix") == 0) {
    need("pair", unipc_stream_pair_unix(&sides[0].in, &sides[1].in));
    sides[0].out = sides[0].in;
    sides[1].out = sides[1].in;
  } else if (strcmp(mechanism, "tcp") == 0) {
    need("listen", unipc_listener_open_tcp("127.0.0.1", 0, NULL, &listener));
  } else {
    fail(mechanism, "no such mechanism");
  }
}

static void open_fifos(struct ends *ends, int is_peer) {
  if (is_peer) {
    need("there", unipc_stream_open_fifo_reader("there", NULL, UNIPC_FOREVER, &ends->in));
    need("back", unipc_stream_open_fifo_writer("back", NULL, UNIPC_FOREVER, &ends->out));
  } else {
    need("there", unipc_stream_open_fifo_writer("there", NULL, UNIPC_FOREVER, &ends->out));
    need("back", unipc_stream_open_fifo_reader("back", NULL, UNIPC_FOREVER, &ends->in));
  }
}

static void open_connection(struct ends *ends, int is_peer) {
  if (is_peer) {
    uint32_t port = (uint32_t)need("port", unipc_listener_port(listener));
    need("connect", unipc_stream_connect_tcp("127.0.0.1", port, NULL, UNIPC_FOREVER, &ends->in));
  } else {
    need("accept", unipc_listener_accept(listener, UNIPC_FOREVER, &ends->in));
  }
  ends->out = ends->in;
}

static struct ends *open_streams(const char *mechanism, int is_peer) {
  struct ends *ends = &sides[is_peer];
  if (strcmp(mechanism, "fifo") == 0) open_fifos(ends, is_peer);
  if (strcmp(mechanism, "tcp") == 0) open_connection(ends, is_peer);
  return ends;
}

/* ---- Mutex ---------------------------------------------------------------------------------------------- */

/* Zero bytes are a valid mutex and semaphores of value 0, so nothing here needs init. */
static struct {
  _Alignas(128) unipc_mutex lock;
  _Alignas(128) uint64_t number;
  _Alignas(128) unipc_semaphore semaphores[2];
} *shared;

static void share(void) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof *shared;
  unipc_memory *memory;
  need("memory", unipc_memory_create_anonymous(&options, &memory));
  shared = unipc_memory_address(memory);
}

static uint64_t *prepare_lock(void) {
  share();
  return &shared->number;
}

static void lock(void) {
  need("lock", unipc_mutex_lock(&shared->lock, UNIPC_FOREVER));
}

static void unlock(void) {
  need("unlock", unipc_mutex_unlock(&shared->lock));
}

/* ---- Semaphores ----------------------------------------------------------------------------------------- */

static unipc_posix_semaphore *named[2];

static unipc_posix_semaphore *open_named(const char *suffix) {
  char name[64];
  unipc_posix_semaphore *semaphore;
  snprintf(name, sizeof name, "unipc-bench-%d-%s", (int)getpid(), suffix);
  need("create", unipc_posix_semaphore_create(name, NULL, &semaphore));
  need("unlink", unipc_posix_semaphore_unlink(name)); /* the peer inherits it */
  return semaphore;
}

static void prepare_semaphores(int with_name) {
  if (!with_name) {
    share();
    return;
  }
  named[THERE] = open_named("there");
  named[BACK] = open_named("back");
}

static void post(int which) {
  need("post", named[which] ? unipc_posix_semaphore_post(named[which]) : unipc_semaphore_post(&shared->semaphores[which]));
}

static void take(int which) {
  need("wait", named[which] ? unipc_posix_semaphore_wait(named[which], UNIPC_FOREVER)
                            : unipc_semaphore_wait(&shared->semaphores[which], UNIPC_FOREVER));
}
