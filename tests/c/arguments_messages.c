/* As arguments.c, for message queues. */
#define _GNU_SOURCE
#include <unipc.h>

#include "arguments.h"

#include <limits.h>

static char name[64];

static void initialisers(void) {
#define SAME(type, initial)                                  \
  do {                                                       \
    type with_macro = initial, with_function;                \
    memset(&with_function, 0xff, sizeof with_function);      \
    type##_init(&with_function);                             \
    CHECK_EQUAL(with_macro.struct_size, sizeof(type));       \
    CHECK(memcmp(&with_macro, &with_function, sizeof(type)) == 0); \
    type##_init(NULL);                                       \
  } while (0)
  SAME(unipc_mq_options, UNIPC_MQ_OPTIONS_INIT); /* unipc_mq_options_init */
  SAME(unipc_mq_attributes, UNIPC_MQ_ATTRIBUTES_INIT); /* unipc_mq_attributes_init */
  SAME(unipc_sysv_queue_options, UNIPC_SYSV_QUEUE_OPTIONS_INIT); /* unipc_sysv_queue_options_init */
  SAME(unipc_sysv_queue_status, UNIPC_SYSV_QUEUE_STATUS_INIT); /* unipc_sysv_queue_status_init */
}

static void posix_queues(void) {
  unipc_mq *mq;
  char byte;
  static int (*const makes[])(const char *, const unipc_mq_options *, unipc_mq **) = {unipc_mq_create, unipc_mq_open, unipc_mq_open_or_create};
  for (size_t i = 0; i < 3; i++) {
    REFUSED(mq, makes[i](NULL, NULL, &mq));
    REFUSED(mq, makes[i]("a/b", NULL, &mq));
    INVALID(makes[i](name, NULL, NULL));
    unipc_mq_options bad = UNIPC_MQ_OPTIONS_INIT;
    bad.any_owner = 2;
    REFUSED(mq, makes[i](name, &bad, &mq));
    bad.any_owner = 0, bad.temporary = 2;
    REFUSED(mq, makes[i](name, &bad, &mq));
    bad.temporary = 0, bad.access = 3;
    REFUSED(mq, makes[i](name, &bad, &mq));
    if (i == 1) continue;
    bad.access = 0, bad.mode = 07777;
    REFUSED(mq, makes[i](name, &bad, &mq));
    bad.mode = 0;
    HUGE_SIZES(size) {
      bad.capacity = size;
      REFUSED(mq, makes[i](name, &bad, &mq));
    }
  }
#define AND_UNLINK (unipc_mq_close(mq), unipc_mq_unlink(name))
  SIZES(unipc_mq_options, UNIPC_MQ_OPTIONS_INIT, unipc_mq_create(name, o, &mq), 0, AND_UNLINK);
  SIZES(unipc_mq_options, UNIPC_MQ_OPTIONS_INIT, unipc_mq_open_or_create(name, o, &mq), 0, AND_UNLINK);
  SIZES(unipc_mq_options, UNIPC_MQ_OPTIONS_INIT, unipc_mq_open(name, o, &mq), -ENOENT, (void)0);
  INVALID(unipc_mq_unlink(NULL));
  CHECK_EQUAL(unipc_mq_unlink(name), -ENOENT);
  INVALID(unipc_mq_send(NULL, "x", 1, 0, 0));
  INVALID(unipc_mq_receive(NULL, &byte, 1, 0, NULL));
  INVALID(unipc_mq_get_attributes(NULL, NULL));
  INVALID(unipc_mq_notify_signal(NULL, SIGUSR1, 0));
  INVALID(unipc_mq_cancel_notify(NULL));
  INVALID(unipc_mq_fd(NULL));
  INVALID(unipc_mq_into_fd(NULL));
  CHECK_EQUAL(unipc_mq_largest(NULL), 0);
  REFUSED_AS(-EBADF, mq, unipc_mq_from_fd(-1, &mq));
  REFUSED_AS(-EBADF, mq, unipc_mq_from_fd(INT_MAX, &mq));
  REFUSED_AS(UNIPC_WRONG_KIND, mq, unipc_mq_from_fd(0, &mq));
  INVALID(unipc_mq_from_fd(0, NULL));
  unipc_mq_close(NULL);

  unipc_mq_options small = UNIPC_MQ_OPTIONS_INIT;
  small.capacity = 1, small.largest = 8, small.temporary = 1;
  CHECK_EQUAL(unipc_mq_create(name, &small, &mq), 0);
  INVALID(unipc_mq_send(mq, NULL, 1, 0, 0));
  HUGE_SIZES(size) {
    CHECK(unipc_mq_send(mq, "x", size, 0, 0) < 0);
    CHECK(unipc_mq_receive(mq, &byte, size, 0, NULL) < 0 || size <= SIZE_MAX / 2);
  }
  INVALID(unipc_mq_send(mq, "x", 1, UINT32_MAX, 0));
  CHECK_EQUAL(unipc_mq_send(mq, NULL, 0, UNIPC_MQ_HIGHEST_PRIORITY, INT64_MIN), 0);
  CHECK_EQUAL(unipc_mq_send(mq, NULL, 0, 0, INT64_MIN), -EAGAIN);
  char room[8];
  unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
  info.struct_size = 0;
  INVALID(unipc_mq_receive(mq, room, sizeof room, 0, &info)); /* and the message is still there */
  info.struct_size = sizeof info;
  CHECK_EQUAL(unipc_mq_receive(mq, room, 7, 0, &info), -EMSGSIZE);
  CHECK_EQUAL(info.size, 8);
  CHECK_EQUAL(unipc_mq_receive(mq, NULL, 0, 0, &info), -EMSGSIZE);
  CHECK_EQUAL(unipc_mq_receive(mq, room, 8, 0, &info), 0);
  CHECK_EQUAL(info.priority, UNIPC_MQ_HIGHEST_PRIORITY);
  INVALID(unipc_mq_get_attributes(mq, NULL));
  unipc_mq_attributes attributes = UNIPC_MQ_ATTRIBUTES_INIT;
  for (size_t size = 0; size < sizeof(size_t); size++) {
    attributes.struct_size = size;
    INVALID(unipc_mq_get_attributes(mq, &attributes));
  }
  attributes.struct_size = sizeof attributes;
  CHECK_EQUAL(unipc_mq_get_attributes(mq, &attributes), 0);
  INVALID(unipc_mq_notify_signal(mq, 0, 0));
  INVALID(unipc_mq_notify_signal(mq, INT_MAX, 0));
  unipc_mq_close(mq);
}

static void sysv_queues(void) {
  unipc_sysv_queue *queue;
  int32_t key = 1;
  INVALID(unipc_sysv_key(NULL, 1, &key));
  CHECK_EQUAL(key, 0);
  INVALID(unipc_sysv_key("/", 1, NULL));
  for (int id = -1; id <= 256; id += id == 0 ? 256 : 1) INVALID(unipc_sysv_key("/", id, &key));
  CHECK_EQUAL(unipc_sysv_key("/no/such/file", 1, &key), -ENOENT);
  CHECK_EQUAL(unipc_sysv_key("/", 255, &key), 0);
  static int (*const makes[])(int32_t, const unipc_sysv_queue_options *, unipc_sysv_queue **) = {
      unipc_sysv_queue_create, unipc_sysv_queue_open, unipc_sysv_queue_open_or_create};
  key = 0x55000000 + (int32_t)getpid();
  for (size_t i = 0; i < 3; i++) {
    REFUSED(queue, makes[i](0, NULL, &queue));
    INVALID(makes[i](key, NULL, NULL));
    unipc_sysv_queue_options bad = UNIPC_SYSV_QUEUE_OPTIONS_INIT;
    bad.any_owner = 2;
    REFUSED(queue, makes[i](key, &bad, &queue));
    bad.any_owner = 0, bad.temporary = 2;
    REFUSED(queue, makes[i](key, &bad, &queue));
    bad.temporary = 0, bad.reserved = 1;
    REFUSED(queue, makes[i](key, &bad, &queue));
    if (i == 1) continue;
    bad.reserved = 0, bad.mode = 07777;
    REFUSED(queue, makes[i](key, &bad, &queue));
    REFUSED(queue, unipc_sysv_queue_create_private(&bad, &queue));
  }
#define AND_RMID (unipc_sysv_queue_remove(queue), unipc_sysv_queue_close(queue))
  SIZES(unipc_sysv_queue_options, UNIPC_SYSV_QUEUE_OPTIONS_INIT, unipc_sysv_queue_create(key, o, &queue), 0, AND_RMID);
  SIZES(unipc_sysv_queue_options, UNIPC_SYSV_QUEUE_OPTIONS_INIT, unipc_sysv_queue_create_private(o, &queue), 0, AND_RMID);
  SIZES(unipc_sysv_queue_options, UNIPC_SYSV_QUEUE_OPTIONS_INIT, unipc_sysv_queue_open_or_create(key, o, &queue), 0, AND_RMID);
  SIZES(unipc_sysv_queue_options, UNIPC_SYSV_QUEUE_OPTIONS_INIT, unipc_sysv_queue_open(key, o, &queue), -ENOENT, (void)0);
  INVALID(unipc_sysv_queue_create_private(NULL, NULL));
  REFUSED_AS(-EIDRM, queue, unipc_sysv_queue_open_id(-1, NULL, &queue));
  REFUSED_AS(-EIDRM, queue, unipc_sysv_queue_open_id(INT_MAX, NULL, &queue));
  INVALID(unipc_sysv_queue_open_id(0, NULL, NULL));
  INVALID(unipc_sysv_queue_remove_key(0));
  CHECK_EQUAL(unipc_sysv_queue_remove_key(key), -ENOENT);
  INVALID(unipc_sysv_queue_remove(NULL));
  INVALID(unipc_sysv_queue_id(NULL));
  INVALID(unipc_sysv_queue_send(NULL, "x", 1, 1, 0));
  INVALID(unipc_sysv_queue_receive(NULL, 0, 0, NULL, 0, 0, NULL));
  INVALID(unipc_sysv_queue_get_status(NULL, NULL));
  INVALID(unipc_sysv_queue_set_limit(NULL, 1));
  INVALID(unipc_sysv_queue_set_mode(NULL, 0));
  INVALID(unipc_sysv_queue_set_owner(NULL, 0, 0));
  unipc_sysv_queue_close(NULL);

  unipc_sysv_queue_options temporary = UNIPC_SYSV_QUEUE_OPTIONS_INIT;
  temporary.temporary = 1;
  CHECK_EQUAL(unipc_sysv_queue_create_private(&temporary, &queue), 0);
  INVALID(unipc_sysv_queue_send(queue, NULL, 1, 1, 0));
  INVALID(unipc_sysv_queue_send(queue, "x", 1, 0, 0));
  INVALID(unipc_sysv_queue_send(queue, "x", 1, INT64_MIN, 0));
  INVALID(unipc_sysv_queue_set_limit(queue, 0));
  INVALID(unipc_sysv_queue_set_mode(queue, 01000));
  CHECK_EQUAL(unipc_sysv_queue_set_owner(queue, UINT32_MAX, UINT32_MAX), 0);
  INVALID(unipc_sysv_queue_get_status(queue, NULL));
  unipc_sysv_queue_status status = UNIPC_SYSV_QUEUE_STATUS_INIT;
  for (size_t size = 0; size < sizeof(size_t); size++) {
    status.struct_size = size;
    INVALID(unipc_sysv_queue_get_status(queue, &status));
  }
  status.struct_size = sizeof status;
  CHECK_EQUAL(unipc_sysv_queue_get_status(queue, &status), 0);
  char room[8];
  HUGE_SIZES(size) INVALID(unipc_sysv_queue_receive(queue, 0, 0, size > SIZE_MAX / 2 ? room : NULL, size, 0, NULL));
  INVALID(unipc_sysv_queue_receive(queue, 0, 4, room, sizeof room, 0, NULL));
  INVALID(unipc_sysv_queue_receive(queue, 0, UNIPC_SYSV_QUEUE_EXCEPT, room, sizeof room, 0, NULL));
  INVALID(unipc_sysv_queue_receive(queue, -1, UNIPC_SYSV_QUEUE_EXCEPT, room, sizeof room, 0, NULL));
  CHECK_EQUAL(unipc_sysv_queue_receive(queue, INT64_MIN, 0, room, sizeof room, INT64_MIN, NULL), -EAGAIN);
  CHECK_EQUAL(unipc_sysv_queue_send(queue, NULL, 0, INT64_MAX, INT64_MIN), 0);
  unipc_message_info info = UNIPC_MESSAGE_INFO_INIT;
  info.struct_size = 0;
  INVALID(unipc_sysv_queue_receive(queue, 0, 0, room, sizeof room, 0, &info)); /* and the message is still there */
  info.struct_size = sizeof info;
  CHECK_EQUAL(unipc_sysv_queue_receive(queue, INT64_MIN, 0, NULL, 0, 0, &info), 0);
  CHECK_EQUAL(info.type, INT64_MAX);
  unipc_sysv_queue_close(queue);
}

int main(void) {
  snprintf(name, sizeof name, "arguments_messages.%d", (int)getpid());
  house before = house_now();
  initialisers();
  posix_queues();
  sysv_queues();
  house_check(before);
  return 0;
}
