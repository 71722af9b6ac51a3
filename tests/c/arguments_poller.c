/* As arguments.c, for pollers and transfers. */
#define _GNU_SOURCE
#include <unipc.h>

#include "arguments.h"

#include <fcntl.h>
#include <limits.h>

static void pollers(void) {
  unipc_poller *poller;
  unipc_poller_event events[4];
  uint64_t source = 77, other;
  int pipe_fds[2];
  CHECK_EQUAL(pipe(pipe_fds), 0);
  INVALID(unipc_poller_create(NULL));
  INVALID(unipc_poller_add(NULL, 0, 1, 1, &source));
  INVALID(unipc_poller_modify(NULL, 0, 1));
  INVALID(unipc_poller_remove(NULL, 0));
  INVALID(unipc_poller_is_registered(NULL, 0));
  INVALID(unipc_poller_wait(NULL, events, 4, 0));
  INVALID(unipc_poller_wake(NULL));
  INVALID(unipc_poller_fd(NULL));
  INVALID(unipc_poller_is_asking(NULL));
  unipc_poller_close(NULL);
  CHECK_EQUAL(unipc_poller_create(&poller), 0);
  for (uint32_t bad = 8; bad != 0; bad = bad == 8 ? 64 : bad << 1) INVALID(unipc_poller_add(poller, pipe_fds[0], bad, 1, &source));
  CHECK_EQUAL(unipc_poller_add(poller, -1, 1, 1, &source), -EBADF);
  CHECK_EQUAL(unipc_poller_add(poller, INT_MIN, 1, 1, &source), -EBADF);
  CHECK_EQUAL(unipc_poller_add(poller, INT_MAX, 1, 1, &source), -EBADF);
  CHECK(unipc_poller_add(poller, unipc_poller_fd(poller), 1, 1, &source) < 0);
  CHECK_EQUAL(source, 77);
  CHECK_EQUAL(unipc_poller_add(poller, pipe_fds[0], UNIPC_POLLER_READABLE, UINT64_MAX, &source), 0);
  CHECK_EQUAL(unipc_poller_add(poller, pipe_fds[0], UNIPC_POLLER_READABLE, 1, &other), -EEXIST);
  CHECK_EQUAL(unipc_poller_add(poller, pipe_fds[1], 0, 2, NULL), 0);
  INVALID(unipc_poller_wait(poller, NULL, 4, 0));
  INVALID(unipc_poller_wait(poller, events, 0, 0));
  INVALID(unipc_poller_wait(poller, events, INT_MIN, 0));
  CHECK_EQUAL(unipc_poller_wait(poller, events, 4, INT64_MIN), -EAGAIN);
  CHECK_EQUAL(unipc_poller_wait(poller, events, 4, UNIPC_MILLISECOND), -ETIMEDOUT);
  INVALID(unipc_poller_modify(poller, source, UINT32_MAX));
  CHECK_EQUAL(unipc_poller_modify(poller, UINT64_MAX, 1), -ENOENT);
  CHECK_EQUAL(unipc_poller_modify(poller, source, UNIPC_POLLER_READABLE | UNIPC_POLLER_ONE_SHOT), 0);
  CHECK_EQUAL(write(pipe_fds[1], "x", 1), 1);
  CHECK_EQUAL(unipc_poller_wait(poller, events, 1, UNIPC_FOREVER), 1);
  CHECK(events[0].token == UINT64_MAX && events[0].source == source && events[0].ready == UNIPC_POLLER_READABLE);
  CHECK_EQUAL(unipc_poller_wait(poller, events, 4, 0), -EAGAIN);
  CHECK_EQUAL(unipc_poller_wake(poller), 0);
  CHECK_EQUAL(unipc_poller_wait(poller, events, 4, UNIPC_FOREVER), 1);
  CHECK(events[0].token == 0 && events[0].ready == UNIPC_POLLER_WOKEN);
  CHECK_EQUAL(unipc_poller_is_registered(poller, source), 1);
  CHECK_EQUAL(unipc_poller_remove(poller, source), 0);
  CHECK_EQUAL(unipc_poller_remove(poller, source), -ENOENT);
  CHECK_EQUAL(unipc_poller_is_registered(poller, source), 0);
  unipc_poller_close(poller);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

static void asked(void) {
  unipc_poller *poller;
  unipc_sysv_queue *queue;
  unipc_sysv_semaphores *set;
  unipc_posix_semaphore *named;
  unipc_semaphore in_memory = {{0}};
  unipc_poller_event events[8];
  uint64_t source;
  CHECK_EQUAL(unipc_poller_create(&poller), 0);
  unipc_sysv_semaphores_options set_options = UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT;
  set_options.count = 2;
  char name[64];
  snprintf(name, sizeof name, "arguments_poller.%d", (int)getpid());
  unipc_posix_semaphore_options named_options = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  named_options.temporary = 1, named_options.value = 1;
  CHECK_EQUAL(unipc_sysv_queue_create_private(NULL, &queue), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_create_private(&set_options, &set), 0);
  CHECK_EQUAL(unipc_posix_semaphore_create(name, &named_options, &named), 0);
  INVALID(unipc_poller_add_sysv_queue(NULL, queue, 0, 0, 1, 1, &source));
  INVALID(unipc_poller_add_sysv_queue(poller, NULL, 0, 0, 1, 1, &source));
  INVALID(unipc_poller_add_sysv_queue(poller, queue, 0, 64, 1, 1, &source));
  INVALID(unipc_poller_add_sysv_queue(poller, queue, 0, 0, 64, 1, &source));
  INVALID(unipc_poller_add_sysv_semaphore(NULL, set, 0, 1, 1, 1, &source));
  INVALID(unipc_poller_add_sysv_semaphore(poller, NULL, 0, 1, 1, 1, &source));
  INVALID(unipc_poller_add_sysv_semaphore(poller, set, 2, 1, 1, 1, &source));
  INVALID(unipc_poller_add_sysv_semaphore(poller, set, 0, 1, 64, 1, &source));
  INVALID(unipc_poller_add_posix_semaphore(NULL, named, 1, 1, &source));
  INVALID(unipc_poller_add_posix_semaphore(poller, NULL, 1, 1, &source));
  INVALID(unipc_poller_add_posix_semaphore(poller, named, 64, 1, &source));
  INVALID(unipc_poller_add_semaphore(NULL, &in_memory, 1, 1, &source));
  INVALID(unipc_poller_add_semaphore(poller, NULL, 1, 1, &source));
  INVALID(unipc_poller_add_semaphore(poller, (unipc_semaphore *)((char *)&in_memory + 1), 1, 1, &source));
  INVALID(unipc_poller_add_semaphore(poller, &in_memory, 64, 1, &source));
  CHECK_EQUAL(unipc_poller_add_sysv_queue(poller, queue, 7, UNIPC_SYSV_QUEUE_EXCEPT, 1, 1, &source), 0);
  CHECK_EQUAL(unipc_poller_add_sysv_semaphore(poller, set, 1, 1, 1, 2, &source), 0);
  CHECK_EQUAL(unipc_poller_add_posix_semaphore(poller, named, UNIPC_POLLER_READABLE, 3, &source), 0);
  CHECK_EQUAL(unipc_poller_wait(poller, events, 8, UNIPC_FOREVER), 1);
  CHECK_EQUAL(events[0].token, 3);
  CHECK_EQUAL(unipc_poller_remove(poller, source), 0);
  CHECK_EQUAL(unipc_poller_add_semaphore(poller, &in_memory, 1, 4, &source), 0);
  CHECK_EQUAL(unipc_poller_wait(poller, events, 8, 0), -EAGAIN);
  CHECK_EQUAL(unipc_semaphore_post(&in_memory), 0);
  CHECK_EQUAL(unipc_poller_wait(poller, events, 8, UNIPC_FOREVER), 1);
  CHECK(events[0].token == 4 && events[0].source == source && events[0].ready == UNIPC_POLLER_READABLE);
  unipc_poller_close(poller);
  CHECK_EQUAL(unipc_sysv_queue_remove(queue), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_remove(set), 0);
  unipc_sysv_queue_close(queue);
  unipc_sysv_semaphores_close(set);
  unipc_posix_semaphore_close(named);
}

static void transfers(void) {
  unipc_transfer_options with_macro = UNIPC_TRANSFER_OPTIONS_INIT, with_function;
  memset(&with_function, 0xff, sizeof with_function);
  unipc_transfer_options_init(&with_function);
  CHECK(with_macro.struct_size == sizeof with_macro && with_function.struct_size == sizeof with_macro);
  unipc_transfer_options_init(NULL);
  unipc_transfer_result result = UNIPC_TRANSFER_RESULT_INIT, twin;
  memset(&twin, 0xff, sizeof twin);
  unipc_transfer_result_init(&twin);
  CHECK(result.struct_size == sizeof result && twin.struct_size == sizeof result && twin.bytes == 0);
  unipc_transfer_result_init(NULL);

  int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), from[2], to[2];
  CHECK(pipe(from) == 0 && pipe(to) == 0);
  CHECK_EQUAL(unipc_transfer(-1, null, NULL, 0, NULL), -EBADF);
  CHECK_EQUAL(unipc_transfer(zero, INT_MAX, NULL, 0, NULL), -EBADF);
  CHECK_EQUAL(unipc_transfer(from[0], to[1], NULL, INT64_MIN, &result), -EAGAIN);
  CHECK_EQUAL(unipc_transfer(from[0], to[1], NULL, UNIPC_MILLISECOND, NULL), -ETIMEDOUT);
  unipc_transfer_options options = UNIPC_TRANSFER_OPTIONS_INIT;
  options.length = 10;
  options.way = 6;
  INVALID(unipc_transfer(zero, null, &options, 0, NULL));
  options.way = 0, options.use_source_offset = 2;
  INVALID(unipc_transfer(zero, null, &options, 0, NULL));
  options.use_source_offset = 0, options.use_destination_offset = 2;
  INVALID(unipc_transfer(zero, null, &options, 0, NULL));
  options.use_destination_offset = 1;
  CHECK_EQUAL(unipc_transfer(zero, null, &options, 0, NULL), -ESPIPE);
  options.use_destination_offset = 0;
  result.struct_size = 1;
  INVALID(unipc_transfer(zero, null, &options, 0, &result));
  result.struct_size = sizeof result;
  unipc_transfer_options initial = UNIPC_TRANSFER_OPTIONS_INIT;
  initial.length = 10;
#define INITIAL UNIPC_TRANSFER_OPTIONS_INIT
  SIZES(unipc_transfer_options, INITIAL, (o->length = 10, unipc_transfer(zero, null, o, 0, &result)), 0, CHECK_EQUAL(result.bytes, 10));
  CHECK(result.way == UNIPC_TRANSFER_READ_WRITE && result.at_end == 0 && result.struct_size == sizeof result);
  CHECK_EQUAL(write(from[1], "0123456789", 10), 10);
  CHECK_EQUAL(unipc_transfer_tee(-1, to[1], 4, 0), -EBADF);
  CHECK_EQUAL(unipc_transfer_tee(from[0], -1, 4, 0), -EBADF);
  INVALID(unipc_transfer_tee(zero, to[1], 4, 0));
  CHECK_EQUAL(unipc_transfer_tee(from[0], to[1], 0, 0), 0);
  CHECK_EQUAL(unipc_transfer_tee(from[0], to[1], 4, UNIPC_FOREVER), 4);
  CHECK_EQUAL(unipc_transfer_tee(from[0], to[1], SIZE_MAX, 0), 10);
  CHECK_EQUAL(unipc_transfer(from[0], to[1], &initial, UNIPC_FOREVER, &result), 0);
  CHECK(result.bytes == 10 && result.way == UNIPC_TRANSFER_SPLICE);
  CHECK_EQUAL(unipc_transfer_tee(from[0], to[1], 1, 0), -EAGAIN);
  static const char lent[] = "lent";
  CHECK_EQUAL(unipc_transfer_vmsplice(-1, lent, 4, 0), -EBADF);
  CHECK_EQUAL(unipc_transfer_vmsplice(null, lent, 4, 0), -EBADF);
  INVALID(unipc_transfer_vmsplice(to[1], NULL, 4, 0));
  HUGE_SIZES(size) INVALID(unipc_transfer_vmsplice(to[1], lent, size, 0));
  CHECK_EQUAL(unipc_transfer_vmsplice(to[1], NULL, 0, 0), 0);
  CHECK_EQUAL(unipc_transfer_vmsplice(to[1], lent, 4, UNIPC_FOREVER), 4);
  char got[64] = {0};
  CHECK_EQUAL(read(to[0], got, sizeof got), 28);
  CHECK(strcmp(got, "012301234567890123456789lent") == 0);
  close(to[0]);
  CHECK_EQUAL(unipc_transfer_vmsplice(to[1], lent, 4, UNIPC_FOREVER), -EPIPE);
  CHECK_EQUAL(write(from[1], "x", 1), 1);
  result.bytes = 9;
  CHECK_EQUAL(unipc_transfer(from[0], to[1], NULL, UNIPC_FOREVER, &result), -EPIPE);
  CHECK_EQUAL(result.bytes, 0);
  CHECK(unipc_transfer_way_name(0) == NULL && unipc_transfer_way_name(6) == NULL);
  for (uint32_t way = 1; way <= 5; way++) CHECK(strlen(unipc_transfer_way_name(way)) > 3);
  close(zero), close(null), close(from[0]), close(from[1]), close(to[1]);
}

int main(void) {
  house before = house_now();
  signal(SIGPIPE, SIG_DFL);
  pollers();
  asked();
  transfers();
  house_check(before);
  return 0;
}
