/* Locks and notices by the C ABI; a part of capi.c. */
/* ---- Locks ---------------------------------------------------------------------------------------------- */

/* Zero bytes are a valid mutex and semaphores of value 0, so nothing here needs init. */
static struct {
  _Alignas(128) unipc_mutex lock;
  _Alignas(128) unipc_spinlock spinlock;
  _Alignas(128) unipc_rwlock rwlock;
  _Alignas(128) unipc_condvar condition;
  int turns[2];
  _Alignas(128) unipc_barrier barrier;
  _Alignas(128) unipc_event events[2];
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

static enum { MUTEX, SPINLOCK, RWLOCK_READ, RWLOCK_WRITE, FILE_LOCK } kind_of_lock;
static unipc_file_lock *file;

static uint64_t *prepare_lock(const char *mechanism) {
  share();
  if (strncmp(mechanism, "spinlock", 8) == 0) {
    kind_of_lock = SPINLOCK;
  } else if (strncmp(mechanism, "rwlock", 6) == 0) {
    kind_of_lock = strcmp(mechanism, "rwlock-read") == 0 ? RWLOCK_READ : RWLOCK_WRITE;
  } else if (strcmp(mechanism, "file-lock") == 0) {
    kind_of_lock = FILE_LOCK;
    need("lock", unipc_file_lock_open_or_create("lock", NULL, &file));
  }
  return &shared->number;
}

INLINED void lock(void) {
  switch (kind_of_lock) {
  case MUTEX: need("lock", unipc_mutex_lock(&shared->lock, UNIPC_FOREVER)); break;
  case SPINLOCK: need("lock", unipc_spinlock_lock(&shared->spinlock, UNIPC_FOREVER)); break;
  case RWLOCK_READ: need("lock", unipc_rwlock_read_lock(&shared->rwlock, UNIPC_FOREVER)); break;
  case RWLOCK_WRITE: need("lock", unipc_rwlock_write_lock(&shared->rwlock, UNIPC_FOREVER)); break;
  case FILE_LOCK: need("lock", unipc_file_lock_lock(file, UNIPC_FILE_LOCK_EXCLUSIVE, 0, 0, UNIPC_FOREVER)); break;
  }
}

INLINED void unlock(void) {
  switch (kind_of_lock) {
  case MUTEX: need("unlock", unipc_mutex_unlock(&shared->lock)); break;
  case SPINLOCK: need("unlock", unipc_spinlock_unlock(&shared->spinlock)); break;
  case RWLOCK_READ:
  case RWLOCK_WRITE: need("unlock", unipc_rwlock_unlock(&shared->rwlock)); break;
  case FILE_LOCK: need("unlock", unipc_file_lock_unlock(file, 0, 0)); break;
  }
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
static enum { SEMAPHORE, NAMED, SYSV_SEMAPHORE, EVENT, CONDVAR, BARRIER, EVENTFD, SIGNAL } way;
static unipc_sysv_semaphores *set;
static unipc_eventfd *counters[2];
static int number;

/* A temporary one goes when its creator closes it. */
static void remove_set(void) {
  unipc_sysv_semaphores_close(set);
}

static void prepare_set(void) {
  unipc_sysv_semaphores_options options = UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT;
  options.count = 2;
  options.temporary = 1;
  need("create", unipc_sysv_semaphores_create_private(&options, &set));
  atexit(remove_set);
}

static void prepare_events(void) {
  unipc_event_options options = UNIPC_EVENT_OPTIONS_INIT;
  share();
  options.flags = UNIPC_EVENT_AUTOMATIC_RESET;
  for (int i = THERE; i <= BACK; i++) need("event", unipc_event_init(&shared->events[i], &options));
}

static int nobody_has_posted(void *turn) {
  return !*(int *)turn;
}

static void wait_for_turn(int *turn) {
  need("lock", unipc_mutex_lock(&shared->lock, UNIPC_FOREVER));
  need("wait", unipc_condvar_wait_while(&shared->condition, &shared->lock, nobody_has_posted, turn, UNIPC_FOREVER));
  *turn = 0;
  need("unlock", unipc_mutex_unlock(&shared->lock));
}

static void give_turn(int *turn) {
  need("lock", unipc_mutex_lock(&shared->lock, UNIPC_FOREVER));
  *turn = 1;
  need("notify", unipc_condvar_notify_one(&shared->condition));
  need("unlock", unipc_mutex_unlock(&shared->lock));
}

static void prepare_notices(const char *mechanism) {
  if (strcmp(mechanism, "posix-semaphore") == 0) {
    way = NAMED;
    named[THERE] = open_named("there");
    named[BACK] = open_named("back");
  } else if (strcmp(mechanism, "sysv-semaphore") == 0) {
    way = SYSV_SEMAPHORE;
    prepare_set();
  } else if (strcmp(mechanism, "event") == 0) {
    way = EVENT;
    prepare_events();
  } else if (strcmp(mechanism, "condvar") == 0) {
    way = CONDVAR;
    share();
  } else if (strcmp(mechanism, "barrier") == 0) {
    way = BARRIER;
    share();
    need("barrier", unipc_barrier_init(&shared->barrier, 2));
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

INLINED void post(int which) {
  switch (way) {
  case SEMAPHORE: need("post", unipc_semaphore_post(&shared->semaphores[which])); break;
  case NAMED: need("post", unipc_posix_semaphore_post(named[which])); break;
  case SYSV_SEMAPHORE: need("post", unipc_sysv_semaphores_post(set, (uint32_t)which, 0)); break;
  case EVENT: need("set", unipc_event_set(&shared->events[which])); break;
  case CONDVAR: give_turn(&shared->turns[which]); break;
  case BARRIER: need("wait", unipc_barrier_wait(&shared->barrier, UNIPC_FOREVER)); break;
  case EVENTFD: need("add", unipc_eventfd_add(counters[which], 1, UNIPC_FOREVER)); break;
  case SIGNAL: need("queue", unipc_signal_queue(other_process, number, 1)); break;
  }
}

INLINED void take(int which) {
  switch (way) {
  case SEMAPHORE: need("wait", unipc_semaphore_wait(&shared->semaphores[which], UNIPC_FOREVER)); break;
  case NAMED: need("wait", unipc_posix_semaphore_wait(named[which], UNIPC_FOREVER)); break;
  case SYSV_SEMAPHORE: need("wait", unipc_sysv_semaphores_wait(set, (uint32_t)which, 0, UNIPC_FOREVER)); break;
  case EVENT: need("wait", unipc_event_wait(&shared->events[which], UNIPC_FOREVER)); break;
  case CONDVAR: wait_for_turn(&shared->turns[which]); break;
  case BARRIER: need("wait", unipc_barrier_wait(&shared->barrier, UNIPC_FOREVER)); break;
  case EVENTFD: need("take", unipc_eventfd_take(counters[which], UNIPC_FOREVER, NULL)); break;
  case SIGNAL: need("take", unipc_signal_take(&number, 1, UNIPC_FOREVER, NULL)); break;
  }
}
