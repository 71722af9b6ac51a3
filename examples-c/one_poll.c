/* One wait over everything: a child sends a word by each of eight ways, and its parent waits for all of them in one poller, whose
 * events come in any order. Shared memory has no descriptor: the child writes into it and then adds to an eventfd, which has.
 *
 * Run:     one_poll [PATH]       (of a FIFO; the message queue has the name of its last part)
 * Prints:  a line for each: pipe, FIFO, message queue, Unix stream, Unix datagram, eventfd, signal, shared memory
 */
#include "example.h"

enum way { PIPE, FIFO, QUEUE, STREAM, DATAGRAM, COUNTER, SIGNAL, MEMORY, WAYS };

struct all {
  unipc_stream *pipe, *pipe_writer, *fifo, *stream, *stream_far;
  unipc_mq *queue;
  unipc_datagram *datagram, *datagram_far;
  unipc_eventfd *counter, *notice;
  unipc_signals *signals;
  unipc_memory *memory;
};

static int child(struct all *all, const char *path, pid_t parent) {
  unipc_stream *fifo;
  int r = unipc_stream_write_all(all->pipe_writer, "by pipe", 7, PATIENCE, NULL);
  if (r == 0) r = unipc_stream_open_fifo_writer(path, NULL, PATIENCE, &fifo);
  if (r < 0) return unipc_error_print("send", r);
  r = unipc_stream_write_all(fifo, "by FIFO", 7, PATIENCE, NULL);
  if (r == 0) r = unipc_mq_send(all->queue, "by queue", 8, 0, PATIENCE);
  if (r == 0) r = unipc_stream_write_all(all->stream_far, "by stream", 9, PATIENCE, NULL);
  if (r == 0) r = unipc_datagram_send(all->datagram_far, "by datagram", 11, PATIENCE);
  if (r == 0) r = unipc_eventfd_add(all->counter, 42, PATIENCE);
  if (r == 0) r = unipc_signal_send(parent, SIGUSR1);
  strcpy(unipc_memory_address(all->memory), "by memory");
  if (r == 0) r = unipc_eventfd_add(all->notice, 1, PATIENCE);
  unipc_stream_close(fifo);
  return r < 0 ? unipc_error_print("send", r) : 0;
}

static int make(struct all *all, const char *path, const char *name) {
  unipc_mq_options queue = UNIPC_MQ_OPTIONS_INIT;
  queue.temporary = 1;
  unipc_fifo_options fifo = UNIPC_FIFO_OPTIONS_INIT;
  fifo.keep_open = 1;
  unipc_signals_options signals = UNIPC_SIGNALS_OPTIONS_INIT;
  signals.block = 1;
  unipc_memory_options memory = UNIPC_MEMORY_OPTIONS_INIT;
  memory.size = 4096;
  const int wanted = SIGUSR1;
  int r = unipc_pipe_create(NULL, &all->pipe, &all->pipe_writer);
  if (r == 0) r = unipc_stream_open_or_create_fifo_reader(path, &fifo, PATIENCE, &all->fifo);
  if (r == 0) r = unipc_mq_create(name, &queue, &all->queue);
  if (r == 0) r = unipc_stream_pair_unix(&all->stream, &all->stream_far);
  if (r == 0) r = unipc_datagram_pair_unix(NULL, &all->datagram, &all->datagram_far);
  if (r == 0) r = unipc_eventfd_create(NULL, &all->counter);
  if (r == 0) r = unipc_signals_open(&wanted, 1, &signals, &all->signals);
  if (r == 0) r = unipc_memory_create_anonymous(&memory, &all->memory);
  if (r == 0) r = unipc_eventfd_create(NULL, &all->notice);
  return r;
}

/* What has come, as a text, without waiting: the poller has said that it is there. Less than zero: it was not. */
static ptrdiff_t take(struct all *all, enum way way, char *text, size_t capacity) {
  uint64_t value;
  int r;
  switch (way) {
    case PIPE: return unipc_stream_read(all->pipe, text, capacity, 0);
    case FIFO: return unipc_stream_read(all->fifo, text, capacity, 0);
    case QUEUE: return unipc_mq_receive(all->queue, text, capacity, 0, NULL);
    case STREAM: return unipc_stream_read(all->stream, text, capacity, 0);
    case DATAGRAM: return unipc_datagram_receive(all->datagram, text, capacity, 0, NULL);
    case COUNTER:
      r = unipc_eventfd_take(all->counter, 0, &value);
      return r < 0 ? r : snprintf(text, capacity, "%llu", (unsigned long long)value);
    case SIGNAL:
      r = unipc_signals_receive(all->signals, 0, NULL);
      return r < 0 ? r : snprintf(text, capacity, "%s", r == SIGUSR1 ? "SIGUSR1" : "?");
    default:
      r = unipc_eventfd_take(all->notice, 0, NULL);
      return r < 0 ? r : snprintf(text, capacity, "%s", (char *)unipc_memory_address(all->memory));
  }
}

static int wait_for_all(struct all *all) {
  static const char *names[WAYS] = {"pipe",          "FIFO",    "message queue", "Unix stream",
                                    "Unix datagram", "eventfd", "signal",        "shared memory"};
  static char texts[WAYS][16384];
  const int fds[WAYS] = {unipc_stream_fd(all->pipe),         unipc_stream_fd(all->fifo),     unipc_mq_fd(all->queue),
                         unipc_stream_fd(all->stream),       unipc_datagram_fd(all->datagram), unipc_eventfd_fd(all->counter),
                         unipc_signals_fd(all->signals),     unipc_eventfd_fd(all->notice)};
  unipc_poller *poller;
  int r = unipc_poller_create(&poller);
  for (int way = 0; r == 0 && way < WAYS; way++) {
    r = unipc_poller_add(poller, fds[way], UNIPC_POLLER_READABLE, (uint64_t)way, NULL);
  }
  for (int left = WAYS; r >= 0 && left > 0;) {
    unipc_poller_event events[WAYS];
    r = unipc_poller_wait(poller, events, WAYS, PATIENCE);
    for (int i = 0; i < r; i++) {
      int way = (int)events[i].token;
      ptrdiff_t n = take(all, (enum way)way, texts[way], sizeof texts[way] - 1);
      if (n > 0) left--;
    }
  }
  unipc_poller_close(poller);
  if (r < 0) return unipc_error_print("wait", r);
  for (int way = 0; way < WAYS; way++) printf("%s: %s\n", names[way], texts[way]);
  return 0;
}

int main(int argc, char **argv) {
  struct all all;
  memset(&all, 0, sizeof all);
  const char *path = example_path(argc, argv, "unipc-one-poll");
  const char *slash = strrchr(path, '/');
  int r = make(&all, path, slash != NULL ? slash + 1 : path);
  int failed = r < 0 ? unipc_error_print("one_poll", r) : 0;
  pid_t parent = getpid(), pid = failed ? -1 : example_fork();
  if (pid == 0) example_exit(child(&all, path, parent));
  failed = pid < 0 || wait_for_all(&all);
  if (pid > 0 && example_wait(pid)) failed = 1;
  unipc_fifo_unlink(path);
  unipc_stream_close(all.pipe), unipc_stream_close(all.pipe_writer), unipc_stream_close(all.fifo);
  unipc_stream_close(all.stream), unipc_stream_close(all.stream_far), unipc_mq_close(all.queue);
  unipc_datagram_close(all.datagram), unipc_datagram_close(all.datagram_far);
  unipc_eventfd_close(all.counter), unipc_eventfd_close(all.notice);
  unipc_signals_close(all.signals), unipc_memory_close(all.memory);
  return failed;
}
