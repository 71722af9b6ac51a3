/* Every function of unipc.h with NULL in each pointer argument, with sizes of zero and beyond reason, with options too short, too long
   and unknown: a clear code, NULL in every out-pointer, nothing kept. coverage.sh fails when a function of the header is not named here. */
#define _GNU_SOURCE
#include <unipc.h>

#include "arguments.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>

static char name[64], path[96];

static void general(void) {
  char text[8];
  CHECK(strcmp(unipc_version(), "0.1.0") == 0);
  ptrdiff_t whole = unipc_error_text(-EINVAL, NULL, 0);
  CHECK_AT_LEAST(whole, 8);
  CHECK_EQUAL(unipc_error_text(-EINVAL, NULL, 5), whole);
  CHECK_EQUAL(unipc_error_text(-EINVAL, text, 0), whole);
  memset(text, 'x', sizeof text);
  CHECK_EQUAL(unipc_error_text(-EINVAL, text, 4), whole);
  CHECK(strlen(text) == 3 && text[4] == 'x');
  CHECK(unipc_error_text(INT_MIN, NULL, 0) > 0 && unipc_error_text(INT_MAX, NULL, 0) > 0);
  CHECK(strcmp(unipc_error_name(-EAGAIN), "EAGAIN") == 0 && strcmp(unipc_error_name(UNIPC_END), "UNIPC_END") == 0);
  CHECK(strcmp(unipc_error_name(INT_MIN), "unknown") == 0 && strcmp(unipc_error_name(INT_MAX), "success") == 0);
  CHECK_EQUAL(unipc_error_print(NULL, -EINVAL), 1);
  CHECK_EQUAL(unipc_error_print("arguments", INT_MIN), 1);
}

static void stops(void) {
  unipc_stop *stop;
  INVALID(unipc_stop_create(NULL));
  INVALID(unipc_stop_request(NULL));
  INVALID(unipc_stop_reset(NULL));
  INVALID(unipc_stop_is_requested(NULL));
  INVALID(unipc_stop_fd(NULL));
  CHECK_EQUAL(unipc_stop_bind(NULL), 0);
  CHECK_EQUAL(unipc_stop_create(&stop), 0);
  CHECK_EQUAL(unipc_stop_bind(stop), 0);
  unipc_stop_close(stop);
  CHECK_EQUAL(unipc_stop_bind(NULL), 0);
  unipc_stop_close(NULL);
}

static void initialisers(void) {
  unipc_pipe_options_init(NULL);
  unipc_fifo_options_init(NULL);
  unipc_unix_listen_options_init(NULL);
  unipc_unix_connect_options_init(NULL);
  unipc_credentials_init(NULL);
  unipc_tcp_options_init(NULL);
  unipc_framed_options_init(NULL);
  unipc_message_info_init(NULL);
  unipc_memory_options_init(NULL);
  unipc_mutex_options_init(NULL);
  unipc_semaphore_options_init(NULL);
  unipc_posix_semaphore_options_init(NULL);
#define SAME(type, initial)                            \
  do {                                                 \
    static const type expected = initial;              \
    type given;                                        \
    memset(&given, 0xff, sizeof given);                \
    type##_init(&given);                               \
    CHECK(memcmp(&given, &expected, sizeof given) == 0); \
  } while (0)
  SAME(unipc_pipe_options, UNIPC_PIPE_OPTIONS_INIT);
  SAME(unipc_fifo_options, UNIPC_FIFO_OPTIONS_INIT);
  SAME(unipc_unix_listen_options, UNIPC_UNIX_LISTEN_OPTIONS_INIT);
  SAME(unipc_unix_connect_options, UNIPC_UNIX_CONNECT_OPTIONS_INIT);
  SAME(unipc_credentials, UNIPC_CREDENTIALS_INIT);
  SAME(unipc_tcp_options, UNIPC_TCP_OPTIONS_INIT);
  SAME(unipc_framed_options, UNIPC_FRAMED_OPTIONS_INIT);
  SAME(unipc_message_info, UNIPC_MESSAGE_INFO_INIT);
  SAME(unipc_memory_options, UNIPC_MEMORY_OPTIONS_INIT);
  SAME(unipc_mutex_options, UNIPC_MUTEX_OPTIONS_INIT);
  SAME(unipc_semaphore_options, UNIPC_SEMAPHORE_OPTIONS_INIT);
  SAME(unipc_posix_semaphore_options, UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT);
}

static void pipes_and_fifos(void) {
  unipc_stream *reader, *writer;
  writer = (void *)&poison;
  INVALID(unipc_pipe_create(NULL, NULL, &writer));
  CHECK(writer == NULL);
  REFUSED(reader, unipc_pipe_create(NULL, &reader, NULL));
  unipc_pipe_options big = UNIPC_PIPE_OPTIONS_INIT;
  HUGE_SIZES(size) {
    big.capacity = size;
    writer = (void *)&poison;
    REFUSED(reader, unipc_pipe_create(&big, &reader, &writer));
    CHECK(writer == NULL);
  }
  SIZES(unipc_pipe_options, UNIPC_PIPE_OPTIONS_INIT, unipc_pipe_create(o, &reader, &writer), 0,
        (unipc_stream_close(reader), unipc_stream_close(writer)));

  INVALID(unipc_fifo_create(NULL, NULL));
  INVALID(unipc_fifo_create("", NULL));
  INVALID(unipc_fifo_unlink(NULL));
  INVALID(unipc_fifo_unlink(""));
  unipc_fifo_options odd = UNIPC_FIFO_OPTIONS_INIT;
  odd.mode = UINT32_MAX;
  INVALID(unipc_fifo_create(path, &odd));
  odd.mode = 0, odd.group = "";
  INVALID(unipc_fifo_create(path, &odd));
  odd.group = "no such group, surely";
  INVALID(unipc_fifo_create(path, &odd));
  SIZES(unipc_fifo_options, UNIPC_FIFO_OPTIONS_INIT, unipc_fifo_create(path, o), 0, CHECK_EQUAL(unipc_fifo_unlink(path), 0));
  CHECK_EQUAL(unipc_fifo_create(path, NULL), 0);
  static int (*const opens[])(const char *, const unipc_fifo_options *, int64_t, unipc_stream **) = {
      unipc_stream_open_fifo_reader, unipc_stream_open_fifo_writer, unipc_stream_open_or_create_fifo_reader,
      unipc_stream_open_or_create_fifo_writer};
  for (size_t i = 0; i < 4; i++) {
    REFUSED(reader, opens[i](NULL, NULL, 0, &reader));
    REFUSED(reader, opens[i]("", NULL, 0, &reader));
    INVALID(opens[i](path, NULL, 0, NULL));
    REFUSED_AS(-EAGAIN, reader, opens[i](path, NULL, INT64_MIN, &reader));
    SIZES(unipc_fifo_options, UNIPC_FIFO_OPTIONS_INIT, opens[i](path, o, 0, &reader), -EAGAIN, (void)0);
    for (int field = 0; field < 3; field++) {
      unipc_fifo_options bad = UNIPC_FIFO_OPTIONS_INIT;
      *(field == 0 ? &bad.any_owner : field == 1 ? &bad.keep_open : &bad.unpaired) = 7;
      REFUSED(reader, opens[i](path, &bad, 0, &reader));
    }
  }
  CHECK_EQUAL(unipc_fifo_unlink(path), 0);
}

static void streams(void) {
  unipc_stream *reader, *writer, *other;
  char byte[4] = "abc";
  size_t transferred = 77;
  CHECK_EQUAL(unipc_pipe_create(NULL, &reader, &writer), 0);
  INVALID(unipc_stream_read(NULL, byte, 1, 0));
  INVALID(unipc_stream_read(reader, NULL, 1, 0));
  INVALID(unipc_stream_write(NULL, byte, 1, 0));
  INVALID(unipc_stream_write(writer, NULL, 1, 0));
  INVALID(unipc_stream_read_exact(NULL, byte, 1, 0, &transferred));
  INVALID(unipc_stream_read_exact(reader, NULL, 1, 0, &transferred));
  INVALID(unipc_stream_write_all(NULL, byte, 1, 0, &transferred));
  INVALID(unipc_stream_write_all(writer, NULL, 1, 0, &transferred));
  CHECK_EQUAL(transferred, 0);
  HUGE_SIZES(size) {
    INVALID(unipc_stream_read(reader, byte, size, 0));
    INVALID(unipc_stream_write(writer, byte, size, 0));
    INVALID(unipc_stream_read_exact(reader, byte, size, 0, NULL));
    INVALID(unipc_stream_write_all(writer, byte, size, 0, NULL));
    unipc_buffer buffers = {byte, size};
    unipc_bytes parts = {byte, size};
    INVALID(unipc_stream_read_vectored(reader, &buffers, 1, 0));
    INVALID(unipc_stream_write_vectored(writer, &parts, 1, 0));
    INVALID(unipc_stream_read_vectored(reader, &buffers, size, 0));
    INVALID(unipc_stream_write_vectored(writer, &parts, size, 0));
    INVALID(unipc_stream_set_capacity(writer, size));
  }
  unipc_buffer no_buffer = {NULL, 1};
  unipc_bytes no_bytes = {NULL, 1};
  INVALID(unipc_stream_read_vectored(NULL, NULL, 0, 0));
  INVALID(unipc_stream_read_vectored(reader, NULL, 1, 0));
  INVALID(unipc_stream_read_vectored(reader, &no_buffer, 1, 0));
  INVALID(unipc_stream_write_vectored(NULL, NULL, 0, 0));
  INVALID(unipc_stream_write_vectored(writer, NULL, 1, 0));
  INVALID(unipc_stream_write_vectored(writer, &no_bytes, 1, 0));
  CHECK_EQUAL(unipc_stream_read(reader, NULL, 0, 0), 0);
  CHECK_EQUAL(unipc_stream_write(writer, NULL, 0, 0), 0);
  CHECK_EQUAL(unipc_stream_read_exact(reader, NULL, 0, 0, NULL), 0);
  CHECK_EQUAL(unipc_stream_write_all(writer, NULL, 0, 0, NULL), 0);
  CHECK_EQUAL(unipc_stream_read(reader, byte, 1, INT64_MIN), -EAGAIN);
  CHECK_EQUAL(unipc_stream_read_exact(reader, byte, 1, INT64_MIN, NULL), -EAGAIN);
  CHECK_EQUAL(unipc_stream_read(writer, byte, 1, 0), -EBADF);
  CHECK_EQUAL(unipc_stream_write(reader, byte, 1, 0), -EBADF);
  CHECK_EQUAL(unipc_ignore_sigpipe(), 0);
  INVALID(unipc_stream_shutdown(NULL, UNIPC_SHUTDOWN_BOTH));
  CHECK_EQUAL(unipc_stream_shutdown(reader, UNIPC_SHUTDOWN_BOTH), -EOPNOTSUPP);
  INVALID(unipc_stream_capacity(NULL));
  INVALID(unipc_stream_set_capacity(NULL, 1));
  INVALID(unipc_stream_set_capacity(writer, 0));
  INVALID(unipc_stream_peer_address(NULL, byte, 4));
  CHECK_EQUAL(unipc_stream_peer_address(reader, byte, 4), -ENOTSOCK);
  INVALID(unipc_stream_fd(NULL));
  INVALID(unipc_stream_into_fd(NULL));
  INVALID(unipc_stream_from_fd(unipc_stream_fd(reader), NULL));
  REFUSED_AS(-EBADF, other, unipc_stream_from_fd(-1, &other));
  REFUSED_AS(-EBADF, other, unipc_stream_from_fd(INT_MAX, &other));
  int directory = open("/", O_RDONLY | O_CLOEXEC);
  REFUSED_AS(UNIPC_WRONG_KIND, other, unipc_stream_from_fd(directory, &other));
  CHECK_EQUAL(close(directory), 0);
  int given = unipc_stream_into_fd(reader);
  unipc_stream_close(writer);
  CHECK_EQUAL(close(given), 0);
  REFUSED_AS(-EBADF, other, unipc_stream_from_fd(given, &other));
  unipc_stream_close(NULL);

  INVALID(unipc_stream_pair_unix(NULL, NULL));
  REFUSED(other, unipc_stream_pair_unix(&other, NULL));
  REFUSED(other, unipc_stream_pair_unix(NULL, &other));
  CHECK_EQUAL(unipc_stream_pair_unix(&reader, &writer), 0);
  CHECK_EQUAL(unipc_stream_peer_address(reader, NULL, 4), 0); /* nowhere to write to: the length alone */
  CHECK_EQUAL(unipc_stream_peer_address(reader, NULL, 0), 0);
  for (int how = -1; how <= 4; how += how == 0 ? 4 : 1) INVALID(unipc_stream_shutdown(reader, how));
  INVALID(unipc_stream_shutdown(reader, INT_MAX));
  CHECK_EQUAL(unipc_stream_capacity(reader), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_stream_set_capacity(reader, 4096), -EOPNOTSUPP);
  unipc_credentials peer = UNIPC_CREDENTIALS_INIT;
  INVALID(unipc_stream_peer_credentials(NULL, &peer));
  INVALID(unipc_stream_peer_credentials(reader, NULL));
  peer.struct_size = 0;
  INVALID(unipc_stream_peer_credentials(reader, &peer));
  peer.struct_size = SIZE_MAX;
  INVALID(unipc_stream_peer_credentials(reader, &peer));
  peer.struct_size = sizeof(size_t) + 4, peer.uid = 4711;
  CHECK_EQUAL(unipc_stream_peer_credentials(reader, &peer), 0);
  CHECK(peer.pid == getpid() && peer.uid == 4711);
  INVALID(unipc_stream_peer_pidfd(NULL));
  unipc_stream_close(reader);
  unipc_stream_close(writer);
}

static void sockets(void) {
  unipc_listener *listener, *other;
  unipc_stream *stream;
  char text[4];
  INVALID(unipc_listener_open_unix(path, NULL, NULL));
  CHECK_EQUAL(access(path, F_OK), -1);
  REFUSED(listener, unipc_listener_open_unix(NULL, NULL, &listener));
  REFUSED(listener, unipc_listener_open_unix("", NULL, &listener));
  unipc_unix_listen_options odd = UNIPC_UNIX_LISTEN_OPTIONS_INIT;
  odd.mode = 010000;
  REFUSED(listener, unipc_listener_open_unix(path, &odd, &listener));
  odd.mode = 0, odd.group = "no such group, surely";
  REFUSED(listener, unipc_listener_open_unix(path, &odd, &listener));
  SIZES(unipc_unix_listen_options, UNIPC_UNIX_LISTEN_OPTIONS_INIT, unipc_listener_open_unix(path, o, &listener), 0,
        unipc_listener_close(listener));
  CHECK_EQUAL(access(path, F_OK), -1);
  CHECK_EQUAL(unipc_listener_open_unix(path, NULL, &listener), 0);
  INVALID(unipc_stream_connect_unix(path, NULL, 0, NULL));
  REFUSED(stream, unipc_stream_connect_unix(NULL, NULL, 0, &stream));
  REFUSED(stream, unipc_stream_connect_unix("", NULL, 0, &stream));
  unipc_unix_connect_options bad = UNIPC_UNIX_CONNECT_OPTIONS_INIT;
  bad.any_owner = 2;
  REFUSED(stream, unipc_stream_connect_unix(path, &bad, 0, &stream));
  bad.any_owner = 0, bad.wait_for_listener = UINT32_MAX;
  REFUSED(stream, unipc_stream_connect_unix(path, &bad, 0, &stream));
  SIZES(unipc_unix_connect_options, UNIPC_UNIX_CONNECT_OPTIONS_INIT, unipc_stream_connect_unix(path, o, 0, &stream), 0,
        unipc_stream_close(stream));
  CHECK_EQUAL(unipc_listener_port(listener), -EOPNOTSUPP);
  INVALID(unipc_listener_port(NULL));
  INVALID(unipc_listener_address(NULL, text, 4));
  CHECK_EQUAL(unipc_listener_address(listener, NULL, 4), strlen(path));
  CHECK_EQUAL(unipc_listener_address(listener, text, 4), strlen(path));
  CHECK_EQUAL(strlen(text), 3);
  INVALID(unipc_listener_fd(NULL));
  INVALID(unipc_listener_into_fd(NULL));
  INVALID(unipc_listener_from_fd(unipc_listener_fd(listener), NULL));
  REFUSED_AS(-EBADF, other, unipc_listener_from_fd(-1, &other));
  int pair[2];
  CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  REFUSED_AS(UNIPC_WRONG_KIND, other, unipc_listener_from_fd(pair[0], &other));
  close(pair[0]), close(pair[1]);
  REFUSED(stream, unipc_listener_accept(NULL, 0, &stream));
  INVALID(unipc_listener_accept(listener, 0, NULL));
  while (unipc_listener_accept(listener, 0, &stream) == 0) unipc_stream_close(stream);
  REFUSED_AS(-EAGAIN, stream, unipc_listener_accept(listener, INT64_MIN, &stream));
  unipc_listener_close(listener);
  unipc_listener_close(NULL);

  INVALID(unipc_listener_open_tcp(NULL, 0, NULL, NULL));
  REFUSED(listener, unipc_listener_open_tcp(NULL, 65536, NULL, &listener));
  REFUSED(listener, unipc_listener_open_tcp(NULL, UINT32_MAX, NULL, &listener));
  INVALID(unipc_stream_connect_tcp(NULL, 1, NULL, 0, NULL));
  REFUSED(stream, unipc_stream_connect_tcp(NULL, 0, NULL, 0, &stream));
  REFUSED(stream, unipc_stream_connect_tcp(NULL, 65536, NULL, 0, &stream));
  SIZES(unipc_tcp_options, UNIPC_TCP_OPTIONS_INIT, unipc_listener_open_tcp(NULL, 0, o, &listener), 0, unipc_listener_close(listener));
  for (int field = 0; field < 6; field++) {
    unipc_tcp_options wrong = UNIPC_TCP_OPTIONS_INIT;
    uint32_t *fields[] = {&wrong.nodelay,    &wrong.keep_alive,        &wrong.family,
                          &wrong.reuse_port, &wrong.wait_for_listener, &wrong.resolve_on_thread};
    *fields[field] = 5;
    REFUSED(listener, unipc_listener_open_tcp(NULL, 0, &wrong, &listener));
    REFUSED(stream, unipc_stream_connect_tcp(NULL, 1, &wrong, 0, &stream));
  }
  CHECK_EQUAL(unipc_listener_open_tcp(NULL, 0, NULL, &listener), 0);
  uint32_t port = (uint32_t)unipc_listener_port(listener);
  SIZES(unipc_tcp_options, UNIPC_TCP_OPTIONS_INIT, unipc_stream_connect_tcp(NULL, port, o, UNIPC_SECOND, &stream), 0,
        unipc_stream_close(stream));
  int fd = unipc_listener_into_fd(listener);
  CHECK_AT_LEAST(fd, 0);
  CHECK_EQUAL(close(fd), 0);
}

static void framing(void) {
  unipc_stream *first, *second;
  unipc_framed *framed;
  char byte = 0;
  CHECK_EQUAL(unipc_stream_pair_unix(&first, &second), 0);
  REFUSED(framed, unipc_framed_create(NULL, NULL, &framed));
  INVALID(unipc_framed_create(first, NULL, NULL));
  unipc_framed_options huge = UNIPC_FRAMED_OPTIONS_INIT;
  HUGE_SIZES(size) {
    huge.largest = size;
    REFUSED(framed, unipc_framed_create(first, &huge, &framed));
  }
  SIZES(unipc_framed_options, UNIPC_FRAMED_OPTIONS_INIT, unipc_framed_create(first, o, &framed), 0,
        (first = unipc_framed_into_stream(framed)));
  CHECK(unipc_framed_into_stream(NULL) == NULL);
  CHECK_EQUAL(unipc_framed_create(first, NULL, &framed), 0);
  INVALID(unipc_framed_send(NULL, &byte, 1, 0));
  INVALID(unipc_framed_send(framed, NULL, 1, 0));
  unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
  INVALID(unipc_framed_receive(NULL, &byte, 1, 0, &info));
  INVALID(unipc_framed_receive(framed, NULL, 1, 0, &info));
  HUGE_SIZES(size) {
    int result = unipc_framed_send(framed, &byte, size, 0);
    CHECK(result == -EMSGSIZE || result == -EINVAL);
    INVALID(unipc_framed_receive(framed, &byte, size, 0, &info));
  }
  CHECK_EQUAL(unipc_framed_receive(framed, &byte, 1, INT64_MIN, NULL), -EAGAIN);
  unipc_framed *peer;
  CHECK_EQUAL(unipc_framed_create(second, NULL, &peer), 0);
  CHECK_EQUAL(unipc_framed_send(peer, &byte, 1, 0), 0);
  info.struct_size = 0; /* a wrong size costs no message */
  INVALID(unipc_framed_receive(framed, &byte, 1, 0, &info));
  CHECK_EQUAL(unipc_framed_receive(framed, &byte, 1, 0, NULL), 1);
  second = unipc_framed_into_stream(peer);
  INVALID(unipc_framed_flush(NULL, 0));
  CHECK_EQUAL(unipc_framed_flush(framed, INT64_MIN), 0);
  INVALID(unipc_framed_fd(NULL));
  unipc_framed_close(framed);
  unipc_framed_close(NULL);
  unipc_stream_close(second);
}

static void memories(void) {
  unipc_memory *memory, *other;
  unipc_memory_options page = UNIPC_MEMORY_OPTIONS_INIT;
  page.size = 4096;
  static int (*const makes[])(const char *, const unipc_memory_options *, unipc_memory **) = {
      unipc_memory_create_posix, unipc_memory_open_posix, unipc_memory_open_or_create_posix};
  for (size_t i = 0; i < 3; i++) {
    REFUSED(memory, makes[i](NULL, &page, &memory));
    INVALID(makes[i](name, &page, NULL));
    unipc_memory_options bad = page;
    bad.access = 3;
    REFUSED(memory, makes[i](name, &bad, &memory));
    bad = page, bad.any_owner = 2;
    REFUSED(memory, makes[i](name, &bad, &memory));
    bad = page, bad.struct_size = 3;
    REFUSED(memory, makes[i](name, &bad, &memory));
    bad = page, bad.temporary = 2;
    REFUSED(memory, makes[i](name, &bad, &memory));
    if (i == 1) continue;
    REFUSED(memory, makes[i](name, NULL, &memory));
    bad = page, bad.mode = 01000;
    REFUSED(memory, makes[i](name, &bad, &memory));
    bad = page, bad.sparse = UINT32_MAX;
    REFUSED(memory, makes[i](name, &bad, &memory));
    bad = page, bad.unpublished = 2;
    REFUSED(memory, makes[i](name, &bad, &memory));
    HUGE_SIZES(size) {
      bad = page, bad.size = size, bad.sparse = 1;
      memory = (void *)&poison;
      CHECK_LESS(makes[i](name, &bad, &memory), 0);
      CHECK(memory == NULL);
    }
  }
  INVALID(unipc_memory_unlink_posix(NULL));
  CHECK_EQUAL(unipc_memory_unlink_posix(name), -ENOENT);
#define PAGE {sizeof(unipc_memory_options), 4096, NULL, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0}
#define AND_UNLINK (unipc_memory_close(memory), unipc_memory_unlink_posix(name))
  SIZES(unipc_memory_options, PAGE, unipc_memory_create_posix(name, o, &memory), 0, AND_UNLINK);
  SIZES(unipc_memory_options, PAGE, unipc_memory_open_or_create_posix(name, o, &memory), 0, AND_UNLINK);
  SIZES(unipc_memory_options, PAGE, unipc_memory_create_anonymous(o, &memory), 0, unipc_memory_close(memory));
  CHECK_EQUAL(unipc_memory_create_posix(name, &page, &memory), 0);
  SIZES(unipc_memory_options, PAGE, unipc_memory_open_posix(name, o, &other), 0, unipc_memory_close(other));
  int copy = dup(unipc_memory_fd(memory));
  SIZES(unipc_memory_options, UNIPC_MEMORY_OPTIONS_INIT, unipc_memory_from_fd(copy, o, &other), 0, (copy = unipc_memory_into_fd(other)));
  CHECK_EQUAL(close(copy), 0);
  unipc_memory_close(memory);
  CHECK_EQUAL(unipc_memory_unlink_posix(name), 0);
}

static void using_memory(void) {
  unipc_memory *memory, *other;
  unipc_memory_options page = UNIPC_MEMORY_OPTIONS_INIT;
  char byte = 0;
  page.size = 4096;
  REFUSED(memory, unipc_memory_create_anonymous(NULL, &memory));
  INVALID(unipc_memory_create_anonymous(&page, NULL));
  CHECK_EQUAL(unipc_memory_create_anonymous(&page, &memory), 0);
  CHECK_EQUAL(unipc_memory_fd(memory), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_memory_into_fd(memory), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_memory_resize(memory, 8192), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_memory_refresh(memory), -EOPNOTSUPP);
  unipc_memory_close(memory);
  unipc_memory_close(NULL);
  INVALID(unipc_memory_publish(NULL));
  INVALID(unipc_memory_was_created(NULL));
  CHECK(unipc_memory_address(NULL) == NULL);
  CHECK_EQUAL(unipc_memory_size(NULL), 0);
  INVALID(unipc_memory_resize(NULL, 1));
  INVALID(unipc_memory_refresh(NULL));
  INVALID(unipc_memory_fd(NULL));
  INVALID(unipc_memory_into_fd(NULL));
  REFUSED_AS(-EBADF, memory, unipc_memory_from_fd(-1, NULL, &memory));

  page.temporary = 1;
  CHECK_EQUAL(unipc_memory_create_posix(name, &page, &memory), 0);
  INVALID(unipc_memory_publish(memory));
  INVALID(unipc_memory_resize(memory, 0));
  HUGE_SIZES(size) {
    CHECK_LESS(unipc_memory_resize(memory, size), 0);
    CHECK_EQUAL(unipc_memory_size(memory), 4096);
    INVALID(unipc_memory_read(memory, size, &byte, 1));
    INVALID(unipc_memory_read(memory, 1, &byte, size));
    INVALID(unipc_memory_write(memory, size, &byte, 1));
    INVALID(unipc_memory_write(memory, 1, &byte, size));
  }
  INVALID(unipc_memory_read(NULL, 0, &byte, 1));
  INVALID(unipc_memory_read(memory, 0, NULL, 1));
  INVALID(unipc_memory_read(memory, 4096, &byte, 1));
  INVALID(unipc_memory_write(NULL, 0, &byte, 1));
  INVALID(unipc_memory_write(memory, 0, NULL, 1));
  INVALID(unipc_memory_write(memory, 4096, &byte, 1));
  CHECK_EQUAL(unipc_memory_read(memory, 4096, NULL, 0), 0);
  CHECK_EQUAL(unipc_memory_write(memory, 4096, NULL, 0), 0);
  INVALID(unipc_memory_from_fd(unipc_memory_fd(memory), NULL, NULL));
  unipc_memory_options wrong = UNIPC_MEMORY_OPTIONS_INIT;
  wrong.size = 4097;
  REFUSED_AS(UNIPC_WRONG_SIZE, other, unipc_memory_from_fd(unipc_memory_fd(memory), &wrong, &other));

#define ATOMICS(type, load, store, fetch_add, exchange, compare_exchange)                             \
  do {                                                                                               \
    type value = 5;                                                                                  \
    const size_t offsets[] = {1, 4096 - sizeof(type) + 1, 4096, SIZE_MAX - sizeof(type) + 1, SIZE_MAX / 2 + 1}; \
    for (size_t i = 0; i < 5; i++) {                                                                 \
      INVALID(load(memory, offsets[i], UNIPC_RELAXED, &value));                                      \
      INVALID(store(memory, offsets[i], UNIPC_RELAXED, 1));                                          \
      INVALID(fetch_add(memory, offsets[i], UNIPC_RELAXED, 1, &value));                              \
      INVALID(exchange(memory, offsets[i], UNIPC_RELAXED, 1, &value));                               \
      INVALID(compare_exchange(memory, offsets[i], UNIPC_RELAXED, &value, 1));                       \
    }                                                                                                \
    const int orders[] = {-1, 5, INT_MAX, INT_MIN};                                                  \
    for (size_t i = 0; i < 4; i++) {                                                                 \
      INVALID(load(memory, 0, orders[i], &value));                                                   \
      INVALID(store(memory, 0, orders[i], 1));                                                       \
      INVALID(fetch_add(memory, 0, orders[i], 1, &value));                                           \
      INVALID(exchange(memory, 0, orders[i], 1, &value));                                            \
      INVALID(compare_exchange(memory, 0, orders[i], &value, 1));                                    \
    }                                                                                                \
    INVALID(load(memory, 0, UNIPC_RELEASE, &value));                                                 \
    INVALID(store(memory, 0, UNIPC_ACQUIRE, 1));                                                     \
    INVALID(load(NULL, 0, UNIPC_RELAXED, &value));                                                   \
    INVALID(load(memory, 0, UNIPC_RELAXED, NULL));                                                   \
    INVALID(store(NULL, 0, UNIPC_RELAXED, 1));                                                       \
    INVALID(fetch_add(NULL, 0, UNIPC_RELAXED, 1, NULL));                                             \
    INVALID(exchange(NULL, 0, UNIPC_RELAXED, 1, NULL));                                              \
    INVALID(compare_exchange(NULL, 0, UNIPC_RELAXED, &value, 1));                                    \
    INVALID(compare_exchange(memory, 0, UNIPC_RELAXED, NULL, 1));                                    \
    CHECK_EQUAL(value, 5);                                                                           \
    CHECK_EQUAL(load(memory, 0, UNIPC_SEQUENTIAL, &value), 0);                                       \
    CHECK_EQUAL(value, 0);                                                                           \
    CHECK_EQUAL(fetch_add(memory, 0, UNIPC_RELAXED, 0, NULL), 0);                                    \
    CHECK_EQUAL(exchange(memory, 0, UNIPC_ACQUIRE_RELEASE, 0, NULL), 0);                             \
  } while (0)
  ATOMICS(uint32_t, unipc_memory_load_u32, unipc_memory_store_u32, unipc_memory_fetch_add_u32, unipc_memory_exchange_u32,
          unipc_memory_compare_exchange_u32);
  ATOMICS(uint64_t, unipc_memory_load_u64, unipc_memory_store_u64, unipc_memory_fetch_add_u64, unipc_memory_exchange_u64,
          unipc_memory_compare_exchange_u64);
  unipc_memory_close(memory);
}

static void locks(void) {
  static union {
    unipc_mutex mutex;
    unipc_semaphore semaphore;
    char bytes[1024];
  } place;
  unipc_mutex *mutex = &place.mutex, *misaligned = (void *)(place.bytes + 1);
  unipc_semaphore *semaphore = &place.semaphore, *crooked = (void *)(place.bytes + 4);
  unipc_mutex_options kind = UNIPC_MUTEX_OPTIONS_INIT;
  INVALID(unipc_mutex_init(NULL, NULL));
  INVALID(unipc_mutex_init(misaligned, NULL));
  for (kind.kind = 3; kind.kind != 0; kind.kind = kind.kind == 3 ? UINT32_MAX : 0) INVALID(unipc_mutex_init(mutex, &kind));
  SIZES(unipc_mutex_options, UNIPC_MUTEX_OPTIONS_INIT, unipc_mutex_init(mutex, o), 0, (void)0);
  INVALID(unipc_mutex_lock(NULL, 0));
  INVALID(unipc_mutex_lock(misaligned, 0));
  INVALID(unipc_mutex_try_lock(NULL));
  INVALID(unipc_mutex_try_lock(misaligned));
  INVALID(unipc_mutex_lock_recover(NULL, 0));
  INVALID(unipc_mutex_lock_recover(misaligned, 0));
  INVALID(unipc_mutex_mark_consistent(NULL));
  INVALID(unipc_mutex_mark_consistent(misaligned));
  INVALID(unipc_mutex_unlock(NULL));
  INVALID(unipc_mutex_unlock(misaligned));
  CHECK_EQUAL(unipc_mutex_unlock(mutex), -EPERM);
  CHECK_EQUAL(unipc_mutex_mark_consistent(mutex), -EPERM);
  CHECK_EQUAL(unipc_mutex_lock(mutex, INT64_MIN), 0);
  CHECK_EQUAL(unipc_mutex_unlock(mutex), 0);
  CHECK_EQUAL(unipc_mutex_unlock(mutex), -EPERM);
  memset(&place, 0x5a, sizeof place);
  CHECK_EQUAL(unipc_mutex_lock(mutex, 0), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_mutex_unlock(mutex), UNIPC_INCOMPATIBLE);
  CHECK_EQUAL(unipc_semaphore_try_wait(semaphore), UNIPC_INCOMPATIBLE);
  memset(&place, 0, sizeof place);

  unipc_semaphore_options value = UNIPC_SEMAPHORE_OPTIONS_INIT;
  INVALID(unipc_semaphore_init(NULL, NULL));
  INVALID(unipc_semaphore_init(crooked, NULL));
  value.value = (uint32_t)INT32_MAX + 1;
  INVALID(unipc_semaphore_init(semaphore, &value));
  value.value = 1, value.flags = 2;
  INVALID(unipc_semaphore_init(semaphore, &value));
  value.flags = UNIPC_SEMAPHORE_RECOVER, value.value = UNIPC_SEMAPHORE_PLACES + 1;
  INVALID(unipc_semaphore_init(semaphore, &value));
  value.value = 0;
  INVALID(unipc_semaphore_init(semaphore, &value));
  SIZES(unipc_semaphore_options, UNIPC_SEMAPHORE_OPTIONS_INIT, unipc_semaphore_init(semaphore, o), 0, (void)0);
  INVALID(unipc_semaphore_wait(NULL, 0));
  INVALID(unipc_semaphore_wait(crooked, 0));
  INVALID(unipc_semaphore_try_wait(NULL));
  INVALID(unipc_semaphore_post(NULL));
  INVALID(unipc_semaphore_post(crooked));
  INVALID(unipc_semaphore_value(NULL));
  INVALID(unipc_semaphore_value(crooked));
  CHECK_EQUAL(unipc_semaphore_wait(semaphore, INT64_MIN), -EAGAIN);
  value.flags = 0, value.value = INT32_MAX;
  CHECK_EQUAL(unipc_semaphore_init(semaphore, &value), 0);
  CHECK_EQUAL(unipc_semaphore_post(semaphore), -EOVERFLOW);
  CHECK_EQUAL(unipc_semaphore_value(semaphore), INT32_MAX);
}

static void named_semaphores(void) {
  unipc_posix_semaphore *semaphore;
  static int (*const makes[])(const char *, const unipc_posix_semaphore_options *, unipc_posix_semaphore **) = {
      unipc_posix_semaphore_create, unipc_posix_semaphore_open, unipc_posix_semaphore_open_or_create};
  for (size_t i = 0; i < 3; i++) {
    REFUSED(semaphore, makes[i](NULL, NULL, &semaphore));
    INVALID(makes[i](name, NULL, NULL));
    unipc_posix_semaphore_options bad = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
    bad.any_owner = 2;
    REFUSED(semaphore, makes[i](name, &bad, &semaphore));
    bad.any_owner = 0, bad.temporary = 2;
    REFUSED(semaphore, makes[i](name, &bad, &semaphore));
    if (i == 1) continue;
    bad.temporary = 0, bad.value = UINT32_MAX;
    REFUSED(semaphore, makes[i](name, &bad, &semaphore));
    bad.value = 0, bad.mode = 07777;
    REFUSED(semaphore, makes[i](name, &bad, &semaphore));
  }
#define AND_REMOVE (unipc_posix_semaphore_close(semaphore), unipc_posix_semaphore_unlink(name))
  SIZES(unipc_posix_semaphore_options, UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT, unipc_posix_semaphore_create(name, o, &semaphore), 0, AND_REMOVE);
  SIZES(unipc_posix_semaphore_options, UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT, unipc_posix_semaphore_open_or_create(name, o, &semaphore), 0,
        AND_REMOVE);
  SIZES(unipc_posix_semaphore_options, UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT, unipc_posix_semaphore_open(name, o, &semaphore), -ENOENT, (void)0);
  CHECK_EQUAL(unipc_posix_semaphore_unlink(name), -ENOENT);
  INVALID(unipc_posix_semaphore_unlink(NULL));
  INVALID(unipc_posix_semaphore_wait(NULL, 0));
  INVALID(unipc_posix_semaphore_try_wait(NULL));
  INVALID(unipc_posix_semaphore_post(NULL));
  INVALID(unipc_posix_semaphore_value(NULL));
  unipc_posix_semaphore_close(NULL);
  unipc_posix_semaphore_options most = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  most.value = INT32_MAX, most.temporary = 1;
  CHECK_EQUAL(unipc_posix_semaphore_create(name, &most, &semaphore), 0);
  CHECK_EQUAL(unipc_posix_semaphore_post(semaphore), -EOVERFLOW);
  CHECK_EQUAL(unipc_posix_semaphore_wait(semaphore, INT64_MIN), 0);
  unipc_posix_semaphore_close(semaphore);
}

int main(void) {
  snprintf(name, sizeof name, "arguments.%d", (int)getpid());
  snprintf(path, sizeof path, "/tmp/arguments.%d", (int)getpid());
  house before = house_now();
  general();
  stops();
  initialisers();
  pipes_and_fifos();
  streams();
  sockets();
  framing();
  memories();
  using_memory();
  locks();
  named_semaphores();
  house_check(before);
  return 0;
}
