/* UDP on loopback: a question and its answer, and one message to every member of a group.
 *
 * The server knows the client by the address that comes with the message. Both members of the group are bound to the same port;
 * each gets every message that is sent to the group. On loopback nothing is doubled or overtaken, but a full receiver
 * loses messages without a word: UDP is for those who can bear that.
 *
 * Run:     udp_loopback
 * Prints:  what server, client and members receive
 */
#include "example.h"

#define GROUP "239.255.77.3"

static int ask(int port) {
  char address[64], text[100];
  unipc_datagram *client;
  int r = unipc_datagram_open_udp(NULL, 0, NULL, &client);
  if (r < 0) return unipc_error_print("open", r);
  snprintf(address, sizeof address, "127.0.0.1:%d", port);
  r = unipc_datagram_connect(client, address, NULL, PATIENCE);
  if (r == 0) r = unipc_datagram_send(client, "Hello via UDP!", 14, PATIENCE);
  ptrdiff_t n = r < 0 ? r : unipc_datagram_receive(client, text, sizeof text, PATIENCE, NULL);
  unipc_datagram_close(client);
  if (n < 0) return unipc_error_print("client", (int)n);
  printf("Client received: %.*s\n", (int)n, text);
  return 0;
}

static int answer(unipc_datagram *server) {
  char text[100], sender[128];
  ptrdiff_t n = unipc_datagram_receive_from(server, text, sizeof text, PATIENCE, NULL, sender, sizeof sender);
  if (n < 0) return unipc_error_print("receive", (int)n);
  printf("Server received: %.*s\n", (int)n, text);
  fflush(stdout); /* before the client prints */
  int r = unipc_datagram_send_to(server, sender, "Hello client!", 13, PATIENCE);
  return r < 0 ? unipc_error_print("answer", r) : 0;
}

static int converse(void) {
  unipc_datagram *server;
  int r = unipc_datagram_open_udp(NULL, 0, NULL, &server);
  if (r < 0) return unipc_error_print("open", r);
  int port = unipc_datagram_port(server);
  pid_t pid = example_fork();
  if (pid == 0) {
    unipc_datagram_close(server);
    example_exit(ask(port));
  }
  int failed = pid < 0 || answer(server);
  unipc_datagram_close(server);
  return (pid > 0 && example_wait(pid)) || failed;
}

static int tell_everybody(void) {
  unipc_datagram *members[2] = {NULL, NULL};
  unipc_udp_options options = UNIPC_UDP_OPTIONS_INIT;
  options.reuse_address = 1;
  options.multicast_interface = "lo";
  int r = unipc_datagram_open_udp("0.0.0.0", 0, &options, &members[0]);
  int port = r < 0 ? 0 : unipc_datagram_port(members[0]);
  if (r == 0) r = unipc_datagram_open_udp("0.0.0.0", (uint32_t)port, &options, &members[1]);
  for (int i = 0; r == 0 && i < 2; i++) r = unipc_datagram_join_udp(members[i], GROUP, "lo");
  char address[64];
  snprintf(address, sizeof address, "%s:%d", GROUP, port);
  if (r == 0) r = unipc_datagram_send_to(members[0], address, "Hello everybody!", 16, PATIENCE);
  for (int i = 0; r == 0 && i < 2; i++) {
    char text[100];
    ptrdiff_t n = unipc_datagram_receive(members[i], text, sizeof text, PATIENCE, NULL);
    if (n < 0) r = (int)n;
    else printf("Member %d received: %.*s\n", i + 1, (int)n, text);
  }
  for (int i = 0; i < 2; i++) unipc_datagram_close(members[i]);
  return r < 0 ? unipc_error_print("group", r) : 0;
}

int main(void) { return converse() || tell_everybody(); }
