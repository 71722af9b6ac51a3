/* As arguments.c, for System V semaphores, futexes, what a named semaphore is like, and the atomics that came later. */
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
  SAME(unipc_sysv_semaphores_options, UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT); /* unipc_sysv_semaphores_options_init */
  SAME(unipc_sysv_semaphores_status, UNIPC_SYSV_SEMAPHORES_STATUS_INIT); /* unipc_sysv_semaphores_status_init */
  SAME(unipc_posix_semaphore_status, UNIPC_POSIX_SEMAPHORE_STATUS_INIT); /* unipc_posix_semaphore_status_init */
}

static void makers(void) {
  int32_t key = 0x50000000 + getpid();
  unipc_sysv_semaphores *set;
  static int (*const makes[])(int32_t, const unipc_sysv_semaphores_options *, unipc_sysv_semaphores **) = {
      unipc_sysv_semaphores_create, unipc_sysv_semaphores_open, unipc_sysv_semaphores_open_or_create};
  for (size_t i = 0; i < 3; i++) {
    INVALID(makes[i](key, NULL, NULL));
    REFUSED(set, makes[i](0, NULL, &set));
    unipc_sysv_semaphores_options bad = UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT;
    bad.any_owner = 2;
    REFUSED(set, makes[i](key, &bad, &set));
    bad.any_owner = 0, bad.temporary = 2;
    REFUSED(set, makes[i](key, &bad, &set));
    bad.temporary = 0;
    HUGE_SIZES(size) {
      uint32_t one = 1;
      bad.count = size;
      REFUSED(set, makes[i](key, &bad, &set));
      bad.values = &one;
      REFUSED(set, makes[i](key, &bad, &set));
      bad.values = NULL;
    }
    bad.count = 0;
    if (i == 1) continue;
    bad.mode = 07777;
    REFUSED(set, makes[i](key, &bad, &set));
    bad.mode = 0, bad.value = 32768;
    REFUSED_AS(-ERANGE, set, makes[i](key, &bad, &set));
    bad.value = 0, bad.count = 65535;
    REFUSED(set, makes[i](key, &bad, &set));
    bad.count = 0, bad.group = "";
    REFUSED(set, makes[i](key, &bad, &set));
  }
#define GONE (unipc_sysv_semaphores_remove(set), unipc_sysv_semaphores_close(set))
  SIZES(unipc_sysv_semaphores_options, UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT, unipc_sysv_semaphores_create(key, o, &set), 0, GONE);
  SIZES(unipc_sysv_semaphores_options, UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT, unipc_sysv_semaphores_create_private(o, &set), 0, GONE);
  SIZES(unipc_sysv_semaphores_options, UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT, unipc_sysv_semaphores_open_or_create(key, o, &set), 0, GONE);
  SIZES(unipc_sysv_semaphores_options, UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT, unipc_sysv_semaphores_open(key, o, &set), -ENOENT, (void)0);
  SIZES(unipc_sysv_semaphores_options, UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT, unipc_sysv_semaphores_open_id(-1, o, &set), -EIDRM, (void)0);
  INVALID(unipc_sysv_semaphores_create_private(NULL, NULL));
  INVALID(unipc_sysv_semaphores_open_id(0, NULL, NULL));
  INVALID(unipc_sysv_semaphores_remove_key(0));
  CHECK_EQUAL(unipc_sysv_semaphores_remove_key(key), -ENOENT);
}

static void sets(void) {
  uint32_t values[3] = {1, 2, 3};
  unipc_sysv_operation operation = {0, 1, 0};
  INVALID(unipc_sysv_semaphores_remove(NULL));
  INVALID(unipc_sysv_semaphores_id(NULL));
  INVALID(unipc_sysv_semaphores_count(NULL));
  INVALID(unipc_sysv_semaphores_wait(NULL, 0, 0, 0));
  INVALID(unipc_sysv_semaphores_try_wait(NULL, 0, 0));
  INVALID(unipc_sysv_semaphores_post(NULL, 0, 0));
  INVALID(unipc_sysv_semaphores_wait_zero(NULL, 0, 0));
  INVALID(unipc_sysv_semaphores_operate(NULL, &operation, 1, 0));
  INVALID(unipc_sysv_semaphores_value(NULL, 0));
  INVALID(unipc_sysv_semaphores_set_value(NULL, 0, 0));
  INVALID(unipc_sysv_semaphores_get_values(NULL, values, 3));
  INVALID(unipc_sysv_semaphores_set_values(NULL, values, 3));
  INVALID(unipc_sysv_semaphores_waiters(NULL, 0));
  INVALID(unipc_sysv_semaphores_waiters_for_zero(NULL, 0));
  INVALID(unipc_sysv_semaphores_last_process(NULL, 0));
  INVALID(unipc_sysv_semaphores_get_status(NULL, NULL));
  INVALID(unipc_sysv_semaphores_set_mode(NULL, 0));
  INVALID(unipc_sysv_semaphores_set_owner(NULL, 0, 0));
  unipc_sysv_semaphores_close(NULL);

  unipc_sysv_semaphores *set;
  unipc_sysv_semaphores_options options = UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT;
  options.count = 3, options.values = values, options.temporary = 1;
  CHECK_EQUAL(unipc_sysv_semaphores_create_private(&options, &set), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_count(set), 3);
  for (uint32_t flags = 4; flags != 0; flags <<= 1) {
    INVALID(unipc_sysv_semaphores_wait(set, 0, flags, 0));
    INVALID(unipc_sysv_semaphores_try_wait(set, 0, flags));
    INVALID(unipc_sysv_semaphores_post(set, 0, flags));
    operation.flags = flags;
    INVALID(unipc_sysv_semaphores_operate(set, &operation, 1, 0));
  }
  INVALID(unipc_sysv_semaphores_operate(set, NULL, 1, 0));
  INVALID(unipc_sysv_semaphores_operate(set, NULL, 0, 0));
  INVALID(unipc_sysv_semaphores_operate(set, &operation, 0, 0));
  INVALID(unipc_sysv_semaphores_operate(set, &operation, SIZE_MAX, 0));
  for (uint32_t none = 3; none >= 3; none = none == UINT32_MAX ? 0 : none * 300 < none ? UINT32_MAX : none * 300) {
    CHECK_EQUAL(unipc_sysv_semaphores_wait(set, none, 0, 0), -EFBIG);
    CHECK_EQUAL(unipc_sysv_semaphores_try_wait(set, none, 0), -EFBIG);
    CHECK_EQUAL(unipc_sysv_semaphores_post(set, none, 0), -EFBIG);
    CHECK_EQUAL(unipc_sysv_semaphores_wait_zero(set, none, 0), -EFBIG);
    CHECK_EQUAL(unipc_sysv_semaphores_value(set, none), -EFBIG);
    CHECK_EQUAL(unipc_sysv_semaphores_set_value(set, none, 0), -EFBIG);
    CHECK_EQUAL(unipc_sysv_semaphores_waiters(set, none), -EFBIG);
    CHECK_EQUAL(unipc_sysv_semaphores_waiters_for_zero(set, none), -EFBIG);
    CHECK_EQUAL(unipc_sysv_semaphores_last_process(set, none), -EFBIG);
  }
  INVALID(unipc_sysv_semaphores_get_values(set, NULL, 3));
  INVALID(unipc_sysv_semaphores_get_values(set, values, 2));
  INVALID(unipc_sysv_semaphores_set_values(set, NULL, 3));
  INVALID(unipc_sysv_semaphores_set_values(set, values, 2));
  INVALID(unipc_sysv_semaphores_set_values(set, values, SIZE_MAX));
  values[1] = 32768;
  CHECK_EQUAL(unipc_sysv_semaphores_set_values(set, values, 3), -ERANGE);
  CHECK_EQUAL(unipc_sysv_semaphores_set_value(set, 0, UINT32_MAX), -ERANGE);
  CHECK_EQUAL(unipc_sysv_semaphores_wait(set, 0, 0, INT64_MIN), 0);
  CHECK_EQUAL(unipc_sysv_semaphores_wait(set, 0, 0, INT64_MIN), -EAGAIN);
  CHECK_EQUAL(unipc_sysv_semaphores_wait(set, 0, UNIPC_SYSV_SEMAPHORES_AT_ONCE, UNIPC_FOREVER), -EAGAIN);
  CHECK_EQUAL(unipc_sysv_semaphores_get_values(set, values, SIZE_MAX), 3);
  CHECK(values[0] == 0 && values[1] == 2 && values[2] == 3);
  INVALID(unipc_sysv_semaphores_get_status(set, NULL));
  INVALID(unipc_sysv_semaphores_set_mode(set, 01000));
  CHECK_EQUAL(unipc_sysv_semaphores_set_owner(set, UINT32_MAX, UINT32_MAX), 0);
  unipc_sysv_semaphores_close(set);
}

/* Ends the walk at ours, and counts what stood before. */
static int look_for_own(const char *found, void *argument) {
  int *before = argument;
  if (strcmp(found, name + (*name == '/')) == 0) return 7;
  ++*before;
  return 0;
}

static void named(void) {
  unipc_posix_semaphore_status status = UNIPC_POSIX_SEMAPHORE_STATUS_INIT;
  INVALID(unipc_posix_semaphore_get_status(NULL, &status));
  INVALID(unipc_posix_semaphore_get_status("a/b", &status));
  CHECK_EQUAL(unipc_posix_semaphore_get_status(name, &status), -ENOENT);
  unipc_posix_semaphore_options options = UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT;
  options.value = 5, options.mode = 0640, options.temporary = 1;
  unipc_posix_semaphore *semaphore;
  CHECK_EQUAL(unipc_posix_semaphore_create(name, &options, &semaphore), 0);
  INVALID(unipc_posix_semaphore_get_status(name, NULL));
  CHECK_EQUAL(unipc_posix_semaphore_get_status(name, &status), 0);
  CHECK(status.value == 5 && status.mode == 0640 && status.uid == geteuid() && status.gid == getegid());
  int before = 0;
  INVALID(unipc_posix_semaphore_list(NULL, &before));
  CHECK_EQUAL(unipc_posix_semaphore_list(look_for_own, &before), 7);
  unipc_posix_semaphore_close(semaphore);
  CHECK_EQUAL(unipc_posix_semaphore_list(look_for_own, &before), 0);
}

static void futexes(void) {
  static uint32_t words[3];
  const void *const wrong[] = {NULL, (char *)words + 1, (char *)words + 2};
  for (int i = 0; i < 3; i++) {
    INVALID(unipc_futex_wait(wrong[i], 0, 0));
    INVALID(unipc_futex_wake(wrong[i], 1));
    INVALID(unipc_futex_requeue(wrong[i], 0, 1, words, 1));
    INVALID(unipc_futex_requeue(words, 0, 1, wrong[i], 1));
  }
  CHECK_EQUAL(unipc_futex_wait(words, 0, INT64_MIN), -EAGAIN);
  CHECK_EQUAL(unipc_futex_wait(words, 0, UNIPC_MILLISECOND), -ETIMEDOUT);
  CHECK_EQUAL(unipc_futex_wait(words, 1, UNIPC_FOREVER), 0);
  CHECK_EQUAL(unipc_futex_wake(words, UINT32_MAX), 0);
  CHECK_EQUAL(unipc_futex_requeue(words, 0, UINT32_MAX, words + 1, UINT32_MAX), 0);
  CHECK_EQUAL(unipc_futex_requeue(words, 1, 1, words + 1, 1), -EAGAIN);
  unipc_stop *stop;
  CHECK_EQUAL(unipc_stop_create(&stop), 0);
  CHECK_EQUAL(unipc_stop_request(stop), 0);
  CHECK_EQUAL(unipc_stop_bind(stop), 0);
  CHECK_EQUAL(unipc_futex_wait(words, 0, UNIPC_FOREVER), -ECANCELED);
  CHECK_EQUAL(unipc_stop_bind(NULL), 0);
  unipc_stop_close(stop);
}

static void atomics(void) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = 64;
  unipc_memory *memory;
  CHECK_EQUAL(unipc_memory_create_anonymous(&options, &memory), 0);
#define EACH(bits, operation, result)                                                                                  \
  do {                                                                                                                 \
    uint##bits##_t before, after;                                                                                      \
    INVALID(unipc_memory_##operation##_u##bits(NULL, 0, UNIPC_RELAXED, 1, &before));                                   \
    INVALID(unipc_memory_##operation##_u##bits(memory, SIZE_MAX, UNIPC_RELAXED, 1, &before));                          \
    INVALID(unipc_memory_##operation##_u##bits(memory, 4096, UNIPC_RELAXED, 1, &before));                              \
    INVALID(unipc_memory_##operation##_u##bits(memory, 2, UNIPC_RELAXED, 1, &before));                                 \
    INVALID(unipc_memory_##operation##_u##bits(memory, 0, -1, 1, &before));                                            \
    INVALID(unipc_memory_##operation##_u##bits(memory, 0, 5, 1, &before));                                             \
    for (int order = UNIPC_RELAXED; order <= UNIPC_SEQUENTIAL; order++) {                                              \
      CHECK_EQUAL(unipc_memory_store_u##bits(memory, 8, UNIPC_RELAXED, (uint##bits##_t)-4), 0);                         \
      CHECK_EQUAL(unipc_memory_##operation##_u##bits(memory, 8, order, 6, &before), 0);                                \
      CHECK_EQUAL(unipc_memory_load_u##bits(memory, 8, UNIPC_RELAXED, &after), 0);                                     \
      CHECK(before == (uint##bits##_t)-4 && after == (uint##bits##_t)(result));                                        \
      CHECK_EQUAL(unipc_memory_##operation##_u##bits(memory, 8, order, 6, NULL), 0);                                   \
    }                                                                                                                  \
  } while (0)
  EACH(32, fetch_sub, -10); /* unipc_memory_fetch_sub_u32 */
  EACH(64, fetch_sub, -10); /* unipc_memory_fetch_sub_u64 */
  EACH(32, fetch_and, 4); /* unipc_memory_fetch_and_u32 */
  EACH(64, fetch_and, 4); /* unipc_memory_fetch_and_u64 */
  EACH(32, fetch_or, -2); /* unipc_memory_fetch_or_u32 */
  EACH(64, fetch_or, -2); /* unipc_memory_fetch_or_u64 */
  EACH(32, fetch_xor, -6); /* unipc_memory_fetch_xor_u32 */
  EACH(64, fetch_xor, -6); /* unipc_memory_fetch_xor_u64 */
  unipc_memory_close(memory);
}

int main(void) {
  snprintf(name, sizeof name, "arguments_semaphores.%d", (int)getpid());
  house before = house_now();
  initialisers();
  makers();
  sets();
  named();
  futexes();
  atomics();
  house_check(before);
  return 0;
}
