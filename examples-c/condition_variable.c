/* A producer and a consumer hand items over through shared memory, and sleep instead of polling: a condition
 * variable says when the buffer is READY, another when it was PROCESSED.
 *
 * The state is looked at and changed under the mutex, and who changes it notifies before it unlocks. So no
 * change falls between a look and a sleep, and nobody waits for one that has died.
 *
 * Run:     condition_variable [ITEMS]
 * Prints:  each item as READY and PROCESSED, and how many times the buffer went round
 */
#include "example.h"

enum { EMPTY, READY, PROCESSED };

struct shared {
  unipc_mutex lock;
  unipc_condvar ready, processed;
  int state;
  long item, square;
};

static int is_not_ready(void *shared) { return ((struct shared *)shared)->state != READY; }
static int is_not_processed(void *shared) { return ((struct shared *)shared)->state != PROCESSED; }

/* Waits until the other side has done its part; 0, or 1 after saying why not. The mutex is held. */
static int await(struct shared *shared, unipc_condvar *changed, int (*is_not_yet)(void *)) {
  int r = unipc_condvar_wait_while(changed, &shared->lock, is_not_yet, shared, PATIENCE);
  if (r == UNIPC_NEEDS_REPAIR) r = -EOWNERDEAD; /* the other side died in the middle of a change: this one gives up */
  return r < 0 ? unipc_error_print("wait", r) : 0;
}

/* Under the mutex: change, then notify. */
static int announce(struct shared *shared, unipc_condvar *changed, int state) {
  shared->state = state;
  int r = unipc_condvar_notify_one(changed);
  return r < 0 ? unipc_error_print("notify", r) : 0;
}

static int with_lock(struct shared *shared, int (*work)(struct shared *, long), long argument) {
  int r = unipc_mutex_lock(&shared->lock, PATIENCE);
  if (r < 0) return unipc_error_print("lock", r);
  int failed = work(shared, argument);
  r = unipc_mutex_unlock(&shared->lock);
  return r < 0 ? unipc_error_print("unlock", r) : failed;
}

static int consume(struct shared *shared, long items) {
  for (long i = 0; i < items; i++) {
    if (await(shared, &shared->ready, is_not_ready) != 0) return 1;
    shared->square = shared->item * shared->item;
    if (announce(shared, &shared->processed, PROCESSED) != 0) return 1;
  }
  return 0;
}

static int produce(struct shared *shared, long items) {
  for (long item = 1; item <= items; item++) {
    shared->item = item;
    if (announce(shared, &shared->ready, READY) != 0) return 1;
    if (item <= 3) printf("READY: %ld\n", item);
    if (await(shared, &shared->processed, is_not_processed) != 0) return 1;
    if (shared->square != item * item) return unipc_error_print("processed", -EBADMSG);
    if (item <= 3) printf("PROCESSED: %ld\n", shared->square);
  }
  printf("%ld items, none lost\n", items);
  return 0;
}

int main(int argc, char **argv) {
  long items = argc == 2 ? example_number(argv[1], 1, 10000000) : 1000;
  if (argc > 2 || items < 0) {
    fprintf(stderr, "usage: condition_variable [ITEMS]\n");
    return 2;
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  unipc_memory *memory;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  struct shared *shared = (struct shared *)unipc_memory_address(memory); /* zero bytes: nothing to initialise */
  pid_t consumer = example_fork();
  if (consumer == 0) example_exit(with_lock(shared, consume, items));
  int failed = consumer < 0 || with_lock(shared, produce, items);
  if (consumer > 0) failed |= example_wait(consumer);
  unipc_memory_close(memory);
  return failed;
}
