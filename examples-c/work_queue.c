/* One producer gives a thousand jobs to four workers through a POSIX message queue: each job goes to exactly one.
 *
 * The queue holds ten jobs: a producer that is ahead waits. The last message for each worker is an empty one of
 * the lowest priority, which nobody receives while there is a job left. What was done is counted in shared
 * memory, a counter for each job.
 *
 * Run:     work_queue [NAME]
 * Prints:  1000 jobs by 4 workers: each was done once
 */
#include "example.h"

#define JOBS 1000
#define WORKERS 4
#define URGENCY 5

static int produce(unipc_mq *queue) {
  for (uint32_t job = 0; job < JOBS; job++) {
    int r = unipc_mq_send(queue, &job, sizeof job, URGENCY, PATIENCE);
    if (r < 0) return unipc_error_print("send", r);
  }
  for (int worker = 0; worker < WORKERS; worker++) {
    int r = unipc_mq_send(queue, NULL, 0, 0, PATIENCE);
    if (r < 0) return unipc_error_print("send", r);
  }
  return 0;
}

static int work(unipc_mq *queue, unipc_memory *done) {
  for (;;) {
    uint32_t job;
    ptrdiff_t n = unipc_mq_receive(queue, &job, sizeof job, PATIENCE, NULL);
    if (n < 0) return unipc_error_print("receive", (int)n);
    if (n == 0) return 0;
    if (n != sizeof job || job >= JOBS) return unipc_error_print("job", -EBADMSG);
    uint32_t *counters = (uint32_t *)unipc_memory_address(done);
    __atomic_fetch_add(&counters[job], 1, __ATOMIC_RELAXED);
  }
}

static int report(unipc_memory *done) {
  const uint32_t *counters = (const uint32_t *)unipc_memory_address(done);
  for (int job = 0; job < JOBS; job++) {
    if (counters[job] == 1) continue;
    fprintf(stderr, "job %d was done %u times\n", job, (unsigned)counters[job]);
    return 1;
  }
  printf("%d jobs by %d workers: each was done once\n", JOBS, WORKERS);
  return 0;
}

static int run(unipc_mq *queue, unipc_memory *done) {
  pid_t workers[WORKERS];
  int failed = 0;
  for (int worker = 0; worker < WORKERS; worker++) {
    workers[worker] = example_fork();
    if (workers[worker] == 0) example_exit(work(queue, done));
    failed |= workers[worker] < 0;
  }
  failed |= produce(queue);
  for (int worker = 0; worker < WORKERS; worker++) {
    if (workers[worker] > 0) failed |= example_wait(workers[worker]);
  }
  return failed || report(done);
}

int main(int argc, char **argv) {
  unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
  options.capacity = 10;
  options.largest = sizeof(uint32_t);
  options.temporary = 1;
  unipc_mq *queue;
  int r = unipc_mq_create(example_name(argc, argv, "unipc-jobs"), &options, &queue);
  if (r < 0) return unipc_error_print("work_queue", r);
  unipc_memory_options size = UNIPC_MEMORY_OPTIONS_INIT;
  size.size = JOBS * sizeof(uint32_t);
  unipc_memory *done;
  r = unipc_memory_create_anonymous(&size, &done);
  int failed = r < 0 ? unipc_error_print("work_queue", r) : run(queue, done);
  unipc_memory_close(done);
  unipc_mq_close(queue);
  return failed;
}
