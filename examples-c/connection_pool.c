/* A pool of five connections, counted by a semaphore in shared memory that knows its holders.
 *
 * Five processes acquire a connection, and the sixth waits. One holder is killed: with
 * UNIPC_SEMAPHORE_RECOVER its place comes back by itself, and the sixth goes on. (A named semaphore cannot
 * do that: its place would be lost for ever.)
 *
 * Run:     connection_pool
 * Prints:  Connection acquired, five times; then what becomes of the sixth, and what is free at the end
 */
#include "example.h"

#define POOL 5

struct shared {
  unipc_semaphore connections;
  unipc_semaphore reported; /* a child has done what it was started for */
  unipc_semaphore finish;   /* a holder may give its connection back */
};

static int finish(struct shared *shared) {
  int r = unipc_semaphore_wait(&shared->finish, PATIENCE);
  if (r == 0) r = unipc_semaphore_post(&shared->connections);
  return r < 0 ? unipc_error_print("give back", r) : 0;
}

static int hold(struct shared *shared) {
  int r = unipc_semaphore_wait(&shared->connections, PATIENCE);
  if (r < 0) return unipc_error_print("acquire", r);
  printf("Connection acquired\n");
  fflush(stdout);
  r = unipc_semaphore_post(&shared->reported);
  return r < 0 ? unipc_error_print("report", r) : finish(shared);
}

static int sixth(struct shared *shared) {
  int r = unipc_semaphore_try_wait(&shared->connections);
  if (r != -EAGAIN) return unipc_error_print("the sixth was to find none free", r);
  printf("The sixth waits\n");
  fflush(stdout);
  r = unipc_semaphore_post(&shared->reported);
  if (r == 0) r = unipc_semaphore_wait(&shared->connections, PATIENCE);
  if (r < 0) return unipc_error_print("the sixth", r);
  printf("Connection acquired by the sixth, after a holder was killed\n");
  fflush(stdout);
  r = unipc_semaphore_post(&shared->reported);
  return r < 0 ? unipc_error_print("report", r) : finish(shared);
}

/* Waits until a child has come as far as it was to. */
static int wait_for_report(struct shared *shared) {
  int r = unipc_semaphore_wait(&shared->reported, PATIENCE);
  return r < 0 ? unipc_error_print("a child did not report", r) : 0;
}

static int start(struct shared *shared, int (*role)(struct shared *), pid_t *pid) {
  *pid = example_fork();
  if (*pid == 0) example_exit(role(shared));
  return *pid < 0 || wait_for_report(shared);
}

/* Kills a holder; 0 if that is how it ended. */
static int kill_holder(pid_t holder) {
  int status;
  if (kill(holder, SIGKILL) < 0 || waitpid(holder, &status, 0) != holder) {
    perror("kill");
    return 1;
  }
  return !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static int run(struct shared *shared) {
  pid_t children[POOL + 1];
  unipc_semaphore_options pool = UNIPC_SEMAPHORE_OPTIONS_INIT;
  pool.value = POOL;
  pool.flags = UNIPC_SEMAPHORE_RECOVER;
  int r = unipc_semaphore_init(&shared->connections, &pool); /* the others begin at 0, as zero bytes do */
  if (r < 0) return unipc_error_print("pool", r);

  int failed = 0;
  for (int i = 0; i <= POOL; i++) failed |= start(shared, i < POOL ? hold : sixth, &children[i]);
  failed |= children[0] < 0 || kill_holder(children[0]) || wait_for_report(shared); /* the sixth */
  for (int i = 1; i <= POOL; i++) {
    r = unipc_semaphore_post(&shared->finish);
    if (r < 0) failed = unipc_error_print("finish", r);
  }
  for (int i = 1; i <= POOL; i++) failed |= children[i] < 0 || example_wait(children[i]);
  printf("Free at the end: %d\n", unipc_semaphore_value(&shared->connections));
  return failed;
}

int main(void) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(struct shared);
  unipc_memory *memory;
  int r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  int failed = run((struct shared *)unipc_memory_address(memory));
  unipc_memory_close(memory);
  return failed;
}
