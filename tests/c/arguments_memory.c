/* The kinds of memory beside POSIX memory: what each function refuses, and that plain C programs have the same objects. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>

static int poison;
static char path[96];
static int key;

#define REFUSED(out, call)                                                  \
  do {                                                                      \
    (out) = (void *)&poison;                                                \
    CHECK_EQUAL(call, -EINVAL);                                             \
    CHECK((out) == NULL);                                                   \
  } while (0)
#define INVALID(call) CHECK_EQUAL(call, -EINVAL)

typedef int make(const char *, const unipc_memory_options *, unipc_memory **);
typedef int make_numbered(int32_t, const unipc_memory_options *, unipc_memory **);

static unipc_memory_options sized(size_t size) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = size;
  return options;
}

static void what_is_refused(void) {
  unipc_memory *memory;
  unipc_memory_options good = sized(4096), bad;
  static make *const named[] = {unipc_memory_create_file, unipc_memory_open_file, unipc_memory_open_or_create_file,
                                unipc_memory_create_memfd};
  static make_numbered *const numbered[] = {unipc_memory_create_sysv, unipc_memory_open_sysv, unipc_memory_open_or_create_sysv};
  unipc_memory_options wrong[10];
  for (size_t i = 0; i < 10; i++) wrong[i] = good;
  wrong[0].access = 3, wrong[1].huge_pages = 3, wrong[2].require_seals = 64, wrong[3].prefault = 2, wrong[4].pinned = 2;
  wrong[5].executable = 2, wrong[6].checked = 2, wrong[7].any_owner = 2, wrong[8].struct_size = 3, wrong[9].temporary = UINT32_MAX;
  for (size_t i = 0; i < 4; i++) {
    REFUSED(memory, named[i](NULL, &good, &memory));
    INVALID(named[i](path, &good, NULL));
    for (size_t j = 0; j < 10; j++) REFUSED(memory, named[i](path, &wrong[j], &memory));
    if (i == 1) continue;
    REFUSED(memory, named[i](path, NULL, &memory));
    bad = good, bad.access = UNIPC_COPY_ON_WRITE;
    REFUSED(memory, named[i](path, &bad, &memory));
  }
  for (size_t i = 0; i < 3; i++) {
    REFUSED(memory, numbered[i](0, &good, &memory));
    INVALID(numbered[i](key, &good, NULL));
    for (size_t j = 0; j < 10; j++) REFUSED(memory, numbered[i](key, &wrong[j], &memory));
    if (i != 1) REFUSED(memory, numbered[i](key, NULL, &memory));
  }
  INVALID(unipc_memory_create_private_sysv(&good, NULL));
  REFUSED(memory, unipc_memory_create_private_sysv(NULL, &memory));
  INVALID(unipc_memory_open_id_sysv(1, NULL, NULL));
  CHECK_EQUAL(unipc_memory_open_id_sysv(-1, NULL, &memory), -EIDRM);
  CHECK_EQUAL(unipc_memory_open_sysv(key, NULL, &memory), -ENOENT);
  CHECK_EQUAL(unipc_memory_remove_key_sysv(key), -ENOENT);
  INVALID(unipc_memory_remove_key_sysv(0));
  INVALID(unipc_memory_remove_sysv(NULL));
  INVALID(unipc_memory_seal(NULL, UNIPC_SEAL_GROW));
  INVALID(unipc_memory_seals(NULL));
  INVALID(unipc_memory_read_only_fd(NULL));
  INVALID(unipc_memory_flush(NULL, 0, 0, 0));
  INVALID(unipc_memory_advise(NULL, 0, 0, 0));
  INVALID(unipc_memory_prefault(NULL));
  INVALID(unipc_memory_pin(NULL));
  INVALID(unipc_memory_unpin(NULL));
  INVALID(unipc_memory_page_size(NULL));
  unipc_sysv_memory_status status = UNIPC_SYSV_MEMORY_STATUS_INIT, other;
  unipc_sysv_memory_status_init(NULL);
  unipc_sysv_memory_status_init(&other);
  CHECK(memcmp(&status, &other, sizeof status) == 0);
  INVALID(unipc_memory_get_status_sysv(NULL, &status));
  INVALID(unipc_memory_id_sysv(NULL));
  INVALID(unipc_memory_set_mode_sysv(NULL, 0));
  INVALID(unipc_memory_set_owner_sysv(NULL, 0, 0));
  CHECK_EQUAL(unipc_memory_create_anonymous(&good, &memory), 0);
  CHECK_EQUAL(unipc_memory_get_status_sysv(memory, &status), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_memory_remove_sysv(memory), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_memory_id_sysv(memory), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_memory_set_mode_sysv(memory, 0), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_memory_set_owner_sysv(memory, 0, 0), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_memory_seal(memory, UNIPC_SEAL_GROW), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_memory_seals(memory), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_memory_read_only_fd(memory), -EOPNOTSUPP);
  for (size_t size = SIZE_MAX; size > 4096; size /= 2) {
    INVALID(unipc_memory_flush(memory, size, 1, 0));
    INVALID(unipc_memory_flush(memory, 1, size, 0));
    INVALID(unipc_memory_advise(memory, size, 1, 0));
    INVALID(unipc_memory_advise(memory, 1, size, 0));
  }
  INVALID(unipc_memory_flush(memory, 0, 0, 4));
  INVALID(unipc_memory_advise(memory, 0, 0, 5));
  INVALID(unipc_memory_seal(memory, 64));
  unipc_memory_close(memory);
}

static void system_v(void) {
  unipc_memory *memory, *reader;
  unipc_memory_options options = sized(1000);
  CHECK_EQUAL(unipc_memory_create_sysv(key, &options, &memory), 0);
  CHECK_EQUAL(unipc_memory_was_created(memory), 1);
  CHECK_EQUAL(unipc_memory_write(memory, 0, "from here", 10), 0);
  CHECK_EQUAL(unipc_memory_create_sysv(key, &options, &reader), -EEXIST);
  int id = shmget(key, 1000, 0);
  CHECK_AT_LEAST(id, 0);
  char *address = shmat(id, NULL, 0);
  CHECK(strcmp(address, "from here") == 0);
  strcpy(address + 500, "from there");
  char text[16];
  CHECK_EQUAL(unipc_memory_read(memory, 500, text, 11), 0);
  CHECK(strcmp(text, "from there") == 0);
  struct {
    unipc_sysv_memory_status status;
    char tail[8];
  } room;
  unipc_sysv_memory_status_init(&room.status);
  room.status.struct_size = sizeof room; /* a newer program's */
  CHECK_EQUAL(unipc_memory_get_status_sysv(memory, &room.status), 0);
  CHECK_EQUAL(room.status.id, id);
  CHECK_EQUAL(room.status.key, key);
  CHECK_EQUAL(room.status.size, 1000);
  CHECK_EQUAL(room.status.attached, 2);
  CHECK_EQUAL(room.status.creator_pid, getpid());
  CHECK_EQUAL(room.status.mode, 0600);
  CHECK_EQUAL(room.status.uid, getuid());
  CHECK_EQUAL(unipc_memory_id_sysv(memory), id);
  CHECK_EQUAL(unipc_memory_set_mode_sysv(memory, 0640), 0);
  INVALID(unipc_memory_set_mode_sysv(memory, 01000));
  CHECK_EQUAL(unipc_memory_set_owner_sysv(memory, UINT32_MAX, UINT32_MAX), 0);
  CHECK_EQUAL(unipc_memory_get_status_sysv(memory, &room.status), 0);
  CHECK_EQUAL(room.status.mode, 0640);
  CHECK_EQUAL(room.status.uid, getuid());
  CHECK_EQUAL(unipc_memory_set_mode_sysv(memory, 0), 0);
  INVALID(unipc_memory_get_status_sysv(memory, NULL));
  room.status.struct_size = 3;
  INVALID(unipc_memory_get_status_sysv(memory, &room.status));
  options.access = UNIPC_READ_ONLY;
  CHECK_EQUAL(unipc_memory_open_sysv(key, &options, &reader), 0);
  CHECK_EQUAL(unipc_memory_write(reader, 0, "x", 1), -EACCES);
  unipc_memory_close(reader);
  options.size = 1001;
  CHECK_EQUAL(unipc_memory_open_or_create_sysv(key, &options, &reader), UNIPC_WRONG_SIZE);
  CHECK_EQUAL(unipc_memory_open_id_sysv(id, NULL, &reader), 0);
  CHECK_EQUAL(unipc_memory_remove_sysv(reader), 0);
  unipc_memory_close(reader);
  CHECK_EQUAL(unipc_memory_remove_sysv(memory), 0); /* still there for those who are attached */
  unipc_memory_close(memory);
  CHECK_EQUAL(shmdt(address), 0);
  CHECK_EQUAL(unipc_memory_open_id_sysv(id, NULL, &memory), -EIDRM);
  CHECK(shmget(key, 0, 0) < 0 && errno == ENOENT);
  options = sized(1), options.temporary = 1;
  CHECK_EQUAL(unipc_memory_create_private_sysv(&options, &memory), 0);
  unipc_memory_close(memory);
  CHECK_EQUAL(unipc_memory_open_or_create_sysv(key, &options, &memory), 0);
  unipc_memory_close(memory);
  CHECK_EQUAL(unipc_memory_remove_key_sysv(key), -ENOENT);
}

static void files(void) {
  unipc_memory *memory, *other;
  unipc_memory_options options = sized(9000);
  options.mode = 0640;
  CHECK_EQUAL(unipc_memory_create_file(path, &options, &memory), 0);
  strcpy((char *)unipc_memory_address(memory) + 8192, "through the address");
  CHECK_EQUAL(unipc_memory_flush(memory, 8192, 20, 0), 0);
  CHECK_EQUAL(unipc_memory_flush(memory, 0, 0, UNIPC_FLUSH_NO_WAIT | UNIPC_FLUSH_INVALIDATE), 0);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  char text[32];
  CHECK_EQUAL(pread(fd, text, 20, 8192), 20);
  CHECK(strcmp(text, "through the address") == 0);
  struct stat status;
  CHECK_EQUAL(fstat(fd, &status), 0);
  CHECK_EQUAL(status.st_mode & 07777, 0640);
  options.offset = 8192, options.length = 100, options.size = 0, options.access = UNIPC_COPY_ON_WRITE;
  CHECK_EQUAL(unipc_memory_open_file(path, &options, &other), 0);
  CHECK_EQUAL(unipc_memory_size(other), 100);
  CHECK_EQUAL(unipc_memory_write(other, 0, "PRIVATE", 7), 0);
  CHECK_EQUAL(unipc_memory_flush(other, 0, 0, 0), -EOPNOTSUPP);
  CHECK_EQUAL(unipc_memory_read(memory, 8192, text, 20), 0);
  CHECK(strcmp(text, "through the address") == 0);
  CHECK_EQUAL(unipc_memory_advise(other, 0, 0, UNIPC_ADVICE_DONT_NEED), 0);
  CHECK(strcmp(unipc_memory_address(other), "through the address") == 0);
  unipc_memory_close(other);
  for (unsigned advice = UNIPC_ADVICE_NORMAL; advice <= UNIPC_ADVICE_DONT_NEED; advice++) {
    CHECK_EQUAL(unipc_memory_advise(memory, 1, 5000, advice), 0);
  }
  CHECK_EQUAL(ftruncate(fd, 100), 0);
  CHECK_EQUAL(unipc_memory_read(memory, 8192, text, 20), UNIPC_WRONG_SIZE);
  CHECK_EQUAL(unipc_memory_write(memory, 90, text, 11), UNIPC_WRONG_SIZE);
  CHECK_EQUAL(unipc_memory_write(memory, 90, text, 10), 0);
  CHECK_EQUAL(unipc_memory_open_or_create_file(path, &options, &other), -EINVAL);
  CHECK_EQUAL(close(fd), 0);
  CHECK_EQUAL(unipc_memory_seals(memory) < 0, 1);
  unipc_memory_close(memory);
  options = sized(100);
  CHECK_EQUAL(unipc_memory_open_or_create_file(path, &options, &other), 0);
  CHECK_EQUAL(unipc_memory_was_created(other), 0);
  unipc_memory_close(other);
  CHECK_EQUAL(unlink(path), 0);
}

static void memfds(void) {
  unipc_memory *memory, *other;
  unipc_memory_options options = sized(5000);
  options.prefault = 1;
  CHECK_EQUAL(unipc_memory_create_memfd("bulk", &options, &memory), 0);
  CHECK_EQUAL(unipc_memory_prefault(memory), 0);
  CHECK_EQUAL(unipc_memory_page_size(memory), sysconf(_SC_PAGESIZE));
  CHECK_EQUAL(unipc_memory_pin(memory), 0);
  CHECK_EQUAL(unipc_memory_unpin(memory), 0);
  CHECK_EQUAL(unipc_memory_write(memory, 0, "sealed", 7), 0);
  CHECK_EQUAL(unipc_memory_seals(memory) & ~UNIPC_SEAL_EXEC, 0);
  options = sized(0), options.require_seals = UNIPC_SEAL_SHRINK, options.access = UNIPC_READ_ONLY;
  int fd = unipc_memory_read_only_fd(memory);
  CHECK_AT_LEAST(fd, 0);
  CHECK_EQUAL(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
  CHECK_EQUAL(unipc_memory_from_fd(fd, &options, &other), -EPERM);
  CHECK_EQUAL(unipc_memory_seal(memory, UNIPC_SEAL_SHRINK | UNIPC_SEAL_GROW | UNIPC_SEAL_WRITE), 0);
  CHECK_EQUAL(unipc_memory_seals(memory) & ~UNIPC_SEAL_EXEC, UNIPC_SEAL_SHRINK | UNIPC_SEAL_GROW | UNIPC_SEAL_WRITE);
  CHECK_EQUAL(fcntl(fd, F_GET_SEALS) & ~UNIPC_SEAL_EXEC, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  CHECK_EQUAL(unipc_memory_write(memory, 0, "x", 1), -EACCES);
  CHECK_EQUAL(unipc_memory_from_fd(fd, &options, &other), 0);
  CHECK(strcmp(unipc_memory_address(other), "sealed") == 0);
  unipc_memory_close(other);
  CHECK_EQUAL(unipc_memory_resize(memory, 1), -EACCES);
  unipc_memory_close(memory);
  options = sized(4096);
  options.huge_pages = UNIPC_HUGE_PAGES_TRY;
  CHECK_EQUAL(unipc_memory_create_memfd("", &options, &memory), 0);
  CHECK_AT_LEAST(unipc_memory_size(memory), 4096);
  CHECK_AT_LEAST(unipc_memory_page_size(memory), 4096);
  unipc_memory_close(memory);
  options = sized(4096);
  options.address = (void *)0x700000000000;
  CHECK_EQUAL(unipc_memory_create_memfd("", &options, &memory), 0);
  CHECK(unipc_memory_address(memory) == options.address);
  CHECK_EQUAL(unipc_memory_create_anonymous(&options, &other), -EEXIST);
  unipc_memory_close(memory);
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/arguments_memory.%d", (int)getpid());
  key = 0x56000000 | ((int)getpid() & 0xffffff);
  house before = house_now();
  what_is_refused();
  system_v();
  files();
  memfds();
  house_check(before);
  return 0;
}
