/* A configuration that many processes read and one replaces. Each version is a file of its own, complete before
 * it is renamed over the one before: a reader has the old or the new, never a mixture, and who has mapped the
 * old one keeps it whole.
 *
 * Run:     configuration [PATH]
 * Prints:  3 readers have seen version 50, and no mixture
 */
#include "example.h"

#define READERS 3
#define VERSIONS 50
#define SETTINGS 5000

static int publish(const char *path, int32_t version) {
  char fresh[128];
  snprintf(fresh, sizeof fresh, "%s.new", path);
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = SETTINGS * sizeof version;
  options.unpublished = 1;
  unipc_memory *file;
  int r = unipc_memory_create_file(fresh, &options, &file);
  if (r < 0) return unipc_error_print("publish", r);
  int32_t *settings = (int32_t *)unipc_memory_address(file);
  for (int i = 0; i < SETTINGS; i++) settings[i] = version;
  r = unipc_memory_flush(file, 0, 0, 0); /* after a power failure, too, it is the old or the new */
  if (r == 0) r = unipc_memory_publish(file);
  if (r == 0 && rename(fresh, path) < 0) r = -errno;
  unipc_memory_close(file);
  return r < 0 ? unipc_error_print("publish", r) : 0;
}

/* Reads the configuration there is; its version, or -1 after saying why not. */
static int32_t version_of(const char *path) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = SETTINGS * sizeof(int32_t);
  options.access = UNIPC_READ_ONLY;
  options.wait_for_creator = PATIENCE;
  unipc_memory *file;
  int r = unipc_memory_open_file(path, &options, &file);
  if (r < 0) {
    unipc_error_print("reader", r);
    return -1;
  }
  const int32_t *settings = (const int32_t *)unipc_memory_address(file); /* nobody changes this file */
  int32_t version = settings[0];
  for (int i = 0; i < SETTINGS; i++) {
    if (settings[i] == version) continue;
    fprintf(stderr, "a mixture of versions %d and %d\n", version, settings[i]);
    version = -1;
    break;
  }
  unipc_memory_close(file);
  return version;
}

static int reader(const char *path) {
  int32_t version = 0;
  while (version >= 0 && version < VERSIONS) version = version_of(path);
  return version < 0;
}

int main(int argc, char **argv) {
  const char *path = example_path(argc, argv, "unipc-configuration");
  pid_t children[READERS];
  int failed = 0;
  for (int i = 0; i < READERS; i++) {
    children[i] = example_fork();
    if (children[i] == 0) example_exit(reader(path));
    failed |= children[i] < 0;
  }
  for (int32_t version = 1; version <= VERSIONS && !failed; version++) failed |= publish(path, version);
  for (int i = 0; i < READERS; i++) {
    if (children[i] > 0 && failed) kill(children[i], SIGKILL);
    if (children[i] > 0) failed |= example_wait(children[i]);
  }
  unlink(path);
  if (!failed) printf("%d readers have seen version %d, and no mixture\n", READERS, VERSIONS);
  return failed;
}
