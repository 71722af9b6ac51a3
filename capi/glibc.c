/* Leads functions of glibc to their first version; see build.rs, which reads the names from here. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define JUMP "jmp "
#define PLT "@PLT"
#define PORT "GLIBC_2.2.5"
#define LATER "GLIBC_2.12"
#elif defined(__aarch64__)
#define JUMP "b "
#define PLT ""
#define PORT "GLIBC_2.17"
#define LATER "GLIBC_2.17"
#else
#error "the first versions of glibc's functions on this processor are not known here"
#endif

/* A jump leaves every argument where it is. */
#define FIRST(name, version) \
  __asm__(".pushsection .text.first_" #name ",\"ax\",%progbits\n" \
          ".globl __wrap_" #name "\n.hidden __wrap_" #name "\n.type __wrap_" #name ", %function\n" \
          "__wrap_" #name ": " JUMP "first_" #name PLT "\n" \
          ".symver first_" #name ", " #name "@" version "\n" \
          ".popsection");

FIRST(dlsym, PORT)
FIRST(pthread_attr_setstacksize, PORT)
FIRST(pthread_create, PORT)
FIRST(pthread_detach, PORT)
FIRST(pthread_join, PORT)
FIRST(pthread_key_create, PORT)
FIRST(pthread_key_delete, PORT)
FIRST(pthread_setspecific, PORT)
FIRST(pthread_setname_np, LATER)
FIRST(pthread_sigmask, PORT)
FIRST(pthread_mutex_clocklock, "GLIBC_2.30")
FIRST(pthread_mutex_trylock, PORT)
FIRST(pthread_mutex_consistent, LATER)
FIRST(pthread_mutexattr_init, PORT)
FIRST(pthread_mutexattr_setpshared, PORT)
FIRST(pthread_mutexattr_setrobust, LATER)
FIRST(pthread_mutexattr_settype, PORT)
FIRST(pthread_mutexattr_destroy, PORT)
FIRST(sem_init, PORT)
FIRST(sem_post, PORT)
FIRST(sem_getvalue, PORT)
FIRST(sem_trywait, PORT)
FIRST(sem_clockwait, "GLIBC_2.30")

/* Before glibc 2.33, stat and its relatives were inline calls of functions with other names. The kernel's struct is the same one. */
#define HIDDEN __attribute__((visibility("hidden")))
HIDDEN int __wrap_stat(const char *path, struct stat *status);
HIDDEN int __wrap_stat64(const char *path, struct stat *status);
HIDDEN int __wrap_fstat64(int descriptor, struct stat *status);
HIDDEN int __wrap_fstat(int descriptor, struct stat *status);
HIDDEN int __wrap_lstat(const char *path, struct stat *status);
HIDDEN int __wrap_fstatat(int directory, const char *path, struct stat *status, int flags);

int __wrap_stat(const char *path, struct stat *status) { return (int)syscall(SYS_newfstatat, AT_FDCWD, path, status, 0); }
int __wrap_stat64(const char *path, struct stat *status) { return (int)syscall(SYS_newfstatat, AT_FDCWD, path, status, 0); }
int __wrap_fstat64(int descriptor, struct stat *status) { return (int)syscall(SYS_fstat, descriptor, status); }
int __wrap_fstat(int descriptor, struct stat *status) { return (int)syscall(SYS_fstat, descriptor, status); }
int __wrap_lstat(const char *path, struct stat *status) { return (int)syscall(SYS_newfstatat, AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW); }
int __wrap_fstatat(int directory, const char *path, struct stat *status, int flags) { return (int)syscall(SYS_newfstatat, directory, path, status, flags); }
