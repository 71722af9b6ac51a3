/* Message queues with plain C on the other end, both ways: mq_* and msgget, as any program would call them; ipcs and ipcrm. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/stat.h>

#define LIMIT (20 * UNIPC_SECOND)

static char name[64], slashed[65];

struct typed {
  long type;
  char text[32];
};

static void posix_ours_then_plain(void) {
  unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
  options.capacity = 3, options.largest = 32, options.mode = 0640, options.temporary = 1;
  unipc_mq *mq;
  CHECK_EQUAL(unipc_mq_create(name, &options, &mq), 0);
  pid_t child = fork();
  if (child == 0) {
    mqd_t plain = mq_open(slashed, O_RDWR);
    CHECK(plain != (mqd_t)-1);
    struct mq_attr attributes;
    CHECK_EQUAL(mq_getattr(plain, &attributes), 0);
    CHECK_EQUAL(attributes.mq_maxmsg, 3);
    CHECK_EQUAL(attributes.mq_msgsize, 32);
    struct stat status;
    CHECK(fstat(plain, &status) == 0 && (status.st_mode & 07777) == 0640);
    char text[32];
    unsigned priority;
    CHECK_EQUAL(mq_receive(plain, text, sizeof text, &priority), 5);
    CHECK(memcmp(text, "hello", 5) == 0 && priority == 7);
    CHECK_EQUAL(mq_send(plain, "answer", 6, 9), 0);
    CHECK_EQUAL(mq_close(plain), 0);
    _exit(0);
  }
  CHECK_EQUAL(unipc_mq_send(mq, "hello", 5, 7, LIMIT), 0);
  CHECK_EQUAL(exit_status_of(child), 0);
  char text[32];
  unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
  CHECK_EQUAL(unipc_mq_receive(mq, text, sizeof text, LIMIT, &info), 6);
  CHECK(memcmp(text, "answer", 6) == 0);
  CHECK_EQUAL(info.priority, 9);
  CHECK_EQUAL(info.size, 6);
  CHECK_EQUAL(unipc_mq_largest(mq), 32);
  unipc_mq_attributes attributes = UNIPC_MQ_ATTRIBUTES_INIT;
  CHECK_EQUAL(unipc_mq_get_attributes(mq, &attributes), 0);
  CHECK(attributes.capacity == 3 && attributes.largest == 32 && attributes.queued == 0);
  CHECK_EQUAL(unipc_mq_send(mq, "second", 6, 0, LIMIT), 0);
  struct pollfd polled = {unipc_mq_fd(mq), POLLIN | POLLOUT, 0};
  CHECK(poll(&polled, 1, 0) == 1 && polled.revents == (POLLIN | POLLOUT));
  unipc_mq_close(mq);
  CHECK(mq_open(slashed, O_RDWR) == (mqd_t)-1 && errno == ENOENT);
}

static void posix_plain_then_ours(void) {
  struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 16};
  mqd_t plain = mq_open(slashed, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
  CHECK(plain != (mqd_t)-1);
  unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
  unipc_mq *mq;
  options.largest = 17;
  CHECK_EQUAL(unipc_mq_open(name, &options, &mq), UNIPC_WRONG_SIZE);
  options.largest = 16;
  CHECK_EQUAL(unipc_mq_open(slashed, &options, &mq), 0);
  CHECK_EQUAL(mq_send(plain, "low", 3, 1), 0);
  CHECK_EQUAL(mq_send(plain, "high", 4, 10), 0);
  CHECK_EQUAL(unipc_mq_send(mq, "full", 4, 0, 0), -EAGAIN);
  char text[16];
  CHECK_EQUAL(unipc_mq_receive(mq, text, sizeof text, LIMIT, NULL), 4);
  CHECK_EQUAL(unipc_mq_receive(mq, text, sizeof text, LIMIT, NULL), 3);
  CHECK_EQUAL(unipc_mq_receive(mq, text, sizeof text, 0, NULL), -EAGAIN);
  CHECK_EQUAL(unipc_mq_receive(mq, text, sizeof text, UNIPC_MILLISECOND, NULL), -ETIMEDOUT);
  CHECK_EQUAL(fcntl(unipc_mq_fd(mq), F_GETFL) & O_NONBLOCK, 0);
  unipc_mq_close(mq);

  /* What mq_open gave becomes a handle, and the other way round. */
  CHECK_EQUAL(unipc_mq_from_fd(plain, &mq), 0);
  CHECK_EQUAL(unipc_mq_send(mq, "own", 3, 0, LIMIT), 0);
  plain = unipc_mq_into_fd(mq);
  CHECK_EQUAL(mq_receive(plain, text, sizeof text, NULL), 3);
  CHECK_EQUAL(mq_close(plain), 0);
  CHECK_EQUAL(unipc_mq_unlink(name), 0);
  CHECK_EQUAL(mq_unlink(slashed), -1);
}

static volatile sig_atomic_t noticed;
static void notice(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  noticed = info->si_value.sival_int;
}

static void posix_notice(void) {
  struct sigaction action = {.sa_sigaction = notice, .sa_flags = SA_SIGINFO};
  CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
  unipc_mq_options options = UNIPC_MQ_OPTIONS_INIT;
  options.temporary = 1;
  unipc_mq *mq;
  CHECK_EQUAL(unipc_mq_create(name, &options, &mq), 0);
  CHECK_EQUAL(unipc_mq_notify_signal(mq, SIGUSR1, 4711), 0);
  CHECK_EQUAL(unipc_mq_notify_signal(mq, SIGUSR1, 1), -EBUSY);
  pid_t child = fork();
  if (child == 0) {
    mqd_t plain = mq_open(slashed, O_WRONLY);
    _exit(mq_send(plain, "x", 1, 0) == 0 ? 0 : 1);
  }
  CHECK_EQUAL(exit_status_of(child), 0);
  CHECK_EQUAL(noticed, 4711);
  CHECK_EQUAL(unipc_mq_notify_signal(mq, SIGUSR1, 1), 0);
  CHECK_EQUAL(unipc_mq_cancel_notify(mq), 0);
  unipc_mq_close(mq);
}

static void sysv(void) {
  int32_t key;
  CHECK_EQUAL(unipc_sysv_key("/proc/self/exe", 'Q', &key), 0);
  CHECK_EQUAL(key, ftok("/proc/self/exe", 'Q'));
  /* Two runs at the same time must not meet. */
  key = (key & 0x7f000000) + (int32_t)getpid();

  unipc_sysv_queue_options options = UNIPC_SYSV_QUEUE_OPTIONS_INIT;
  options.mode = 0640, options.temporary = 1;
  unipc_sysv_queue *queue;
  CHECK_EQUAL(unipc_sysv_queue_create(key, &options, &queue), 0);
  pid_t child = fork();
  if (child == 0) {
    int plain = msgget(key, 0);
    CHECK_EQUAL(plain, unipc_sysv_queue_id(queue));
    struct msqid_ds status;
    CHECK(msgctl(plain, IPC_STAT, &status) == 0 && (status.msg_perm.mode & 0777) == 0640);
    struct typed message;
    CHECK_EQUAL(msgrcv(plain, &message, sizeof message.text, 5, 0), 5);
    CHECK(message.type == 5 && memcmp(message.text, "hello", 5) == 0);
    message.type = 6;
    memcpy(message.text, "answer", 6);
    CHECK_EQUAL(msgsnd(plain, &message, 6, 0), 0);
    _exit(0);
  }
  CHECK_EQUAL(unipc_sysv_queue_send(queue, "hello", 5, 5, LIMIT), 0);
  char text[32];
  unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
  CHECK_EQUAL(unipc_sysv_queue_receive(queue, 6, 0, text, sizeof text, LIMIT, &info), 6);
  CHECK(memcmp(text, "answer", 6) == 0 && info.type == 6 && info.size == 6);
  CHECK_EQUAL(exit_status_of(child), 0);
  unipc_sysv_queue_status status = UNIPC_SYSV_QUEUE_STATUS_INIT;
  CHECK_EQUAL(unipc_sysv_queue_get_status(queue, &status), 0);
  CHECK(status.messages == 0 && status.bytes == 0 && status.last_sender_pid == child && status.last_receiver_pid == getpid() && status.mode == 0640);

  /* Too small, cut, chosen. */
  CHECK_EQUAL(unipc_sysv_queue_send(queue, "four", 4, 4, LIMIT), 0);
  CHECK_EQUAL(unipc_sysv_queue_send(queue, "three", 5, 3, LIMIT), 0);
  CHECK_EQUAL(unipc_sysv_queue_receive(queue, -4, 0, text, 4, 0, &info), -E2BIG);
  CHECK(info.size == 5 || info.size == 0);
  CHECK_EQUAL(unipc_sysv_queue_receive(queue, 4, UNIPC_SYSV_QUEUE_EXCEPT | UNIPC_SYSV_QUEUE_CUT, text, 4, 0, &info), 4);
  CHECK(info.type == 3 && memcmp(text, "thre", 4) == 0);
  CHECK_EQUAL(unipc_sysv_queue_receive(queue, 0, 0, text, 4, 0, &info), 4);
  CHECK_EQUAL(unipc_sysv_queue_receive(queue, 0, 0, text, 4, UNIPC_MILLISECOND, &info), -ETIMEDOUT);
  CHECK_EQUAL(unipc_sysv_queue_set_limit(queue, 4), 0);
  CHECK_EQUAL(unipc_sysv_queue_send(queue, "fives", 5, 4, LIMIT), -EMSGSIZE);
  CHECK_EQUAL(unipc_sysv_queue_set_mode(queue, 0600), 0);

  /* What ipcs shows, and ipcrm takes away. */
  char command[128];
  snprintf(command, sizeof command, "ipcs -q | grep -qw 0x%08x", (unsigned)key);
  if (system("command -v ipcs ipcrm >/dev/null") == 0) {
    CHECK_EQUAL(system(command), 0);
    snprintf(command, sizeof command, "ipcrm -q %d", unipc_sysv_queue_id(queue));
    CHECK_EQUAL(system(command), 0);
  } else {
    CHECK_EQUAL(unipc_sysv_queue_remove(queue), 0);
  }
  CHECK_EQUAL(unipc_sysv_queue_send(queue, "x", 1, 1, LIMIT), -EIDRM);
  CHECK_EQUAL(unipc_sysv_queue_remove(queue), -EIDRM);
  unipc_sysv_queue_close(queue);

  /* Of a plain program. */
  int plain = msgget(key, IPC_CREAT | IPC_EXCL | 0600);
  CHECK(plain >= 0);
  struct typed message = {LONG_MAX, "plain"};
  CHECK_EQUAL(msgsnd(plain, &message, 5, 0), 0);
  CHECK_EQUAL(unipc_sysv_queue_open(key, NULL, &queue), 0);
  CHECK_EQUAL(unipc_sysv_queue_receive(queue, 0, 0, text, sizeof text, LIMIT, &info), 5);
  CHECK(memcmp(text, "plain", 5) == 0 && info.type == LONG_MAX);
  unipc_sysv_queue_close(queue);
  CHECK_EQUAL(unipc_sysv_queue_open_id(plain, NULL, &queue), 0);
  CHECK_EQUAL(unipc_sysv_queue_remove_key(key), 0);
  unipc_sysv_queue_close(queue);
}

/* A stop token and a closing in the middle of a wait are for every kind the same; here that these calls look at it. */
static void stops(void) {
  unipc_stop *stop;
  unipc_mq *mq;
  unipc_sysv_queue *queue;
  unipc_mq_options mq_options = UNIPC_MQ_OPTIONS_INIT;
  unipc_sysv_queue_options queue_options = UNIPC_SYSV_QUEUE_OPTIONS_INIT;
  mq_options.temporary = queue_options.temporary = 1;
  CHECK_EQUAL(unipc_stop_create(&stop), 0);
  CHECK_EQUAL(unipc_mq_create(name, &mq_options, &mq), 0);
  CHECK_EQUAL(unipc_sysv_queue_create_private(&queue_options, &queue), 0);
  CHECK_EQUAL(unipc_stop_request(stop), 0);
  CHECK_EQUAL(unipc_stop_bind(stop), 0);
  char room[8192];
  CHECK_EQUAL(unipc_mq_receive(mq, room, sizeof room, UNIPC_FOREVER, NULL), -ECANCELED);
  CHECK_EQUAL(unipc_sysv_queue_receive(queue, 0, 0, room, sizeof room, UNIPC_FOREVER, NULL), -ECANCELED);
  CHECK_EQUAL(unipc_stop_bind(NULL), 0);
  unipc_sysv_queue_close(queue);
  unipc_mq_close(mq);
  unipc_stop_close(stop);
}

int main(void) {
  snprintf(name, sizeof name, "queues.%d", (int)getpid());
  snprintf(slashed, sizeof slashed, "/%s", name);
  house before = house_now();
  posix_ours_then_plain();
  posix_plain_then_ours();
  posix_notice();
  sysv();
  stops();
  house_check(before);
  return 0;
}
