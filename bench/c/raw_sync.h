/* The reference for locks and notices; a part of raw.c. */
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

/* ---- Locks ---------------------------------------------------------------------------------------------- */

/* The layout that the library's objects have too: each on cache lines of its own. */
static struct {
  _Alignas(128) pthread_mutex_t lock;
  _Alignas(128) uint64_t number;
  _Alignas(128) sem_t semaphores[2];
} *shared;

static void share(void) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("mmap", strerror(errno));
}

static uint64_t *prepare_lock(const char *mechanism) {
  (void)mechanism;
  pthread_mutexattr_t attributes;
  share();
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  int r = pthread_mutex_init(&shared->lock, &attributes);
  if (r != 0) fail("mutex", strerror(r));
  return &shared->number;
}

static void lock(void) {
  int r = pthread_mutex_lock(&shared->lock);
  if (r != 0) fail("lock", strerror(r));
}

static void unlock(void) {
  int r = pthread_mutex_unlock(&shared->lock);
  if (r != 0) fail("unlock", strerror(r));
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
static enum { SEMAPHORE, EVENTFD, SIGNAL } way;
static int counters[2];
static sigset_t wanted;

static void prepare_notices(const char *mechanism) {
  if (strcmp(mechanism, "posix-semaphore") == 0) {
    semaphores[THERE] = open_named("there");
    semaphores[BACK] = open_named("back");
  } else if (strcmp(mechanism, "semaphore") == 0) {
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

static void post_otherwise(int which) {
  uint64_t one = 1;
  if (way == EVENTFD) {
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

static void post(int which) {
  if (way != SEMAPHORE) {
    post_otherwise(which);
  } else if (sem_post(semaphores[which]) != 0) {
    fail("sem_post", strerror(errno));
  }
}

static void take(int which) {
  if (way != SEMAPHORE) {
    take_otherwise(which);
    return;
  }
  while (sem_wait(semaphores[which]) != 0) {
    if (errno != EINTR) fail("sem_wait", strerror(errno));
  }
}
