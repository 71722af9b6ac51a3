/* A named semaphore guards a counter in a mapped file. Each process opens both by name, as unrelated programs
 * would, and flushes before it lets the next one in: what is on the disk is never ahead of what was counted.
 *
 * A holder that is killed keeps the semaphore for ever; where that matters, a mutex in the memory tells the next
 * one.
 *
 * Run:     guarded_file [PATH]    the name of the semaphore is the last part of PATH
 * Prints:  4 processes x 250 increments = 1000, in the file: 1000
 */
#include "example.h"

#define PROCESSES 4
#define INCREMENTS 250

static int add(volatile int64_t *counter, const unipc_memory *file, unipc_posix_semaphore *guard) {
  for (int i = 0; i < INCREMENTS; i++) {
    int r = unipc_posix_semaphore_wait(guard, PATIENCE);
    if (r < 0) return unipc_error_print("wait", r);
    *counter = *counter + 1;
    int flushed = unipc_memory_flush(file, 0, sizeof *counter, 0);
    r = unipc_posix_semaphore_post(guard);
    if (r == 0) r = flushed;
    if (r < 0) return unipc_error_print("count", r);
  }
  return 0;
}

static int work(const char *path, const char *name) {
  unipc_memory_options least = UNIPC_MEMORY_OPTIONS_INIT;
  least.size = sizeof(int64_t);
  unipc_memory *file;
  unipc_posix_semaphore *guard;
  int r = unipc_memory_open_file(path, &least, &file);
  if (r < 0) return unipc_error_print("guarded_file", r);
  r = unipc_posix_semaphore_open(name, NULL, &guard);
  int failed = r < 0 ? unipc_error_print("guarded_file", r)
                     : add((volatile int64_t *)unipc_memory_address(file), file, guard);
  unipc_posix_semaphore_close(guard);
  unipc_memory_close(file);
  return failed;
}

static int run(const char *path, const char *name, const unipc_memory *file) {
  pid_t children[PROCESSES];
  int failed = 0;
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(work(path, name));
    failed |= children[i] < 0;
  }
  for (int i = 0; i < PROCESSES; i++) {
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  int64_t stored = 0, counted = *(volatile int64_t *)unipc_memory_address(file);
  FILE *plain = fopen(path, "rbe"); /* a program that maps nothing reads the same */
  if (plain == NULL || fread(&stored, sizeof stored, 1, plain) != 1) {
    perror(path);
    failed = 1;
  }
  if (plain != NULL) fclose(plain);
  printf("%d processes x %d increments = %lld, in the file: %lld\n", PROCESSES, INCREMENTS, (long long)counted,
         (long long)stored);
  return failed;
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-guarded");
  const char *slash = strrchr(path, '/');
  const char *name = slash != NULL ? slash + 1 : path;
  unipc_memory_options size = UNIPC_MEMORY_OPTIONS_INIT;
  size.size = sizeof(int64_t);
  size.temporary = 1;
  unipc_posix_semaphore_options one = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  one.value = 1;
  one.temporary = 1;
  unipc_memory *file;
  unipc_posix_semaphore *guard;
  int r = unipc_memory_create_file(path, &size, &file);
  if (r < 0) return unipc_error_print("guarded_file", r);
  r = unipc_posix_semaphore_create(name, &one, &guard);
  int failed = r < 0 ? unipc_error_print("guarded_file", r) : run(path, name, file);
  unipc_posix_semaphore_close(guard);
  unipc_memory_close(file);
  return failed;
}
