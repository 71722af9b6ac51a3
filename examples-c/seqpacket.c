/* SEQPACKET: a connection as a stream has it, and every message in one piece.
 *
 * The client sends three messages at once, the second one empty, and ends. The server receives three, and then the end: an
 * empty message is not the end. What does not fit into the buffer is an error that tells the size, not half a message.
 *
 * Run:     seqpacket [PATH]
 * Prints:  what the server receives
 */
#include "example.h"

static int send_all(const char *path) {
  static const char *const messages[] = {"one", "", "a message that is too long for the server"};
  unipc_seqpacket *server;
  int r = unipc_seqpacket_connect_unix(path, NULL, NULL, PATIENCE, &server);
  if (r < 0) return unipc_error_print("connect", r);
  for (size_t i = 0; r == 0 && i < sizeof messages / sizeof *messages; i++) {
    r = unipc_seqpacket_send(server, messages[i], strlen(messages[i]), PATIENCE);
  }
  unipc_seqpacket_close(server);
  return r < 0 ? unipc_error_print("send", r) : 0;
}

static int receive_all(unipc_seqpacket *client) {
  for (;;) {
    char text[20];
    unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
    ptrdiff_t n = unipc_seqpacket_receive(client, text, sizeof text, PATIENCE, &info);
    if (n == UNIPC_END) {
      printf("The end\n");
      return 0;
    }
    if (n == -EMSGSIZE) {
      printf("A message of %d bytes did not fit into %zu\n", (int)info.size, sizeof text);
      continue;
    }
    if (n < 0) return unipc_error_print("receive", (int)n);
    printf("A message of %d bytes: \"%.*s\"\n", (int)n, (int)n, text);
  }
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-seqpacket");
  unipc_seqpacket_listener *listener;
  unipc_seqpacket *client;
  int r = unipc_seqpacket_listener_open_unix(path, NULL, &listener);
  if (r < 0) return unipc_error_print("listen", r);
  pid_t pid = example_fork();
  if (pid == 0) {
    unipc_seqpacket_listener_close(listener); /* in a child this removes no path */
    example_exit(send_all(path));
  }
  int failed = pid < 0;
  if (pid > 0) {
    r = unipc_seqpacket_listener_accept(listener, NULL, PATIENCE, &client);
    failed = r < 0 ? unipc_error_print("accept", r) : receive_all(client);
    if (r == 0) unipc_seqpacket_close(client);
    failed |= example_wait(pid);
  }
  unipc_seqpacket_listener_close(listener);
  return failed;
}
