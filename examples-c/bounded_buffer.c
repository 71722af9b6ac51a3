/* Several producers and consumers share a buffer of ten places, kept by three semaphores: how many places are free,
 * how many are full, and one whose only unit lets one process at a time change the buffer.
 *
 * The order matters: first a place, then the buffer. The other way round a producer that finds no place free would
 * hold the buffer for ever.
 *
 * Run:     bounded_buffer
 * Prints:  3 producers, 3 consumers, 9000 items: each was consumed once
 */
#include "example.h"

#define PLACES 10
#define PRODUCERS 3
#define CONSUMERS 3
#define EACH 3000
#define ITEMS (PRODUCERS * EACH)

struct shared {
  unipc_semaphore free_places, full_places, buffer;
  uint32_t items[PLACES], first, count;
  uint8_t consumed[ITEMS];
};

static int take(unipc_semaphore *first, struct shared *shared) {
  int r = unipc_semaphore_wait(first, PATIENCE);
  if (r >= 0) r = unipc_semaphore_wait(&shared->buffer, PATIENCE);
  return r < 0 ? unipc_error_print("wait", r) : 0;
}

static int give(unipc_semaphore *last, struct shared *shared) {
  int r = unipc_semaphore_post(&shared->buffer);
  if (r >= 0) r = unipc_semaphore_post(last);
  return r < 0 ? unipc_error_print("post", r) : 0;
}

static int produce(struct shared *shared, uint32_t producer) {
  for (uint32_t i = 0; i < EACH; i++) {
    if (take(&shared->free_places, shared) != 0) return 1;
    shared->items[(shared->first + shared->count) % PLACES] = producer * EACH + i;
    shared->count++;
    if (give(&shared->full_places, shared) != 0) return 1;
  }
  return 0;
}

static int consume(struct shared *shared) {
  for (uint32_t i = 0; i < ITEMS / CONSUMERS; i++) {
    if (take(&shared->full_places, shared) != 0) return 1;
    uint32_t item = shared->items[shared->first];
    shared->first = (shared->first + 1) % PLACES;
    shared->count--;
    if (item < ITEMS) shared->consumed[item]++;
    if (give(&shared->free_places, shared) != 0) return 1;
  }
  return 0;
}

static int run(struct shared *shared) {
  pid_t children[PRODUCERS + CONSUMERS];
  int failed = 0;
  for (uint32_t i = 0; i < PRODUCERS + CONSUMERS; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(i < PRODUCERS ? produce(shared, i) : consume(shared));
    failed |= children[i] < 0;
  }
  for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  for (int i = 0; i < ITEMS; i++) {
    if (shared->consumed[i] == 1) continue;
    fprintf(stderr, "item %d was consumed %d times\n", i, shared->consumed[i]);
    return 1;
  }
  printf("%d producers, %d consumers, %d items: each was consumed once\n", PRODUCERS, CONSUMERS, ITEMS);
  return failed;
}

int main(void) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  unipc_memory *memory;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  struct shared *shared = (struct shared *)unipc_memory_address(memory);
  unipc_semaphore_options places = UNIPC_SEMAPHORE_OPTIONS_INIT, one = UNIPC_SEMAPHORE_OPTIONS_INIT;
  places.value = PLACES;
  one.value = 1;
  r = unipc_semaphore_init(&shared->free_places, &places); /* no place is full: zero bytes say so */
  if (r >= 0) r = unipc_semaphore_init(&shared->buffer, &one);
  int failed = r < 0 ? unipc_error_print("semaphores", r) : run(shared);
  unipc_memory_close(memory);
  return failed;
}
