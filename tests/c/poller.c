/* A poller among threads and processes: wake-ups from a handler, removal in the middle of an array, a child that is refused, and what strangers do to System V
   objects; with plain C on the other side. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/msg.h>
#include <sys/sem.h>

static unipc_poller *woken;

static void handler(int number) {
  (void)number;
  if (unipc_poller_wake(woken) != 0) _exit(9);
}

static void *kick(void *target) {
  struct timespec time = {0, 2000000};
  nanosleep(&time, NULL);
  pthread_kill(*(pthread_t *)target, SIGUSR1);
  return NULL;
}

static void wake_ups(void) {
  unipc_poller_event event;
  CHECK_EQUAL(unipc_poller_create(&woken), 0);
  struct sigaction action = {.sa_handler = handler}, before;
  sigaction(SIGUSR1, &action, &before);
  for (int round = 0; round < 50; round++) {
    pthread_t self = pthread_self(), other;
    CHECK_EQUAL(pthread_create(&other, NULL, kick, &self), 0);
    errno = 42;
    CHECK_EQUAL(unipc_poller_wait(woken, &event, 1, UNIPC_FOREVER), 1);
    CHECK(event.ready == UNIPC_POLLER_WOKEN && event.token == 0);
    CHECK_EQUAL(pthread_join(other, NULL), 0);
  }
  sigaction(SIGUSR1, &before, NULL);
  unipc_stop *stop;
  CHECK_EQUAL(unipc_stop_create(&stop), 0);
  CHECK_EQUAL(unipc_stop_bind(stop), 0);
  unipc_stop_request(stop);
  CHECK_EQUAL(unipc_poller_wait(woken, &event, 1, UNIPC_FOREVER), -ECANCELED);
  unipc_stop_bind(NULL);
  unipc_stop_close(stop);
  unipc_poller_close(woken);
}

/* The first event's work removes all the others. */
static void removal(void) {
  enum { COUNT = 20 };
  unipc_poller *poller;
  unipc_poller_event events[COUNT];
  uint64_t sources[COUNT];
  int fds[COUNT], told = 0;
  CHECK_EQUAL(unipc_poller_create(&poller), 0);
  for (int i = 0; i < COUNT; i++) {
    fds[i] = eventfd(1, EFD_CLOEXEC);
    CHECK_EQUAL(unipc_poller_add(poller, fds[i], UNIPC_POLLER_READABLE, (uint64_t)(uintptr_t)&fds[i], &sources[i]), 0);
  }
  CHECK_EQUAL(unipc_poller_wait(poller, events, COUNT, UNIPC_FOREVER), COUNT);
  for (int i = 0; i < COUNT; i++) {
    if (unipc_poller_is_registered(poller, events[i].source) != 1) continue;
    told++;
    for (int j = 0; j < COUNT; j++) {
      if (sources[j] != events[i].source) CHECK_EQUAL(unipc_poller_remove(poller, sources[j]), 0);
    }
  }
  CHECK_EQUAL(told, 1);
  pid_t child = fork();
  if (child == 0) {
    CHECK_EQUAL(unipc_poller_wait(poller, events, COUNT, 0), UNIPC_FORKED);
    CHECK_EQUAL(unipc_poller_wake(poller), UNIPC_FORKED);
    unipc_poller_close(poller);
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK_EQUAL(unipc_poller_wait(poller, events, COUNT, 0), 1);
  unipc_poller_close(poller);
  for (int i = 0; i < COUNT; i++) close(fds[i]);
}

static void strangers(void) {
  int queue_id = msgget(IPC_PRIVATE, 0600), set_id = semget(IPC_PRIVATE, 1, 0600);
  CHECK(queue_id >= 0 && set_id >= 0);
  unipc_sysv_queue *queue;
  unipc_sysv_semaphores *set;
  unipc_poller *poller;
  unipc_poller_event event;
  CHECK_EQUAL(unipc_sysv_queue_open_id(queue_id, NULL, &queue), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_open_id(set_id, NULL, &set), 0);
  CHECK_EQUAL(unipc_poller_create(&poller), 0);
  CHECK_EQUAL(unipc_poller_add_sysv_queue(poller, queue, 5, 0, UNIPC_POLLER_READABLE, 1, NULL), 0);
  CHECK_EQUAL(unipc_poller_add_sysv_semaphore(poller, set, 0, 2, UNIPC_POLLER_READABLE, 2, NULL), 0);
  unipc_sysv_queue_close(queue);
  unipc_sysv_semaphores_close(set);
  struct { long type; char text[8]; } message = {5, "hello"};
  struct sembuf two = {0, 2, 0};
  pid_t child = fork();
  if (child == 0) {
    struct timespec time = {0, 20000000};
    nanosleep(&time, NULL);
    _exit(msgsnd(queue_id, &message, 6, 0) != 0);
  }
  CHECK_EQUAL(unipc_poller_wait(poller, &event, 1, UNIPC_FOREVER), 1);
  CHECK(event.token == 1 && event.ready == UNIPC_POLLER_READABLE);
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK_EQUAL(msgrcv(queue_id, &message, 8, 5, IPC_NOWAIT), 6);
  CHECK_EQUAL(unipc_poller_wait(poller, &event, 1, 0), -EAGAIN);
  CHECK_EQUAL(semop(set_id, &two, 1), 0);
  CHECK_EQUAL(unipc_poller_wait(poller, &event, 1, UNIPC_FOREVER), 1);
  CHECK_EQUAL(event.token, 2);
  semctl(set_id, 0, IPC_RMID);
  CHECK_EQUAL(unipc_poller_wait(poller, &event, 1, UNIPC_FOREVER), 1);
  CHECK_EQUAL(event.ready, UNIPC_POLLER_ERROR | UNIPC_POLLER_HANG_UP);
  msgctl(queue_id, IPC_RMID, NULL);
  unipc_poller_close(poller);
}

int main(void) {
  house before = house_now();
  wake_ups();
  removal();
  strangers();
  house_check(before);
  return 0;
}
