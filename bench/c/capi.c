/* The C ABI, as a program that links libunipc uses it: every wait is for ever, every result is looked at. */
#define _GNU_SOURCE
#include "worker.h"

#include <unipc.h>

/* Which of the handles are there. */
enum kind { STREAM, DATAGRAM, SEQPACKET, MQ, SYSV_QUEUE };

struct ends {
  enum kind kind;
  unipc_stream *in, *out;
  unipc_datagram *datagram;
  unipc_seqpacket *seqpacket;
  unipc_mq *mqs[2]; /* to receive from, and to send to */
  unipc_sysv_queue *queues[2];
};

enum { LARGEST = 8192 }; /* message of a queue, in bytes */

static struct ends sides[2];
static unipc_listener *listener;

static ptrdiff_t need(const char *what, ptrdiff_t result) {
  if (result < 0) {
    unipc_error_print(what, (int)result);
    _exit(1);
  }
  return result;
}

/* ---- Streams and messages -------------------------------------------------------------------------------------------- */

static void write_message(struct ends *ends, const unsigned char *message, size_t size) {
  switch (ends->kind) {
  case STREAM: need("write", unipc_stream_write_all(ends->out, message, size, UNIPC_FOREVER, NULL)); break;
  case DATAGRAM: need("send", unipc_datagram_send(ends->datagram, message, size, UNIPC_FOREVER)); break;
  case SEQPACKET: need("send", unipc_seqpacket_send(ends->seqpacket, message, size, UNIPC_FOREVER)); break;
  case MQ: need("send", unipc_mq_send(ends->mqs[1], message, size, 0, UNIPC_FOREVER)); break;
  case SYSV_QUEUE: need("send", unipc_sysv_queue_send(ends->queues[1], message, size, 1, UNIPC_FOREVER)); break;
  }
}

static void read_message(struct ends *ends, unsigned char *message, size_t size) {
  static unsigned char room[LARGEST];
  ptrdiff_t n = 0;
  switch (ends->kind) {
  case STREAM: need("read", unipc_stream_read_exact(ends->in, message, size, UNIPC_FOREVER, NULL)); return;
  case DATAGRAM: n = unipc_datagram_receive(ends->datagram, message, size, UNIPC_FOREVER, NULL); break;
  case SEQPACKET: n = unipc_seqpacket_receive(ends->seqpacket, message, size, UNIPC_FOREVER, NULL); break;
  case MQ: /* a buffer must have room for the largest */
    n = unipc_mq_receive(ends->mqs[0], room, LARGEST, UNIPC_FOREVER, NULL);
    memcpy(message, room, size);
    break;
  case SYSV_QUEUE: n = unipc_sysv_queue_receive(ends->queues[0], 0, 0, message, size, UNIPC_FOREVER, NULL); break;
  }
  if ((size_t)need("receive", n) != size) fail("message", "of another size");
}

static void prepare_udp(void) {
  char address[64];
  for (int i = 0; i < 2; i++) need("udp", unipc_datagram_open_udp("127.0.0.1", 0, NULL, &sides[i].datagram));
  for (int i = 0; i < 2; i++) {
    need("address", unipc_datagram_address(sides[1 - i].datagram, address, sizeof address));
    need("connect", unipc_datagram_connect(sides[i].datagram, address, NULL, UNIPC_FOREVER));
  }
}

static unipc_mq *make_mq(const char *suffix) {
  char name[64];
  unipc_mq *mq;
  unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
  options.capacity = 10;
  options.largest = LARGEST;
  snprintf(name, sizeof name, "unipc-bench-%d-%s", (int)getpid(), suffix);
  need("create", unipc_mq_create(name, &options, &mq));
  need("unlink", unipc_mq_unlink(name)); /* the peer inherits it */
  return mq;
}

static void prepare_mqs(void) {
  sides[0].mqs[0] = sides[1].mqs[1] = make_mq("back");
  sides[0].mqs[1] = sides[1].mqs[0] = make_mq("there");
}

/* Temporary ones go when their creator closes them. */
static void remove_queues(void) {
  unipc_sysv_queue_close(sides[0].queues[0]);
  unipc_sysv_queue_close(sides[0].queues[1]);
}

static void prepare_sysv_queues(void) {
  unipc_sysv_queue_options options = UNIPC_SYSV_QUEUE_OPTIONS_INIT;
  options.temporary = 1;
  for (int i = 0; i < 2; i++) {
    need("create", unipc_sysv_queue_create_private(&options, &sides[0].queues[i]));
    sides[1].queues[1 - i] = sides[0].queues[i];
  }
  atexit(remove_queues);
}

static void prepare_ends(const char *mechanism) {
  enum kind kind = STREAM;
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
  } else if (strcmp(mechanism, "datagram") == 0) {
    kind = DATAGRAM;
    need("pair", unipc_datagram_pair_unix(NULL, &sides[0].datagram, &sides[1].datagram));
  } else if (strcmp(mechanism, "seqpacket") == 0) {
    kind = SEQPACKET;
    need("pair", unipc_seqpacket_pair_unix(NULL, &sides[0].seqpacket, &sides[1].seqpacket));
  } else if (strcmp(mechanism, "udp") == 0) {
    kind = DATAGRAM;
    prepare_udp();
  } else if (strcmp(mechanism, "mq") == 0) {
    kind = MQ;
    prepare_mqs();
  } else if (strcmp(mechanism, "sysv-queue") == 0) {
    kind = SYSV_QUEUE;
    prepare_sysv_queues();
  } else {
    fail(mechanism, "no such mechanism");
  }
  sides[0].kind = sides[1].kind = kind;
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

static struct ends *open_ends(const char *mechanism, int is_peer) {
  struct ends *ends = &sides[is_peer];
  if (strcmp(mechanism, "fifo") == 0) open_fifos(ends, is_peer);
  if (strcmp(mechanism, "tcp") == 0) open_connection(ends, is_peer);
  return ends;
}

#include "capi_sync.h"

#include "capi_calls.h"
