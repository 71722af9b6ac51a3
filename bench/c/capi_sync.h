/* Locks and notices by the C ABI; a part of capi.c. */
/* ---- Locks ---------------------------------------------------------------------------------------------- */

/* Zero bytes are a valid mutex and semaphores of value 0, so nothing here needs init. */
static struct {
  _Alignas(128) unipc_mutex lock;
  _Alignas(128) uint64_t number;
  _Alignas(128) unipc_semaphore semaphores[2];
} *shared;

static void share(void) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof *shared;
  unipc_memory *memory;
  need("memory", unipc_memory_create_anonymous(&options, &memory));
  shared = unipc_memory_address(memory);
}

static uint64_t *prepare_lock(const char *mechanism) {
  (void)mechanism;
  share();
  return &shared->number;
}

static void lock(void) {
  need("lock", unipc_mutex_lock(&shared->lock, UNIPC_FOREVER));
}

static void unlock(void) {
  need("unlock", unipc_mutex_unlock(&shared->lock));
}

/* ---- Notices ----------------------------------------------------------------------------------------- */

static unipc_posix_semaphore *named[2];

static unipc_posix_semaphore *open_named(const char *suffix) {
  char name[64];
  unipc_posix_semaphore *semaphore;
  snprintf(name, sizeof name, "unipc-bench-%d-%s", (int)getpid(), suffix);
  need("create", unipc_posix_semaphore_create(name, NULL, &semaphore));
  need("unlink", unipc_posix_semaphore_unlink(name)); /* the peer inherits it */
  return semaphore;
}

/* How one process wakes the other. */
static enum { SEMAPHORE, NAMED, EVENTFD, SIGNAL } way;
static unipc_eventfd *counters[2];
static int number;

static void prepare_notices(const char *mechanism) {
  if (strcmp(mechanism, "posix-semaphore") == 0) {
    way = NAMED;
    named[THERE] = open_named("there");
    named[BACK] = open_named("back");
  } else if (strcmp(mechanism, "semaphore") == 0) {
    share();
  } else if (strcmp(mechanism, "eventfd") == 0) {
    way = EVENTFD;
    for (int i = THERE; i <= BACK; i++) need("eventfd", unipc_eventfd_create(NULL, &counters[i]));
  } else {
    /* Blocked from here on, so no signal comes too early. The peer, which cannot use the parent's handle, takes them without one. */
    unipc_signal_block *block;
    way = SIGNAL;
    number = SIGRTMIN;
    need("block", unipc_signal_block_create(&number, 1, &block));
  }
}

static void post(int which) {
  switch (way) {
  case SEMAPHORE: need("post", unipc_semaphore_post(&shared->semaphores[which])); break;
  case NAMED: need("post", unipc_posix_semaphore_post(named[which])); break;
  case EVENTFD: need("add", unipc_eventfd_add(counters[which], 1, UNIPC_FOREVER)); break;
  case SIGNAL: need("queue", unipc_signal_queue(other_process, number, 1)); break;
  }
}

static void take(int which) {
  switch (way) {
  case SEMAPHORE: need("wait", unipc_semaphore_wait(&shared->semaphores[which], UNIPC_FOREVER)); break;
  case NAMED: need("wait", unipc_posix_semaphore_wait(named[which], UNIPC_FOREVER)); break;
  case EVENTFD: need("take", unipc_eventfd_take(counters[which], UNIPC_FOREVER, NULL)); break;
  case SIGNAL: need("take", unipc_signal_take(&number, 1, UNIPC_FOREVER, NULL)); break;
  }
}
