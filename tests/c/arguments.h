/* What the programs that test every function's arguments share. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "check.h"

static CHECK_UNUSED char poison; /* what an out-pointer holds before the call: it must not stay */
#define HUGE_SIZES(size) for (size_t size = SIZE_MAX; size != 0; size = size == SIZE_MAX ? SIZE_MAX / 2 + 1 : 0)

/* A call that must fail and must set its out-pointer to NULL. */
#define REFUSED_AS(code, out, call)        \
  do {                                     \
    (out) = (void *)&poison;               \
    CHECK_EQUAL(call, code);               \
    CHECK((void *)(out) == NULL);          \
  } while (0)
#define REFUSED(out, call) REFUSED_AS(-EINVAL, out, call)
#define INVALID(call) CHECK_EQUAL(call, -EINVAL)

/* The struct in all the sizes that a caller built against another version may have. `call` uses `o`; it gives `fine` when the options
   are understood. `undo` runs after each success. */
#define SIZES(type, initial, call, fine, undo)                             \
  do {                                                                     \
    struct {                                                               \
      type options;                                                        \
      char tail[64];                                                       \
    } room = {initial, {0}};                                               \
    type *o = &room.options;                                               \
    o->struct_size = 0;                                                    \
    INVALID(call);                                                         \
    o->struct_size = sizeof(size_t) - 1;                                   \
    INVALID(call);                                                         \
    o->struct_size = SIZE_MAX;                                             \
    INVALID(call);                                                         \
    o->struct_size = sizeof room;                                          \
    CHECK_EQUAL(call, fine);                                               \
    undo;                                                                  \
    room.tail[63] = 1;                                                     \
    CHECK_EQUAL(call, -E2BIG);                                             \
    room.tail[63] = 0, room.tail[0] = 1;                                   \
    CHECK_EQUAL(call, -E2BIG);                                             \
    o->struct_size = sizeof *o;                                            \
    CHECK_EQUAL(call, fine);                                               \
    undo;                                                                  \
  } while (0)

#endif
