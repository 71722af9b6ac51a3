/* Publish and subscribe on Unix sockets: a broker sends each message to those who have asked for its topic.
 *
 * A subscriber connects by SEQPACKET, and its first message names its topics. The broker publishes without waiting: a subscriber whose
 * queue is full is dropped, so that a slow one holds nobody up.
 *
 * Run:     publish_subscribe [PATH]
 * Prints:  what each subscriber has received, one after the other
 */
#include "example.h"

#define SUBSCRIBERS 2

struct subscriber {
  unipc_seqpacket *connection;
  char topics[64]; /* "news sport" */
  pid_t process;
};

static int subscribe(const char *path, const char *topics) {
  unipc_seqpacket *broker;
  char heard[400] = "";
  int r = unipc_seqpacket_connect_unix(path, NULL, NULL, PATIENCE, &broker);
  if (r < 0) return unipc_error_print("connect", r);
  ptrdiff_t n = unipc_seqpacket_send(broker, topics, strlen(topics), PATIENCE);
  while (n >= 0) {
    char text[100];
    n = unipc_seqpacket_receive(broker, text, sizeof text, PATIENCE, NULL);
    size_t used = strlen(heard);
    if (n >= 0) snprintf(heard + used, sizeof heard - used, " [%.*s]", (int)n, text);
  }
  unipc_seqpacket_close(broker);
  if (n != UNIPC_END) return unipc_error_print("subscriber", (int)n);
  printf("Subscriber of %s received%s\n", topics, heard);
  return 0;
}

/* A topic is asked for if it stands among the words. */
static int wants(const struct subscriber *subscriber, const char *topic) {
  size_t length = strlen(topic);
  for (const char *word = subscriber->topics; *word != '\0'; word += strcspn(word, " ")) {
    word += strspn(word, " ");
    if (strncmp(word, topic, length) == 0 && (word[length] == ' ' || word[length] == '\0')) return 1;
  }
  return 0;
}

static void publish(struct subscriber *subscribers, const char *topic, const char *text) {
  char message[100];
  snprintf(message, sizeof message, "%s: %s", topic, text);
  for (int i = 0; i < SUBSCRIBERS; i++) {
    if (subscribers[i].connection == NULL || !wants(&subscribers[i], topic)) continue;
    if (unipc_seqpacket_send(subscribers[i].connection, message, strlen(message), 0) == 0) continue;
    unipc_seqpacket_close(subscribers[i].connection); /* gone, or too slow */
    subscribers[i].connection = NULL;
  }
}

/* Starts a subscriber and waits until it has subscribed: then it misses nothing that is published. */
static int add(unipc_seqpacket_listener *listener, const char *path, const char *topics, struct subscriber *new) {
  new->process = example_fork();
  if (new->process == 0) {
    unipc_seqpacket_listener_close(listener); /* in a child this removes no path */
    example_exit(subscribe(path, topics));
  }
  int r = new->process < 0 ? -1 : unipc_seqpacket_listener_accept(listener, NULL, PATIENCE, &new->connection);
  if (r < 0) return unipc_error_print("accept", r);
  ptrdiff_t n = unipc_seqpacket_receive(new->connection, new->topics, sizeof new->topics - 1, PATIENCE, NULL);
  if (n < 0) return unipc_error_print("subscription", (int)n);
  new->topics[n] = '\0';
  return 0;
}

int main(int argc, char **argv) {
  static const char *const topics[SUBSCRIBERS] = {"news", "news sport"};
  const char *path = example_path(argc, argv, "unipc-broker");
  struct subscriber subscribers[SUBSCRIBERS] = {{NULL, "", 0}, {NULL, "", 0}};
  unipc_seqpacket_listener *listener;
  int r = unipc_seqpacket_listener_open_unix(path, NULL, &listener);
  if (r < 0) return unipc_error_print("listen", r);
  int failed = 0;
  for (int i = 0; i < SUBSCRIBERS && !failed; i++) {
    failed = add(listener, path, topics[i], &subscribers[i]);
  }
  publish(subscribers, "news", "sockets have boundaries");
  publish(subscribers, "sport", "two to one");
  publish(subscribers, "weather", "rain, which nobody asked for");
  publish(subscribers, "news", "the end is no message");
  for (int i = 0; i < SUBSCRIBERS; i++) {
    /* Closing alone would not do: children that were made later have inherited the connection. */
    if (subscribers[i].connection != NULL) unipc_seqpacket_shutdown(subscribers[i].connection, UNIPC_SHUTDOWN_BOTH);
    unipc_seqpacket_close(subscribers[i].connection);
    failed |= subscribers[i].process > 0 && example_wait(subscribers[i].process);
  }
  unipc_seqpacket_listener_close(listener);
  return failed;
}
