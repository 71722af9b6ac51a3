/* One log, many senders: each message is a Unix datagram, so lines never mix, and a sender that dies tears none.
 *
 * There is no connection: whoever may write to the path may send. A log that is slow makes the senders wait; nothing is
 * lost.
 *
 * Run:     datagram_log [PATH]
 * Prints:  how many lines came from each sender
 */
#include "example.h"

#define SENDERS 4
#define LINES 100

static int send_lines(const char *path, int sender) {
  unipc_datagram *datagram;
  int r = unipc_datagram_open_unix(NULL, NULL, &datagram);
  if (r < 0) return unipc_error_print("open", r);
  r = unipc_datagram_connect(datagram, path, NULL, PATIENCE);
  for (int line = 0; r == 0 && line < LINES; line++) {
    char text[100];
    int length = snprintf(text, sizeof text, "%d %d the answer is %d", sender, line, line * sender);
    r = unipc_datagram_send(datagram, text, (size_t)length, PATIENCE);
  }
  if (r < 0) unipc_error_print("send", r);
  unipc_datagram_close(datagram);
  return r < 0;
}

static int collect(unipc_datagram *log) {
  int next[SENDERS] = {0}, failed = 0;
  for (int count = 0; count < SENDERS * LINES; count++) {
    char text[100];
    ptrdiff_t n = unipc_datagram_receive(log, text, sizeof text - 1, PATIENCE, NULL);
    if (n < 0) return unipc_error_print("receive", (int)n);
    text[n] = '\0';
    int sender, line, answer;
    int whole = sscanf(text, "%d %d the answer is %d", &sender, &line, &answer) == 3 && sender >= 0 && sender < SENDERS;
    if (!whole || line != next[sender] || answer != line * sender) {
      fprintf(stderr, "not what was sent: %s\n", text);
      return 1;
    }
    next[sender]++;
  }
  for (int sender = 0; sender < SENDERS; sender++) printf("Sender %d: %d lines, in order\n", sender, next[sender]);
  return failed;
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-log");
  unipc_datagram *log;
  int r = unipc_datagram_open_unix(path, NULL, &log);
  if (r < 0) return unipc_error_print("open", r);
  pid_t children[SENDERS];
  int failed = 0;
  for (int sender = 0; sender < SENDERS; sender++) {
    children[sender] = example_fork();
    if (children[sender] == 0) {
      unipc_datagram_close(log); /* in a child this removes no path */
      example_exit(send_lines(path, sender));
    }
    failed |= children[sender] < 0;
  }
  failed = failed || collect(log);
  for (int sender = 0; sender < SENDERS; sender++) failed |= children[sender] > 0 && example_wait(children[sender]);
  unipc_datagram_close(log);
  return failed;
}
