/* The sockets of messages, and descriptors that travel: every function with NULL in each pointer argument and with sizes beyond reason. */
#define _GNU_SOURCE
#include <unipc.h>

#include "arguments.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>

static char path[96];

static void initialisers(void) {
#define SAME(type, initial)                                  \
  do {                                                       \
    static const type expected = initial;                    \
    type given;                                              \
    memset(&given, 0xff, sizeof given);                      \
    type##_init(&given);                                     \
    CHECK(memcmp(&given, &expected, sizeof given) == 0);     \
    type##_init(NULL);                                       \
  } while (0)
  SAME(unipc_datagram_options, UNIPC_DATAGRAM_OPTIONS_INIT); /* unipc_datagram_options_init */
  SAME(unipc_udp_options, UNIPC_UDP_OPTIONS_INIT); /* unipc_udp_options_init */
  SAME(unipc_seqpacket_options, UNIPC_SEQPACKET_OPTIONS_INIT); /* unipc_seqpacket_options_init */
}

static void datagrams(void) {
  unipc_datagram *datagram, *other;
  char room[8], text[128];
  int fds[2];
  size_t count = 7;
  INVALID(unipc_datagram_open_unix(path, NULL, NULL));
  REFUSED(datagram, unipc_datagram_open_unix("", NULL, &datagram));
  SIZES(unipc_datagram_options, UNIPC_DATAGRAM_OPTIONS_INIT, unipc_datagram_open_unix(path, o, &datagram), 0,
        unipc_datagram_close(datagram));
  SIZES(unipc_udp_options, UNIPC_UDP_OPTIONS_INIT, unipc_datagram_open_udp(NULL, 0, o, &datagram), 0, unipc_datagram_close(datagram));
  INVALID(unipc_datagram_open_udp(NULL, 0, NULL, NULL));
  REFUSED(datagram, unipc_datagram_open_udp(NULL, 65536, NULL, &datagram));
  REFUSED(datagram, unipc_datagram_open_udp("", 0, NULL, &datagram));
  unipc_udp_options udp = UNIPC_UDP_OPTIONS_INIT;
  udp.multicast_loop = 3;
  REFUSED(datagram, unipc_datagram_open_udp(NULL, 0, &udp, &datagram));
  udp.multicast_loop = 0, udp.multicast_ttl = UNIPC_THIS_MACHINE + 1;
  REFUSED(datagram, unipc_datagram_open_udp(NULL, 0, &udp, &datagram));
  udp.multicast_ttl = UNIPC_THIS_MACHINE;
  CHECK_EQUAL(unipc_datagram_open_udp(NULL, 0, &udp, &datagram), 0);
  socklen_t size = sizeof fds[0];
  CHECK(getsockopt(unipc_datagram_fd(datagram), IPPROTO_IP, IP_MULTICAST_TTL, &fds[0], &size) == 0 && fds[0] == 0);
  unipc_datagram_close(datagram);
  udp.multicast_interface = "no-such-interface";
  REFUSED_AS(-ENODEV, datagram, unipc_datagram_open_udp(NULL, 0, &udp, &datagram));
  REFUSED(datagram, unipc_datagram_pair_unix(NULL, &datagram, NULL));
  REFUSED(datagram, unipc_datagram_pair_unix(NULL, NULL, &datagram));
  REFUSED_AS(-EBADF, datagram, unipc_datagram_from_fd(-1, NULL, &datagram));
  INVALID(unipc_datagram_from_fd(0, NULL, NULL));
  INVALID(unipc_datagram_join_udp(NULL, "239.1.1.1", NULL));
  INVALID(unipc_datagram_leave_udp(NULL, "239.1.1.1", NULL));
  INVALID(unipc_datagram_connect(NULL, path, NULL, 0));
  INVALID(unipc_datagram_send(NULL, "x", 1, 0));
  INVALID(unipc_datagram_send_to(NULL, path, "x", 1, 0));
  INVALID(unipc_datagram_send_fds(NULL, path, "x", 1, NULL, 0, 0));
  INVALID(unipc_datagram_receive(NULL, room, sizeof room, 0, NULL));
  INVALID(unipc_datagram_receive_from(NULL, room, sizeof room, 0, NULL, text, sizeof text));
  INVALID(unipc_datagram_receive_fds(NULL, room, sizeof room, fds, 2, &count, 0, NULL));
  CHECK_EQUAL(count, 0);
  INVALID(unipc_datagram_next_size(NULL, 0));
  INVALID(unipc_datagram_address(NULL, text, sizeof text));
  INVALID(unipc_datagram_port(NULL));
  INVALID(unipc_datagram_fd(NULL));
  INVALID(unipc_datagram_into_fd(NULL));
  unipc_datagram_close(NULL);

  CHECK_EQUAL(unipc_datagram_open_udp(NULL, 0, NULL, &datagram), 0);
  INVALID(unipc_datagram_join_udp(datagram, NULL, NULL));
  INVALID(unipc_datagram_join_udp(datagram, "1.2.3.4", NULL));
  CHECK_EQUAL(unipc_datagram_leave_udp(datagram, "239.1.1.1", "lo"), -EADDRNOTAVAIL);
  INVALID(unipc_datagram_send_to(datagram, "nonsense", "x", 1, 0));
  fds[0] = 0;
  CHECK_EQUAL(unipc_datagram_send_fds(datagram, NULL, "x", 1, fds, 1, 0), -EOPNOTSUPP);
  CHECK_AT_LEAST(unipc_datagram_port(datagram), 1);
  unipc_datagram_close(datagram);

  unipc_datagram_options options = UNIPC_DATAGRAM_OPTIONS_INIT;
  options.credentials = options.pidfds = 1;
  CHECK_EQUAL(unipc_datagram_pair_unix(&options, &datagram, &other), 0);
  CHECK_EQUAL(unipc_datagram_port(datagram), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_datagram_join_udp(datagram, "239.1.1.1", NULL), -EOPNOTSUPP);
  INVALID(unipc_datagram_connect(datagram, NULL, NULL, 0));
  INVALID(unipc_datagram_send_to(datagram, NULL, "x", 1, 0));
  HUGE_SIZES(size) INVALID(unipc_datagram_send(datagram, size > SIZE_MAX / 2 ? "x" : NULL, size, 0));
  HUGE_SIZES(size) INVALID(unipc_datagram_receive(datagram, size > SIZE_MAX / 2 ? room : NULL, size, 0, NULL));
  HUGE_SIZES(size) INVALID(unipc_datagram_send_fds(datagram, NULL, "x", 1, fds, size, 0));
  INVALID(unipc_datagram_send_fds(datagram, NULL, "x", 1, NULL, 1, 0));
  fds[0] = -1;
  CHECK_EQUAL(unipc_datagram_send_fds(datagram, NULL, "x", 1, fds, 1, 0), -EBADF);
  fds[0] = 1000000;
  CHECK_EQUAL(unipc_datagram_send_fds(datagram, NULL, "x", 1, fds, 1, 0), -EBADF);
  INVALID(unipc_datagram_receive_fds(datagram, room, sizeof room, NULL, 1, &count, 0, NULL));
  INVALID(unipc_datagram_receive_fds(datagram, room, sizeof room, fds, 1, NULL, 0, NULL));
  CHECK_EQUAL(unipc_datagram_receive(datagram, room, sizeof room, INT64_MIN, NULL), -EAGAIN);
  /* A caller whose struct ends before the pidfd gets none, and none leaks. */
  for (size_t size = sizeof(size_t); size <= sizeof(unipc_message_info); size += 4) {
    unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
    info.struct_size = size;
    CHECK_EQUAL(unipc_datagram_send(other, "x", 1, 0), 0);
    CHECK_EQUAL(unipc_datagram_receive(datagram, room, sizeof room, 0, &info), 1);
    if (info.has_sender_pidfd && size == sizeof info) CHECK_EQUAL(close(info.sender_pidfd), 0);
  }
  /* A wrong size costs no message. */
  unipc_message_info wrong = UNIPC_MESSAGE_INFO_INIT;
  wrong.struct_size = 0;
  CHECK_EQUAL(unipc_datagram_send(other, "x", 1, 0), 0);
  INVALID(unipc_datagram_receive(datagram, room, sizeof room, 0, &wrong));
  INVALID(unipc_datagram_receive_fds(datagram, room, sizeof room, fds, 1, &count, 0, &wrong));
  CHECK_EQUAL(unipc_datagram_receive(datagram, room, sizeof room, 0, NULL), 1);
  unipc_datagram_close(datagram);
  unipc_datagram_close(other);
}

static void seqpackets(void) {
  unipc_seqpacket_listener *listener;
  unipc_seqpacket *first, *second;
  char room[8], text[128];
  int fds[2];
  size_t count = 7;
  INVALID(unipc_seqpacket_listener_open_unix(path, NULL, NULL));
  REFUSED(listener, unipc_seqpacket_listener_open_unix(NULL, NULL, &listener));
  INVALID(unipc_seqpacket_listener_address(NULL, text, sizeof text));
  INVALID(unipc_seqpacket_listener_fd(NULL));
  INVALID(unipc_seqpacket_listener_into_fd(NULL));
  INVALID(unipc_seqpacket_listener_from_fd(0, NULL));
  REFUSED_AS(-EBADF, listener, unipc_seqpacket_listener_from_fd(-1, &listener));
  REFUSED(first, unipc_seqpacket_listener_accept(NULL, NULL, 0, &first));
  unipc_seqpacket_listener_close(NULL);
  SIZES(unipc_unix_listen_options, UNIPC_UNIX_LISTEN_OPTIONS_INIT, unipc_seqpacket_listener_open_unix(path, o, &listener), 0,
        unipc_seqpacket_listener_close(listener));
  CHECK_EQUAL(unipc_seqpacket_listener_open_unix(path, NULL, &listener), 0);
  INVALID(unipc_seqpacket_listener_accept(listener, NULL, 0, NULL));
  REFUSED_AS(-EAGAIN, first, unipc_seqpacket_listener_accept(listener, NULL, 0, &first));
  SIZES(unipc_seqpacket_options, UNIPC_SEQPACKET_OPTIONS_INIT, unipc_seqpacket_connect_unix(path, NULL, o, 0, &first), 0,
        unipc_seqpacket_close(first));
  REFUSED(first, unipc_seqpacket_connect_unix(NULL, NULL, NULL, 0, &first));
  INVALID(unipc_seqpacket_connect_unix(path, NULL, NULL, 0, NULL));
  unipc_seqpacket_listener_close(listener);

  REFUSED(first, unipc_seqpacket_pair_unix(NULL, &first, NULL));
  REFUSED(first, unipc_seqpacket_pair_unix(NULL, NULL, &first));
  REFUSED_AS(-EBADF, first, unipc_seqpacket_from_fd(-1, NULL, &first));
  INVALID(unipc_seqpacket_from_fd(0, NULL, NULL));
  INVALID(unipc_seqpacket_send(NULL, "x", 1, 0));
  INVALID(unipc_seqpacket_send_fds(NULL, "x", 1, NULL, 0, 0));
  INVALID(unipc_seqpacket_receive(NULL, room, sizeof room, 0, NULL));
  INVALID(unipc_seqpacket_receive_fds(NULL, room, sizeof room, fds, 2, &count, 0, NULL));
  INVALID(unipc_seqpacket_next_size(NULL, 0));
  INVALID(unipc_seqpacket_shutdown(NULL, UNIPC_SHUTDOWN_BOTH));
  unipc_credentials who = UNIPC_CREDENTIALS_INIT;
  INVALID(unipc_seqpacket_peer_credentials(NULL, &who));
  INVALID(unipc_seqpacket_peer_pidfd(NULL));
  INVALID(unipc_seqpacket_peer_groups(NULL, NULL, 0));
  INVALID(unipc_seqpacket_peer_label(NULL, text, sizeof text));
  INVALID(unipc_seqpacket_peer_address(NULL, text, sizeof text));
  INVALID(unipc_seqpacket_fd(NULL));
  INVALID(unipc_seqpacket_into_fd(NULL));
  unipc_seqpacket_close(NULL);

  CHECK_EQUAL(unipc_seqpacket_pair_unix(NULL, &first, &second), 0);
  INVALID(unipc_seqpacket_shutdown(first, 77));
  INVALID(unipc_seqpacket_peer_credentials(first, NULL));
  CHECK_EQUAL(unipc_seqpacket_peer_credentials(first, &who), 0);
  CHECK_EQUAL(who.pid, getpid());
  CHECK_AT_LEAST(unipc_seqpacket_peer_groups(first, NULL, 0), 0);
  HUGE_SIZES(size) INVALID(unipc_seqpacket_send(first, size > SIZE_MAX / 2 ? "x" : NULL, size, 0));
  HUGE_SIZES(size) INVALID(unipc_seqpacket_receive(first, size > SIZE_MAX / 2 ? room : NULL, size, 0, NULL));
  INVALID(unipc_seqpacket_receive_fds(first, room, sizeof room, NULL, 1, &count, 0, NULL));
  INVALID(unipc_seqpacket_receive_fds(first, room, sizeof room, fds, 1, NULL, 0, NULL));
  CHECK_EQUAL(unipc_seqpacket_send(second, NULL, 0, 0), 0);
  unipc_seqpacket_close(second);
  unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
  info.struct_size = 7; /* a wrong size costs no message */
  INVALID(unipc_seqpacket_receive(first, NULL, 0, 0, &info));
  info.struct_size = sizeof info;
  CHECK_EQUAL(unipc_seqpacket_receive(first, NULL, 0, 0, &info), 0);
  CHECK_EQUAL(unipc_seqpacket_receive(first, NULL, 0, 0, &info), UNIPC_END);
  unipc_seqpacket_close(first);
}

static void travelling(void) {
  unipc_stream *first, *second;
  char room[8];
  int fds[2] = {0, 0};
  size_t count = 7, transferred = 7;
  INVALID(unipc_stream_send_fds(NULL, "x", 1, fds, 1, 0, &transferred));
  CHECK_EQUAL(transferred, 0);
  INVALID(unipc_stream_receive_fds(NULL, room, sizeof room, fds, 2, &count, 0));
  CHECK_EQUAL(count, 0);
  INVALID(unipc_stream_peer_groups(NULL, NULL, 0));
  INVALID(unipc_stream_peer_label(NULL, NULL, 0));
  CHECK_EQUAL(unipc_descriptor_take(-1, 0), -EBADF);
  CHECK_LESS(unipc_descriptor_take(0, -1), 0);
  CHECK_EQUAL(unipc_stream_pair_unix(&first, &second), 0);
  INVALID(unipc_stream_send_fds(first, NULL, 0, fds, 1, 0, NULL));
  INVALID(unipc_stream_send_fds(first, "x", 1, NULL, 1, 0, NULL));
  HUGE_SIZES(size) INVALID(unipc_stream_send_fds(first, "x", 1, fds, size, 0, NULL));
  INVALID(unipc_stream_receive_fds(second, NULL, 0, fds, 2, &count, 0));
  INVALID(unipc_stream_receive_fds(second, room, sizeof room, NULL, 2, &count, 0));
  INVALID(unipc_stream_receive_fds(second, room, sizeof room, fds, 2, NULL, 0));
  CHECK_EQUAL(unipc_stream_receive_fds(second, room, sizeof room, fds, 2, &count, 0), -EAGAIN);
  CHECK_EQUAL(unipc_stream_send_fds(first, "abc", 3, fds, 2, 0, &transferred), 0);
  CHECK_EQUAL(transferred, 3);
  CHECK_EQUAL(unipc_stream_receive_fds(second, room, sizeof room, fds, 1, &count, 0), -EPROTO);
  CHECK_EQUAL(count, 0);
  fds[0] = fds[1] = 0;
  CHECK_EQUAL(unipc_stream_send_fds(first, "abc", 3, fds, 2, 0, NULL), 0);
  CHECK_EQUAL(unipc_stream_receive_fds(second, room, sizeof room, fds, 2, &count, 0), 3);
  CHECK_EQUAL(count, 2);
  CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
  CHECK_AT_LEAST(unipc_stream_peer_groups(first, NULL, 0), 0);
  char label[300];
  ptrdiff_t length = unipc_stream_peer_label(first, label, sizeof label);
  CHECK(length > 0 || length == UNIPC_UNAVAILABLE);
  unipc_stream_close(first);
  unipc_stream_close(second);
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/arguments_sockets.%d", (int)getpid());
  house before = house_now();
  initialisers();
  datagrams();
  seqpackets();
  travelling();
  house_check(before);
  return 0;
}
