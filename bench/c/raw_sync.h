/* The reference for locks and notices; a part of raw.c. */
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sem.h>

/* ---- Locks ---------------------------------------------------------------------------------------------- */

/* The layout that the library's objects have too: each on cache lines of its own. */
static struct {
  _Alignas(128) pthread_mutex_t lock;
  _Alignas(128) pthread_spinlock_t spinlock;
  _Alignas(128) pthread_rwlock_t rwlock;
  _Alignas(128) pthread_cond_t condition;
  int turns[2];
  _Alignas(128) pthread_barrier_t barrier;
  _Alignas(128) uint64_t number;
  _Alignas(128) sem_t semaphores[2];
} *shared;

static void share(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("mmap", strerror(errno));
}

static enum { MUTEX, SPINLOCK, RWLOCK_READ, RWLOCK_WRITE, FILE_LOCK } kind_of_lock;
static int file;

static void done(const char *what, int result) {
  if (result != 0) fail(what, strerror(result));
}

static void prepare_mutex(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  done("mutex", pthread_mutex_init(&shared->lock, &attributes));
}

static uint64_t *prepare_lock(const char *mechanism) {
  pthread_rwlockattr_t attributes;
  share();
  if (strncmp(mechanism, "spinlock", 8) == 0) {
    kind_of_lock = SPINLOCK;
    done("spinlock", pthread_spin_init(&shared->spinlock, PTHREAD_PROCESS_SHARED));
  } else if (strncmp(mechanism, "rwlock", 6) == 0) {
    kind_of_lock = strcmp(mechanism, "rwlock-read") == 0 ? RWLOCK_READ : RWLOCK_WRITE;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    done("rwlock", pthread_rwlock_init(&shared->rwlock, &attributes));
  } else if (strcmp(mechanism, "file-lock") == 0) {
    kind_of_lock = FILE_LOCK;
    file = need("lock", open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  } else {
    prepare_mutex();
  }
  return &shared->number;
}

static void lock_file(short type) {
  struct flock range = {.l_type = type, .l_whence = SEEK_SET};
  while (fcntl(file, F_OFD_SETLKW, &range) != 0) {
    if (errno != EINTR) fail("fcntl", strerror(errno));
  }
}

INLINED void lock(void) {
  switch (kind_of_lock) {
  case MUTEX: done("lock", pthread_mutex_lock(&shared->lock)); break;
  case SPINLOCK: done("lock", pthread_spin_lock(&shared->spinlock)); break;
  case RWLOCK_READ: done("lock", pthread_rwlock_rdlock(&shared->rwlock)); break;
  case RWLOCK_WRITE: done("lock", pthread_rwlock_wrlock(&shared->rwlock)); break;
  case FILE_LOCK: lock_file(F_WRLCK); break;
  }
}

INLINED void unlock(void) {
  switch (kind_of_lock) {
  case MUTEX: done("unlock", pthread_mutex_unlock(&shared->lock)); break;
  case SPINLOCK: done("unlock", pthread_spin_unlock(&shared->spinlock)); break;
  case RWLOCK_READ:
  case RWLOCK_WRITE: done("unlock", pthread_rwlock_unlock(&shared->rwlock)); break;
  case FILE_LOCK: lock_file(F_UNLCK); break;
  }
}

/* ---- Notices ----------------------------------------------------------------------------------------- */

static sem_t *semaphores[2];

static sem_t *open_named(const char *suffix) {
  char name[64];
  snprintf(name, sizeof name, "/unipc-bench-%d-%s", (int)getpid(), suffix);
  sem_t *semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  if (semaphore == SEM_FAILED) fail("sem_open", strerror(errno));
  sem_unlink(name); /* the peer inherits it */
  return semaphore;
}

/* How one process wakes the other. */
static enum { SEMAPHORE, SYSV_SEMAPHORE, CONDVAR, BARRIER, EVENTFD, SIGNAL } way;
static int counters[2], set;
static sigset_t wanted;

static void prepare_condvar(void) {
  pthread_condattr_t attributes;
  share();
  prepare_mutex();
  pthread_condattr_init(&attributes);
  pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  done("condition variable", pthread_cond_init(&shared->condition, &attributes));
}

static void prepare_barrier(void) {
  pthread_barrierattr_t attributes;
  share();
  pthread_barrierattr_init(&attributes);
  pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  done("barrier", pthread_barrier_init(&shared->barrier, &attributes, 2));
}

/* Nobody but us removes a set. */
static void remove_set(void) {
  semctl(set, 0, IPC_RMID);
}

static void prepare_notices(const char *mechanism) {
  if (strcmp(mechanism, "posix-semaphore") == 0) {
    semaphores[THERE] = open_named("there");
    semaphores[BACK] = open_named("back");
  } else if (strcmp(mechanism, "condvar") == 0) {
    way = CONDVAR;
    prepare_condvar();
  } else if (strcmp(mechanism, "barrier") == 0) {
    way = BARRIER;
    prepare_barrier();
  } else if (strcmp(mechanism, "sysv-semaphore") == 0) {
    way = SYSV_SEMAPHORE;
    set = need("semget", semget(IPC_PRIVATE, 2, 0600)); /* Linux begins with zeros */
    atexit(remove_set);
  } else if (strcmp(mechanism, "semaphore") == 0 || strcmp(mechanism, "event") == 0) {
    share();
    for (int i = THERE; i <= BACK; i++) {
      semaphores[i] = &shared->semaphores[i];
      need("sem_init", sem_init(semaphores[i], 1, 0));
    }
  } else if (strcmp(mechanism, "eventfd") == 0) {
    way = EVENTFD;
    for (int i = THERE; i <= BACK; i++) counters[i] = need("eventfd", eventfd(0, EFD_CLOEXEC));
  } else {
    way = SIGNAL;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGRTMIN);
    need("sigprocmask", sigprocmask(SIG_BLOCK, &wanted, NULL));
  }
}

static void operate(int which, short change) {
  struct sembuf operation = {.sem_num = (unsigned short)which, .sem_op = change};
  while (semop(set, &operation, 1) != 0) {
    if (errno != EINTR) fail("semop", strerror(errno));
  }
}

/* The last of the two tells which of them it was. */
static void meet(void) {
  int r = pthread_barrier_wait(&shared->barrier);
  if (r != PTHREAD_BARRIER_SERIAL_THREAD) done("barrier", r);
}

static void post_otherwise(int which) {
  uint64_t one = 1;
  if (way == SYSV_SEMAPHORE) {
    operate(which, 1);
  } else if (way == CONDVAR) {
    done("lock", pthread_mutex_lock(&shared->lock));
    shared->turns[which] = 1;
    done("signal", pthread_cond_signal(&shared->condition));
    done("unlock", pthread_mutex_unlock(&shared->lock));
  } else if (way == BARRIER) {
    meet();
  } else if (way == EVENTFD) {
    while (write(counters[which], &one, sizeof one) != sizeof one) {
      if (errno != EINTR) fail("eventfd", strerror(errno));
    }
  } else if (sigqueue(other_process, SIGRTMIN, (union sigval){.sival_int = 1}) != 0) {
    fail("sigqueue", strerror(errno));
  }
}

static void take_otherwise(int which) {
  uint64_t value;
  siginfo_t information;
  if (way == SYSV_SEMAPHORE) {
    operate(which, -1);
    return;
  }
  if (way == CONDVAR) {
    done("lock", pthread_mutex_lock(&shared->lock));
    while (!shared->turns[which]) done("wait", pthread_cond_wait(&shared->condition, &shared->lock));
    shared->turns[which] = 0;
    done("unlock", pthread_mutex_unlock(&shared->lock));
    return;
  }
  if (way == BARRIER) {
    meet();
    return;
  }
  if (way == EVENTFD) {
    while (read(counters[which], &value, sizeof value) != sizeof value) {
      if (errno != EINTR) fail("eventfd", strerror(errno));
    }
    return;
  }
  while (sigwaitinfo(&wanted, &information) < 0) {
    if (errno != EINTR) fail("sigwaitinfo", strerror(errno));
  }
  if (information.si_value.sival_int != 1) fail("signal", "another value");
}

INLINED void post(int which) {
  if (way != SEMAPHORE) {
    post_otherwise(which);
  } else if (sem_post(semaphores[which]) != 0) {
    fail("sem_post", strerror(errno));
  }
}

INLINED void take(int which) {
  if (way != SEMAPHORE) {
    take_otherwise(which);
    return;
  }
  while (sem_wait(semaphores[which]) != 0) {
    if (errno != EINTR) fail("sem_wait", strerror(errno));
  }
}
