/* Plain C with the raw calls on the other end of datagrams, seqpackets and descriptors that travel: both ways, and a peer that means no good. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LIMIT (20 * UNIPC_SECOND)
#define ROOM 300

static char path[96], other_path[104];

static socklen_t local(struct sockaddr_un *address, const char *where) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  strncpy(address->sun_path, where, sizeof address->sun_path - 1);
  return (socklen_t)sizeof *address;
}

static void unix_datagrams(void) {
  unipc_datagram *ours;
  struct sockaddr_un address, sender;
  char text[ROOM], from[128];
  CHECK_EQUAL(unipc_datagram_open_unix(path, NULL, &ours), 0);
  int raw = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  CHECK_EQUAL(bind(raw, (struct sockaddr *)&address, local(&address, other_path)), 0);
  for (int size = 0; size <= ROOM; size += ROOM / 3) {
    memset(text, 'a', ROOM);
    CHECK_EQUAL(sendto(raw, text, (size_t)size, 0, (struct sockaddr *)&address, local(&address, path)), size);
    CHECK_EQUAL(unipc_datagram_receive_from(ours, text, sizeof text, LIMIT, NULL, from, sizeof from), size);
    CHECK(strcmp(from, other_path) == 0);
    CHECK_EQUAL(unipc_datagram_send_to(ours, from, text, (size_t)size, LIMIT), 0);
    socklen_t length = sizeof sender;
    CHECK_EQUAL(recvfrom(raw, text, sizeof text, 0, (struct sockaddr *)&sender, &length), size);
    CHECK(strcmp(sender.sun_path, path) == 0);
  }
  /* An adopted one. */
  unipc_datagram *adopted;
  CHECK_EQUAL(unipc_datagram_from_fd(raw, NULL, &adopted), 0);
  CHECK_EQUAL(unipc_datagram_send_to(ours, other_path, "x", 1, LIMIT), 0);
  CHECK_EQUAL(unipc_datagram_receive(adopted, text, sizeof text, LIMIT, NULL), 1);
  unipc_datagram_close(adopted);
  CHECK_EQUAL(unlink(other_path), 0); /* not ours to remove: it was adopted */
  unipc_datagram_close(ours);
  CHECK(access(path, F_OK) < 0);
}

static void udp(void) {
  unipc_datagram *ours;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  char text[ROOM], from[128];
  CHECK_EQUAL(unipc_datagram_open_udp(NULL, 0, NULL, &ours), 0);
  address.sin_port = htons((uint16_t)unipc_datagram_port(ours));
  int raw = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  CHECK_EQUAL(sendto(raw, "hello", 5, 0, (struct sockaddr *)&address, sizeof address), 5);
  CHECK_EQUAL(unipc_datagram_receive_from(ours, text, sizeof text, LIMIT, NULL, from, sizeof from), 5);
  CHECK_EQUAL(unipc_datagram_send_to(ours, from, "answer", 6, LIMIT), 0);
  CHECK_EQUAL(recvfrom(raw, text, sizeof text, 0, (struct sockaddr *)&address, &length), 6);
  CHECK_EQUAL(ntohs(address.sin_port), unipc_datagram_port(ours));
  close(raw);
  unipc_datagram_close(ours);
}

static void talk_raw(int fd) {
  char text[ROOM];
  CHECK_EQUAL(send(fd, "one", 3, MSG_NOSIGNAL), 3);
  CHECK_EQUAL(send(fd, "", 0, MSG_NOSIGNAL), 0);
  CHECK_EQUAL(recv(fd, text, sizeof text, 0), 3);
  CHECK_EQUAL(recv(fd, text, sizeof text, 0), 6);
  close(fd);
}

static void talk_ours(unipc_seqpacket *peer) {
  char text[ROOM];
  CHECK_EQUAL(unipc_seqpacket_receive(peer, text, sizeof text, LIMIT, NULL), 3);
  CHECK_EQUAL(unipc_seqpacket_receive(peer, text, sizeof text, LIMIT, NULL), 0);
  CHECK_EQUAL(unipc_seqpacket_send(peer, "two", 3, LIMIT), 0);
  CHECK_EQUAL(unipc_seqpacket_send(peer, "answer", 6, LIMIT), 0);
  CHECK_EQUAL(unipc_seqpacket_receive(peer, text, sizeof text, LIMIT, NULL), UNIPC_END);
  unipc_seqpacket_close(peer);
}

static void seqpackets(void) {
  unipc_seqpacket_listener *listener;
  unipc_seqpacket *peer;
  struct sockaddr_un address;
  socklen_t length = local(&address, path);
  CHECK_EQUAL(unipc_seqpacket_listener_open_unix(path, NULL, &listener), 0);
  pid_t child = fork();
  if (child == 0) {
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    CHECK_EQUAL(connect(fd, (struct sockaddr *)&address, length), 0);
    talk_raw(fd);
    _exit(0);
  }
  CHECK_EQUAL(unipc_seqpacket_listener_accept(listener, NULL, LIMIT, &peer), 0);
  unipc_credentials who = UNIPC_CREDENTIALS_INIT;
  CHECK_EQUAL(unipc_seqpacket_peer_credentials(peer, &who), 0);
  CHECK_EQUAL(who.pid, child);
  char label[ROOM];
  ptrdiff_t labelled = unipc_seqpacket_peer_label(peer, label, sizeof label);
  CHECK(labelled == UNIPC_UNAVAILABLE || labelled == (ptrdiff_t)strlen(label));
  talk_ours(peer);
  CHECK_EQUAL(exit_status_of(child), 0);
  unipc_seqpacket_listener_close(listener);

  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  CHECK_EQUAL(bind(fd, (struct sockaddr *)&address, length), 0);
  CHECK_EQUAL(listen(fd, 5), 0);
  child = fork();
  if (child == 0) {
    talk_raw(accept(fd, NULL, NULL));
    _exit(0);
  }
  CHECK_EQUAL(unipc_seqpacket_connect_unix(path, NULL, NULL, LIMIT, &peer), 0);
  talk_ours(peer);
  CHECK_EQUAL(exit_status_of(child), 0);
  close(fd);
  CHECK_EQUAL(unlink(path), 0);
}

/* One of ours behind one face, and the raw peer that sends to it. */
typedef struct end {
  int type, raw;
  unipc_stream *stream;
  unipc_datagram *datagram;
  unipc_seqpacket *seqpacket;
} end;

static end open_end(int type) {
  int pair[2];
  end e = {.type = type};
  CHECK_EQUAL(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
  e.raw = pair[1];
  if (type == SOCK_STREAM) CHECK_EQUAL(unipc_stream_from_fd(pair[0], &e.stream), 0);
  else if (type == SOCK_DGRAM) CHECK_EQUAL(unipc_datagram_from_fd(pair[0], NULL, &e.datagram), 0);
  else CHECK_EQUAL(unipc_seqpacket_from_fd(pair[0], NULL, &e.seqpacket), 0);
  return e;
}

static void close_end(end *e) {
  close(e->raw);
  unipc_stream_close(e->stream);
  unipc_datagram_close(e->datagram);
  unipc_seqpacket_close(e->seqpacket);
}

static ptrdiff_t take(end *e, size_t room, int *fds, size_t maximum, size_t *count, int64_t timeout) {
  char text[ROOM];
  if (e->stream) return unipc_stream_receive_fds(e->stream, text, room, fds, maximum, count, timeout);
  if (e->datagram) return unipc_datagram_receive_fds(e->datagram, text, room, fds, maximum, count, timeout, NULL);
  return unipc_seqpacket_receive_fds(e->seqpacket, text, room, fds, maximum, count, timeout, NULL);
}

static int give(end *e, const int *fds, size_t count) {
  if (e->stream) return unipc_stream_send_fds(e->stream, "x", 1, fds, count, LIMIT, NULL);
  if (e->datagram) return unipc_datagram_send_fds(e->datagram, NULL, "x", 1, fds, count, LIMIT);
  return unipc_seqpacket_send_fds(e->seqpacket, "x", 1, fds, count, LIMIT);
}

/* Sends `size` bytes and, in pieces of control data of their own, `first` and `second` copies of a descriptor (-1: no such piece). */
static ssize_t send_raw(end *e, size_t size, int fd, int first, int second) {
  static char bytes[ROOM];
  static union {
    char room[2 * CMSG_SPACE(sizeof(int) * 256)];
    struct cmsghdr alignment;
  } control;
  struct iovec piece = {bytes, size};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  int counts[2] = {first, second};
  memset(&control, 0, sizeof control);
  size_t used = 0;
  for (int i = 0; i < 2; i++) {
    if (counts[i] < 0) continue;
    struct cmsghdr *header = (struct cmsghdr *)(void *)(control.room + used);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)counts[i]);
    for (int j = 0; j < counts[i]; j++) memcpy(CMSG_DATA(header) + sizeof(int) * (size_t)j, &fd, sizeof fd);
    used += CMSG_SPACE(sizeof(int) * (size_t)counts[i]);
  }
  if (used > 0) message.msg_control = control.room, message.msg_controllen = used;
  return sendmsg(e->raw, &message, MSG_NOSIGNAL);
}

static void close_all(const int *fds, size_t count) {
  for (size_t i = 0; i < count; i++) {
    CHECK(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
    CHECK_EQUAL(close(fds[i]), 0);
  }
}

/* Everything that the raw calls let a peer send. Afterwards we have as many descriptors as before. */
static void hostile(int type) {
  end e = open_end(type);
  int fds[UNIPC_MOST_FDS], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  size_t count;
  int before = entries_of("/proc/self/fd");
  /* As many as there is room for, one more, and all that the kernel lets out. */
  for (int sent = 3; sent <= UNIPC_MOST_FDS; sent += sent < 5 ? 1 : UNIPC_MOST_FDS - 5) {
    CHECK_EQUAL(send_raw(&e, 1, null, sent, -1), 1);
    ptrdiff_t n = take(&e, ROOM, fds, 4, &count, LIMIT);
    CHECK_EQUAL(n, sent <= 4 ? 1 : -EPROTO);
    CHECK_EQUAL(count, sent <= 4 ? sent : 0);
    close_all(fds, count);
    CHECK_EQUAL(entries_of("/proc/self/fd"), before);
  }
  CHECK(send_raw(&e, 1, null, UNIPC_MOST_FDS + 1, -1) < 0 && errno == EINVAL);
  /* In two pieces, which the kernel puts together; an empty one; one beside an empty one. */
  CHECK_EQUAL(send_raw(&e, 1, null, 2, 2), 1);
  CHECK_EQUAL(take(&e, ROOM, fds, 4, &count, LIMIT), 1);
  CHECK_EQUAL(count, 4);
  close_all(fds, count);
  CHECK_EQUAL(send_raw(&e, 1, null, 2, 3), 1);
  CHECK_EQUAL(take(&e, ROOM, fds, 4, &count, LIMIT), -EPROTO);
  CHECK_EQUAL(send_raw(&e, 1, null, 0, -1), 1);
  CHECK_EQUAL(take(&e, ROOM, fds, 4, &count, LIMIT), 1);
  CHECK_EQUAL(count, 0);
  CHECK_EQUAL(send_raw(&e, 1, null, 0, 1), 1);
  CHECK_EQUAL(take(&e, ROOM, fds, 4, &count, LIMIT), 1);
  CHECK_EQUAL(count, 1);
  close_all(fds, count);
  /* No byte of data: on a stream nothing goes out, else it is an empty message with descriptors. */
  CHECK_EQUAL(send_raw(&e, 0, null, 2, -1), 0);
  if (type == SOCK_STREAM) {
    CHECK_EQUAL(take(&e, ROOM, fds, 4, &count, 0), -EAGAIN);
  } else {
    CHECK_EQUAL(take(&e, ROOM, fds, 4, &count, LIMIT), 0);
    CHECK_EQUAL(count, 2);
    close_all(fds, count);
    /* Larger than our buffer: it is lost, and what came with it is closed. */
    CHECK_EQUAL(send_raw(&e, ROOM, null, 2, -1), ROOM);
    CHECK_EQUAL(take(&e, ROOM - 1, fds, 4, &count, LIMIT), -EMSGSIZE);
    CHECK_EQUAL(count, 0);
  }
  /* None, and then a socket of our own, which holds what it has not received. */
  CHECK_EQUAL(send_raw(&e, 1, null, -1, -1), 1);
  CHECK_EQUAL(take(&e, ROOM, fds, 4, &count, LIMIT), 1);
  CHECK_EQUAL(count, 0);
  CHECK_EQUAL(entries_of("/proc/self/fd"), before);
  CHECK_EQUAL(send_raw(&e, 1, e.raw, 1, -1), 1);

  /* No room for them: none is kept, and the truncated control data leaves nothing open. */
  end crowded = open_end(type);
  struct rlimit limit, few;
  CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
  few = limit;
  few.rlim_cur = (rlim_t)crowded.raw + 3;
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
  CHECK_EQUAL(send_raw(&crowded, 1, null, 4, -1), 1);
  CHECK_EQUAL(take(&crowded, ROOM, fds, 4, &count, LIMIT), -EMFILE);
  CHECK_EQUAL(count, 0);
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
  CHECK_EQUAL(entries_of("/proc/self/fd"), before + 2);
  close_end(&crowded);

  close_end(&e);
  close(null);
}

/* A raw receiver takes what we send, with less room for it than it needs, too. */
static void raw_receiver(int type) {
  end e = open_end(type);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC), sent[3] = {null, null, null};
  for (size_t room = 1; room <= 4; room++) {
    union {
      char room[CMSG_SPACE(sizeof(int) * 4)];
      struct cmsghdr alignment;
    } control;
    char text[ROOM];
    struct iovec piece = {text, sizeof text};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = CMSG_LEN(sizeof(int) * room)};
    CHECK_EQUAL(give(&e, sent, 3), 0);
    CHECK_EQUAL(recvmsg(e.raw, &message, MSG_CMSG_CLOEXEC), 1);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    CHECK(header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS);
    size_t got = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    CHECK_EQUAL(got, room < 3 ? room : 3);
    CHECK_EQUAL((message.msg_flags & MSG_CTRUNC) != 0, room < 3);
    for (size_t i = 0; i < got; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + sizeof fd * i, sizeof fd);
      close(fd);
    }
  }
  close_end(&e);
  close(null);
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/packets.%d", (int)getpid());
  snprintf(other_path, sizeof other_path, "%s.raw", path);
  house before = house_now();
  unix_datagrams();
  udp();
  seqpackets();
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    hostile(types[i]);
    raw_receiver(types[i]);
  }
  house_check(before);
  return 0;
}
