/* Many processes read a table in shared memory, few change it: a reader-writer lock lets the readers in together,
 * and each writer alone.
 *
 * With --kill-writer one more writer dies in the middle of a change. Whoever comes next, reader or writer, gets the
 * whole lock, is told, and makes the table whole again from the last complete version. With --kill-reader a
 * reader dies inside: it has changed nothing, and its share comes back by itself.
 *
 * Run:     reader_writer_lock [--kill-writer] [--kill-reader]
 * Prints:  how many versions were written, and that no reader saw half of one
 */
#include "example.h"

#define ENTRIES 16
#define READERS 4
#define WRITERS 2
#define ROUNDS 2000

struct shared {
  unipc_rwlock lock;
  unipc_semaphore start; /* nobody begins before all are there */
  long version;          /* the last complete one: every entry has its number */
  long entries[ENTRIES];
  long repairs;
};

/* The lock is held exclusively after a writer's death. */
static int repair(struct shared *shared) {
  for (int i = 0; i < ENTRIES; i++) shared->entries[i] = shared->version;
  shared->repairs++;
  int r = unipc_rwlock_mark_consistent(&shared->lock);
  return r < 0 ? unipc_error_print("repair", r) : 0;
}

static int unlock(struct shared *shared) {
  int r = unipc_rwlock_unlock(&shared->lock);
  return r < 0 ? unipc_error_print("unlock", r) : 0;
}

static int read_once(struct shared *shared) {
  int r = unipc_rwlock_read_lock_recover(&shared->lock, PATIENCE);
  if (r < 0) return unipc_error_print("read-lock", r);
  if (r == UNIPC_NEEDS_REPAIR && repair(shared) != 0) return 1;
  for (int i = 0; i < ENTRIES; i++) {
    if (shared->entries[i] != shared->version) return unipc_error_print("half a version", -EBADMSG);
  }
  return unlock(shared);
}

static int write_once(struct shared *shared, int dies) {
  int r = unipc_rwlock_write_lock_recover(&shared->lock, PATIENCE);
  if (r < 0) return unipc_error_print("write-lock", r);
  if (r == UNIPC_NEEDS_REPAIR && repair(shared) != 0) return 1;
  for (int i = 0; i < ENTRIES; i++) {
    if (dies && i == ENTRIES / 2) kill(getpid(), SIGKILL);
    shared->entries[i] = shared->version + 1;
  }
  shared->version++;
  return unlock(shared);
}

static int read_and_die(struct shared *shared) {
  int r = unipc_rwlock_read_lock_recover(&shared->lock, PATIENCE);
  if (r < 0) return unipc_error_print("read-lock", r);
  if (r == UNIPC_NEEDS_REPAIR && repair(shared) != 0) return 1;
  if (r == UNIPC_NEEDS_REPAIR && (unlock(shared) || unipc_rwlock_read_lock(&shared->lock, PATIENCE) < 0)) return 1;
  kill(getpid(), SIGKILL);
  return 1;
}

static int work(struct shared *shared, int writes) {
  int r = unipc_semaphore_wait(&shared->start, PATIENCE);
  if (r < 0) return unipc_error_print("start", r);
  for (int i = 0; i < ROUNDS; i++) {
    if (writes ? write_once(shared, 0) : read_once(shared)) return 1;
  }
  return 0;
}

/* Waits for a process that is to be killed, and for nothing else. */
static int wait_killed(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return 0;
  fprintf(stderr, "the process that was to die inside ended otherwise\n");
  return 1;
}

static int run(struct shared *shared, int kill_writer, int kill_reader) {
  pid_t children[READERS + WRITERS], writer = 0, reader = 0;
  int failed = 0;
  for (int i = 0; i < READERS + WRITERS; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(work(shared, i < WRITERS));
    failed |= children[i] < 0;
  }
  if (kill_writer && (writer = example_fork()) == 0) example_exit(write_once(shared, 1));
  if (kill_reader && (reader = example_fork()) == 0) example_exit(read_and_die(shared));
  for (int i = 0; i < READERS + WRITERS; i++) failed |= unipc_semaphore_post(&shared->start) < 0;
  for (int i = 0; i < READERS + WRITERS; i++) {
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  if (kill_writer) failed |= wait_killed(writer);
  if (kill_reader) failed |= wait_killed(reader);
  failed |= read_once(shared); /* repairs, if nobody came after the one that died */
  printf("%ld versions written, no reader saw half of one\n", shared->version);
  if (kill_writer) printf("Repairs after a killed writer: %ld\n", shared->repairs);
  if (kill_reader && !kill_writer) printf("Repairs after a killed reader: %ld\n", shared->repairs);
  return failed;
}

int main(int argc, char **argv) {
  int kill_writer = 0, kill_reader = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--kill-writer") == 0) kill_writer = 1;
    else if (strcmp(argv[i], "--kill-reader") == 0) kill_reader = 1;
    else {
      fprintf(stderr, "usage: reader_writer_lock [--kill-writer] [--kill-reader]\n");
      return 2;
    }
  }
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  unipc_memory *memory;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  int failed = run((struct shared *)unipc_memory_address(memory), kill_writer, kill_reader);
  unipc_memory_close(memory);
  return failed;
}
