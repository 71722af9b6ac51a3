/* A publisher sends what it publishes to every subscriber's own POSIX message queue.
 *
 * A queue gives each message to one receiver, so publishing takes one queue for each. The publisher does not
 * wait: a subscriber that is too slow loses messages, and nobody else does. The third subscriber comes late,
 * and its queue holds two messages.
 *
 * Run:     queue_per_subscriber [NAME]
 * Prints:  Subscriber 1: message 1, message 2, message 3, message 4, message 5
 *          Subscriber 2: message 1, message 2, message 3, message 4, message 5
 *          Subscriber 3: message 1, message 2
 *          3 messages were dropped for subscriber 3
 */
#include "example.h"

#define SUBSCRIBERS 3
#define MESSAGES 5
#define LARGEST 64

static const size_t capacities[SUBSCRIBERS] = {MESSAGES, MESSAGES, 2};

/* Receives until the empty message that ends it. */
static int subscribe(unipc_mq *queue, int number) {
  printf("Subscriber %d:", number);
  for (int count = 0;; count++) {
    char text[LARGEST];
    ptrdiff_t n = unipc_mq_receive(queue, text, sizeof text, PATIENCE, NULL);
    if (n < 0) return unipc_error_print("receive", (int)n);
    if (n == 0) break;
    printf("%s %.*s", count == 0 ? "" : ",", (int)n, text);
  }
  printf("\n");
  return 0;
}

/* Sends to all; counts what was dropped for each. */
static int publish(unipc_mq **queues, const char *text, int *dropped) {
  for (int i = 0; i < SUBSCRIBERS; i++) {
    int r = unipc_mq_send(queues[i], text, strlen(text), 0, 0);
    if (r == -EAGAIN) dropped[i]++;
    else if (r < 0) return unipc_error_print("publish", r);
  }
  return 0;
}

static int run(unipc_mq **queues) {
  pid_t children[SUBSCRIBERS];
  int dropped[SUBSCRIBERS] = {0};
  int failed = 0;
  for (int i = 0; i < SUBSCRIBERS - 1; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(subscribe(queues[i], i + 1));
    failed |= children[i] < 0;
  }
  for (int message = 1; message <= MESSAGES; message++) {
    char text[LARGEST];
    snprintf(text, sizeof text, "message %d", message);
    failed |= publish(queues, text, dropped);
  }
  children[SUBSCRIBERS - 1] = example_fork();
  if (children[SUBSCRIBERS - 1] == 0) example_exit(subscribe(queues[SUBSCRIBERS - 1], SUBSCRIBERS));
  /* One after the other, so that their lines come in this order. */
  for (int i = 0; i < SUBSCRIBERS; i++) {
    if (children[i] < 0) return 1;
    int r = unipc_mq_send(queues[i], NULL, 0, 0, PATIENCE);
    if (r < 0) failed = unipc_error_print("end", r);
    failed |= example_wait(children[i]);
  }
  for (int i = 0; i < SUBSCRIBERS; i++) {
    if (dropped[i] > 0) printf("%d messages were dropped for subscriber %d\n", dropped[i], i + 1);
  }
  return failed;
}

int main(int argc, char **argv) {
  unipc_mq *queues[SUBSCRIBERS] = {NULL};
  int failed = 0;
  for (int i = 0; i < SUBSCRIBERS && !failed; i++) {
    char name[128];
    snprintf(name, sizeof name, "%s-%d", example_name(argc, argv, "unipc-subscriber"), i + 1);
    unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
    options.capacity = capacities[i];
    options.largest = LARGEST;
    options.temporary = 1;
    int r = unipc_mq_create(name, &options, &queues[i]);
    if (r < 0) failed = unipc_error_print("queue_per_subscriber", r);
  }
  failed = failed || run(queues);
  for (int i = 0; i < SUBSCRIBERS; i++) unipc_mq_close(queues[i]);
  return failed;
}
