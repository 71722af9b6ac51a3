/* unipc: every way that processes on a machine talk to each other. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Generated from the sources of the library; do not edit.
 *
 * Compile and link with   cc program.c $(pkg-config --cflags --libs unipc)
 *
 * What holds for every function:
 *
 * - A result of zero or more is success. A negative result is -errno, or one of the UNIPC_* codes below -10000; then nothing was acquired, and
 *   handles that were to be received are NULL. unipc_error_text tells the whole story of the calling thread's last failure.
 * - A timeout is in nanoseconds: UNIPC_FOREVER, or for instance 100 * UNIPC_MILLISECOND. Zero or less never waits: what would have to gives -EAGAIN.
 *   Running out of time gives -ETIMEDOUT. A signal does not end a wait; a stop token does, with -ECANCELED.
 * - Options may be NULL. A struct of options begins as its _INIT macro; zero in a field is the default of the field.
 * - NULL where it is not allowed gives -EINVAL. Closing NULL is fine.
 * - A thread is not cancelled (pthread_cancel) while it is inside a call: a stop token ends waits.
 * - Descriptors are close-on-exec. Names are checked, never shortened. Objects of other users are refused unless any_owner is set.
 */
#ifndef UNIPC_H
#define UNIPC_H

#include <stddef.h>
#include <stdint.h>

/* Times, in nanoseconds. */
#define UNIPC_NANOSECOND INT64_C(1)
#define UNIPC_MICROSECOND INT64_C(1000)
#define UNIPC_MILLISECOND INT64_C(1000000)
#define UNIPC_SECOND INT64_C(1000000000)
#define UNIPC_MINUTE INT64_C(60000000000)
/* Wait without a limit. */
#define UNIPC_FOREVER INT64_MAX

#ifdef __cplusplus
extern "C" {
#endif

/* ---- General: versions, results, errors ------------------------------------------------------------------ */

/** The major version. While it is 0, the ABI may change with every minor version, and the soname with it. */
#define UNIPC_VERSION_MAJOR 0

/** The minor version. */
#define UNIPC_VERSION_MINOR 1

/** The patch version. */
#define UNIPC_VERSION_PATCH 0

/** A switch in an options struct that has a default of its own: on. */
#define UNIPC_ON 1

/** A switch in an options struct that has a default of its own: off. */
#define UNIPC_OFF 2

/** lock_recover: the lock is held, and its last holder died. Repair what it protects, then mark it consistent. */
#define UNIPC_NEEDS_REPAIR 1

/** The other side has ended: nothing more will come. */
#define UNIPC_END (-10001)

/** The handle was made by the parent process and does not work in a child made by fork. */
#define UNIPC_FORKED (-10002)

/** A bug in this library was caught at its border; nothing was acquired. */
#define UNIPC_PANIC (-10003)

/** This build or this system cannot do it. */
#define UNIPC_UNAVAILABLE (-10004)

/** The name belongs to an object of another kind: a file that is no FIFO, no socket, no memory. */
#define UNIPC_WRONG_KIND (-10005)

/** The object is smaller than what was asked for. */
#define UNIPC_WRONG_SIZE (-10006)

/** An object in memory was made by another ABI, is of another kind, or belongs to another pid namespace. */
#define UNIPC_INCOMPATIBLE (-10007)

/** The stream ended inside a message, or inside what was to be read whole. */
#define UNIPC_TRUNCATED (-10008)

/**
 * The version of the library that is running, "0.1.0".
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
const char *unipc_version(void);

/**
 * The sentence for a result code: what was tried, on which object, why it failed, and the remedy where one is known.
 *
 * If the last failure of this thread had this code, the sentence is about that failure; else it explains the code alone.
 *
 * @param code      what a function of this library returned
 * @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
 * @param capacity  bytes in buffer; a longer text is cut at a whole character
 * @return          the length of the whole text in bytes without the NUL (so compare with capacity, as with snprintf)
 *
 * Threads: any; each has its own last failure. Fork: the child keeps the forking thread's. Signal-safe: no. Since 0.1.
 */
ptrdiff_t unipc_error_text(int code, char *buffer, size_t capacity);

/**
 * The name of a result code: "EAGAIN", "UNIPC_END"; "success" for zero and more, "unknown" for a number that is no code.
 *
 * The text is static. Threads: any. Signal-safe: yes. Since 0.1.
 */
const char *unipc_error_name(int code);

/**
 * Writes "what: sentence" and a newline to standard error.
 *
 * @param what  what the program was doing; may be NULL
 * @param code  what a function of this library returned
 * @return      1, so that main can return unipc_error_print("counter", r);
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_error_print(const char *what, int code);

/* ---- Stop tokens: ending a wait early -------------------------------------------------------------------- */

/**
 * A stop token: ends waits from a signal handler or from another thread. Each wait of a thread that has bound the token then fails with
 * -ECANCELED, now and until unipc_stop_reset.
 *
 * A handle costs one descriptor and one page. After fork, parent and child share the token: a request in either ends the waits of both, and a reset in either
 * holds for both.
 */
typedef struct unipc_stop unipc_stop;

/**
 * Makes a stop token.
 *
 * @param stop  receives the handle, or NULL on failure; close it with unipc_stop_close
 * @return      0; -EMFILE, -ENFILE: no descriptor left; -ENOMEM; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See eventfd(2).
 */
int unipc_stop_create(unipc_stop **stop);

/**
 * Ends every wait that uses the token. errno is left as it was.
 *
 * @return  0; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_stop_request(const unipc_stop *stop);

/**
 * Makes the token usable again. A request that comes at the same time may be lost.
 *
 * @return  0; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_stop_reset(const unipc_stop *stop);

/**
 * Whether a request stands.
 *
 * @return  1 or 0; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_stop_is_requested(const unipc_stop *stop);

/**
 * Binds the token to the calling thread: every call of this library in which the thread sleeps looks at it. A thread has one token at most;
 * binding another replaces it. The thread keeps the token alive, also after unipc_stop_close.
 *
 * @param stop  the token, or NULL to bind none
 * @return      0
 *
 * Threads: speaks of the calling one. Fork: the child's thread keeps the binding. Signal-safe: no. Since 0.1.
 */
int unipc_stop_bind(const unipc_stop *stop);

/**
 * A descriptor that is readable while a request stands, for poll, epoll and event loops. It belongs to the token: do not read or close it.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_stop_fd(const unipc_stop *stop);

/**
 * Closes the handle; NULL is fine. A thread that has bound the token keeps it alive.
 *
 * A signal handler must not use the handle any more. Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
void unipc_stop_close(unipc_stop *stop);

/* ---- Streams: bytes without boundaries ------------------------------------------------------------------- */

/** shutdown: nothing more will be read. */
#define UNIPC_SHUTDOWN_READ 1

/** shutdown: nothing more will be written; the other side meets the end. */
#define UNIPC_SHUTDOWN_WRITE 2

/** shutdown: both. */
#define UNIPC_SHUTDOWN_BOTH 3

/**
 * A stream of bytes: a pipe end, a FIFO end, a Unix or TCP connection. Order is kept, nothing is lost, boundaries are not kept.
 *
 * A handle costs one descriptor; a FIFO, and a pipe on a kernel before 6.4, a second one with the first call that has a limit. fork hands it on. Two threads may
 * use one handle, one reading and one writing. Closing it while another thread waits in it is not allowed: end the wait first, by a stop token or
 * unipc_stream_shutdown.
 */
typedef struct unipc_stream unipc_stream;

/** Options of unipc_pipe_create. Begin with UNIPC_PIPE_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_pipe_options {
  /** sizeof(unipc_pipe_options) */
  size_t struct_size;
  /** the least number of bytes that it holds; 0: the system's, 64 KiB as a rule */
  size_t capacity;
} unipc_pipe_options;

/** Options of FIFOs. Begin with UNIPC_FIFO_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_fifo_options {
  /** sizeof(unipc_fifo_options) */
  size_t struct_size;
  /** open: the least number of bytes that it holds; 0: left as it is */
  size_t capacity;
  /** create: the group, by name or number; NULL: the process's */
  const char *group;
  /** open: nanoseconds to wait for another process to create the path */
  int64_t wait_for_creator;
  /** create: permissions, set whatever the umask says; 0: 0600 */
  uint32_t mode;
  /** open: 1 accepts FIFOs of users other than oneself and root */
  uint32_t any_owner;
  /** reader: 1 holds a writing end too, so that the end never comes between two clients; it does not wait for a writer */
  uint32_t keep_open;
  /** reader: 1 does not wait for a writer */
  uint32_t unpaired;
} unipc_fifo_options;

/** A place to be filled. The layout of struct iovec. */
typedef struct unipc_buffer {
  /** where; may be NULL if length is 0 */
  void *data;
  /** bytes */
  size_t length;
} unipc_buffer;

/** Bytes to be sent. The layout of struct iovec. */
typedef struct unipc_bytes {
  /** where; may be NULL if length is 0 */
  const void *data;
  /** bytes */
  size_t length;
} unipc_bytes;

/** Sets struct_size and zeroes the rest, as UNIPC_PIPE_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_pipe_options_init(unipc_pipe_options *options);

/**
 * Makes a pipe: what is written to one end comes out of the other. The end comes to the reader when the last copy of the writing end is closed.
 *
 * @param options  the capacity; NULL: the system's
 * @param reader   receives the end that bytes come out of, or NULL on failure; close it with unipc_stream_close
 * @param writer   receives the end that bytes go into, or NULL on failure; close it with unipc_stream_close
 * @return         0; -EMFILE, -ENFILE; -EPERM: a capacity above /proc/sys/fs/pipe-max-size; -EINVAL: NULL, capacity; -E2BIG: an option that
 *                 this version does not know
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pipe(2), pipe(7).
 */
int unipc_pipe_create(const unipc_pipe_options *options, unipc_stream **reader, unipc_stream **writer);

/** Sets struct_size and zeroes the rest, as UNIPC_FIFO_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_fifo_options_init(unipc_fifo_options *options);

/**
 * Makes a FIFO, exclusively.
 *
 * @param path     where
 * @param options  mode, group; NULL: 0600
 * @return         0; -EEXIST: there is something at the path; -ENOENT: no such directory; -EACCES, -EROFS, -ENOSPC; -EINVAL: NULL, an empty path,
 *                 mode or group; -ENAMETOOLONG; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mkfifo(3), fifo(7).
 */
int unipc_fifo_create(const char *path, const unipc_fifo_options *options);

/**
 * Removes a FIFO. Who has it open goes on using it.
 *
 * @return  0; -ENOENT; UNIPC_WRONG_KIND: no FIFO, it stays; -ELOOP: a symbolic link, it stays; -EACCES, -EPERM; -EINVAL: NULL or empty
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unlink(2).
 */
int unipc_fifo_unlink(const char *path);

/**
 * Opens the reading end of a FIFO, and waits for a writer unless options say keep_open or unpaired. It never creates.
 *
 * @param path     the FIFO
 * @param options  any_owner, keep_open, unpaired, capacity, wait_for_creator; NULL: defaults
 * @param timeout  nanoseconds for a writer to open; UNIPC_FOREVER; zero or less never waits
 * @param stream   receives the handle, or NULL on failure; close it with unipc_stream_close
 * @return         0; -ENOENT: also when the wait for the creator is over; -EAGAIN, -ETIMEDOUT: no writer; -ECANCELED: the bound stop token; -EPERM: it
 *                 belongs to another user; -EACCES; -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no FIFO; -EINVAL: NULL or empty; -E2BIG, -EMFILE, -ENFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See fifo(7).
 */
int unipc_stream_open_fifo_reader(const char *path, const unipc_fifo_options *options, int64_t timeout,
    unipc_stream **stream);

/**
 * Opens the writing end of a FIFO, and waits for a reader. It never creates.
 *
 * @return  as unipc_stream_open_fifo_reader; -EAGAIN, -ETIMEDOUT: no reader
 *
 * Threads: any. Signal-safe: no. Since 0.1. See fifo(7).
 */
int unipc_stream_open_fifo_writer(const char *path, const unipc_fifo_options *options, int64_t timeout,
    unipc_stream **stream);

/**
 * unipc_stream_open_fifo_reader, and makes the FIFO if there is none, with the mode and group of the options.
 *
 * @return  as unipc_stream_open_fifo_reader and unipc_fifo_create, but for -EEXIST
 *
 * Threads: any. Signal-safe: no. Since 0.1. See fifo(7).
 */
int unipc_stream_open_or_create_fifo_reader(const char *path, const unipc_fifo_options *options,
    int64_t timeout, unipc_stream **stream);

/**
 * unipc_stream_open_fifo_writer, and makes the FIFO if there is none, with the mode and group of the options.
 *
 * @return  as unipc_stream_open_fifo_writer and unipc_fifo_create, but for -EEXIST
 *
 * Threads: any. Signal-safe: no. Since 0.1. See fifo(7).
 */
int unipc_stream_open_or_create_fifo_writer(const char *path, const unipc_fifo_options *options,
    int64_t timeout, unipc_stream **stream);

/**
 * Two connected Unix sockets, for a process and the child that it forks.
 *
 * @param first   receives one end, or NULL on failure; close it with unipc_stream_close
 * @param second  receives the other end, or NULL on failure; close it with unipc_stream_close
 * @return        0; -EMFILE, -ENFILE, -ENOBUFS; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See socketpair(2).
 */
int unipc_stream_pair_unix(unipc_stream **first, unipc_stream **second);

/**
 * Ignores SIGPIPE in the whole process from now on, as most servers do; the programs that it starts begin with it ignored, too.
 *
 * No writer needs it here: a write to a pipe whose reader is gone gives -EPIPE and no signal in any case. But a write that raises none costs the
 * kernel 0.1 microseconds more than a plain one; a process that has called this writes plainly. Whoever changes the disposition of SIGPIPE
 * afterwards has writes that raise it.
 *
 * @return  0
 *
 * Threads: any. Fork: the child ignores it, too. Signal-safe: no. Since 0.1. See sigaction(2), pwritev2(2).
 */
int unipc_ignore_sigpipe(void);

/**
 * Reads what there is, at least one byte.
 *
 * @param buffer    where to; may be NULL if capacity is 0
 * @param capacity  bytes
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return          how many bytes came; 0: the end (or capacity is 0); -EAGAIN, -ETIMEDOUT: nothing came; -ECANCELED: the bound stop token;
 *                  -ECONNRESET; -EBADF: not open for reading; -EINVAL: NULL, capacity above PTRDIFF_MAX
 *
 * Threads: one reader at a time gets bytes in order. Fork: the handle works in the child. Signal-safe: no. Since 0.1. See read(2), recv(2).
 */
ptrdiff_t unipc_stream_read(unipc_stream *stream, void *buffer, size_t capacity, int64_t timeout);

/**
 * Writes what there is room for, at least one byte. Nobody is killed by SIGPIPE.
 *
 * @param data     where from; may be NULL if length is 0
 * @param length   bytes
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         how many bytes went out; -EAGAIN, -ETIMEDOUT: no room for any; -EPIPE: nobody reads any more; -ECONNRESET; -ECANCELED: the bound
 *                 stop token; -EBADF: not open for writing; -EINVAL: NULL, length above PTRDIFF_MAX
 *
 * Threads: pieces of at most PIPE_BUF bytes that several write into one pipe for ever stay whole. Fork: the handle works in the child.
 * Signal-safe: no. Since 0.1. See write(2), send(2).
 */
ptrdiff_t unipc_stream_write(unipc_stream *stream, const void *data, size_t length, int64_t timeout);

/**
 * Fills the buffer whole.
 *
 * @param buffer       where to; may be NULL if length is 0
 * @param length       bytes
 * @param timeout      nanoseconds for all of it; UNIPC_FOREVER; zero or less never waits
 * @param transferred  receives how many bytes came, also in failure; may be NULL
 * @return             0; UNIPC_END: the end came before the first byte; UNIPC_TRUNCATED: it came in the middle; else as unipc_stream_read
 *
 * Threads: as unipc_stream_read. Signal-safe: no. Since 0.1.
 */
int unipc_stream_read_exact(unipc_stream *stream, void *buffer, size_t length, int64_t timeout,
    size_t *transferred);

/**
 * Writes everything.
 *
 * @param data         where from; may be NULL if length is 0
 * @param length       bytes
 * @param timeout      nanoseconds for all of it; UNIPC_FOREVER; zero or less never waits
 * @param transferred  receives how many bytes went out, also in failure; may be NULL
 * @return             0; else as unipc_stream_write, and a part may have gone out
 *
 * Threads: as unipc_stream_write. Signal-safe: no. Since 0.1.
 */
int unipc_stream_write_all(unipc_stream *stream, const void *data, size_t length, int64_t timeout,
    size_t *transferred);

/**
 * Reads what there is, at least one byte, into several buffers one after the other. The first 1024 buffers count.
 *
 * @param buffers  where to; may be NULL if count is 0
 * @param count    how many
 * @return         as unipc_stream_read
 *
 * Threads: as unipc_stream_read. Signal-safe: no. Since 0.1. See readv(2).
 */
ptrdiff_t unipc_stream_read_vectored(unipc_stream *stream, const unipc_buffer *buffers, size_t count,
    int64_t timeout);

/**
 * Writes what there is room for, at least one byte, from several pieces one after the other. The first 1024 pieces count.
 *
 * @param parts  where from; may be NULL if count is 0
 * @param count  how many
 * @return       as unipc_stream_write
 *
 * Threads: as unipc_stream_write. Signal-safe: no. Since 0.1. See writev(2).
 */
ptrdiff_t unipc_stream_write_vectored(unipc_stream *stream, const unipc_bytes *parts, size_t count,
    int64_t timeout);

/**
 * Ends one direction or both of a socket, for everybody who holds it.
 *
 * @param how  UNIPC_SHUTDOWN_READ, UNIPC_SHUTDOWN_WRITE or UNIPC_SHUTDOWN_BOTH
 * @return     0; -EOPNOTSUPP: a pipe, whose end is closed instead; -ENOTCONN; -EINVAL: NULL, no such direction
 *
 * Threads: any, also while others wait in the stream: they wake up. Signal-safe: no. Since 0.1. See shutdown(2).
 */
int unipc_stream_shutdown(unipc_stream *stream, int how);

/**
 * How many bytes a pipe or FIFO holds.
 *
 * @return  bytes; -EOPNOTSUPP: a socket; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See fcntl(2), F_GETPIPE_SZ.
 */
int64_t unipc_stream_capacity(const unipc_stream *stream);

/**
 * Sets how many bytes a pipe or FIFO holds.
 *
 * @param capacity  bytes; rounded up to a power of two of pages
 * @return          what was got; -EPERM: above /proc/sys/fs/pipe-max-size; -EBUSY: below what it holds at the moment; -EOPNOTSUPP: a socket;
 *                  -EINVAL: NULL, 0, or above INT32_MAX
 *
 * Threads: any. Signal-safe: no. Since 0.1. See fcntl(2), F_SETPIPE_SZ.
 */
int64_t unipc_stream_set_capacity(unipc_stream *stream, size_t capacity);

/**
 * The address of the other end: "/path", "@name", "127.0.0.1:80", "[::1]:80"; empty for a Unix socket that has none.
 *
 * @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
 * @param capacity  bytes in buffer; a longer text is cut
 * @return          the length of the whole text without the NUL; -ENOTSOCK: a pipe; -ENOTCONN; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See getpeername(2).
 */
ptrdiff_t unipc_stream_peer_address(const unipc_stream *stream, char *buffer, size_t capacity);

/**
 * The descriptor, which stays the handle's: readable until a read that does not wait says -EAGAIN. For poll, epoll and event loops.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_stream_fd(const unipc_stream *stream);

/**
 * Takes over a descriptor that carries bytes: a pipe, a FIFO, a connected stream socket, a terminal, a file. It is taken over on success alone, and
 * made close-on-exec.
 *
 * @param fd      an open descriptor
 * @param stream  receives the handle, or NULL on failure; close it with unipc_stream_close
 * @return        0; -EBADF; UNIPC_WRONG_KIND: it carries no bytes, or listens; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_stream_from_fd(int fd, unipc_stream **stream);

/**
 * Gives the descriptor away; the handle is gone. A reader that was opened with keep_open meets the end from then on.
 *
 * @return  the descriptor, which is the caller's; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_stream_into_fd(unipc_stream *stream);

/**
 * Closes the stream; NULL is fine.
 *
 * Threads: none may use the handle meanwhile. Fork: the other process's copy stays open. Signal-safe: no. Since 0.1.
 */
void unipc_stream_close(unipc_stream *stream);

/* ---- Sockets: connections and listeners ------------------------------------------------------------------ */

/** A socket that listens: Unix or TCP. A handle costs one descriptor. fork hands it on; several processes may accept from it. */
typedef struct unipc_listener unipc_listener;

/** Options of unipc_listener_open_unix. Begin with UNIPC_UNIX_LISTEN_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_unix_listen_options {
  /** sizeof(unipc_unix_listen_options) */
  size_t struct_size;
  /** the group of the path, by name or number; NULL: the process's */
  const char *group;
  /** permissions of the path, set whatever the umask says; 0: 0600. To connect, one needs to write. */
  uint32_t mode;
  /** how many connections may wait to be accepted; 0: 128 */
  uint32_t backlog;
} unipc_unix_listen_options;

/** Options of unipc_stream_connect_unix. Begin with UNIPC_UNIX_CONNECT_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_unix_connect_options {
  /** sizeof(unipc_unix_connect_options) */
  size_t struct_size;
  /** 1 accepts a listener of a user other than oneself and root */
  uint32_t any_owner;
  /** 1 waits, within the timeout, for the listener to appear */
  uint32_t wait_for_listener;
} unipc_unix_connect_options;

/** Who is at the other end of a Unix socket, as the kernel noted it when the connection was made. Begin with UNIPC_CREDENTIALS_INIT. */
typedef struct unipc_credentials {
  /** sizeof(unipc_credentials) */
  size_t struct_size;
  /** the process that connected, listened or made the pair; 0: it is in another pid namespace. The number may have been reused since. */
  int32_t pid;
  /** its effective user */
  uint32_t uid;
  /** its effective group */
  uint32_t gid;
  /** zero */
  uint32_t reserved;
} unipc_credentials;

/** Options of TCP. Begin with UNIPC_TCP_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_tcp_options {
  /** sizeof(unipc_tcp_options) */
  size_t struct_size;
  /** UNIPC_ON or UNIPC_OFF: send small pieces at once; 0: on */
  uint32_t nodelay;
  /** UNIPC_ON or UNIPC_OFF: ask a silent peer whether it lives; 0: off */
  uint32_t keep_alive;
  /** seconds of silence before the first question; 0: the system's */
  uint32_t keep_alive_idle;
  /** seconds between questions; 0: the system's */
  uint32_t keep_alive_interval;
  /** questions without an answer before the connection is given up; 0: the system's */
  uint32_t keep_alive_count;
  /** listener: how many connections may wait to be accepted; 0: 128 */
  uint32_t backlog;
  /** 4, 6, or 0 for both */
  uint32_t family;
  /** listener: 1 lets several listeners share the port */
  uint32_t reuse_port;
  /** connect: 1 tries again, within the timeout, while the connection is refused */
  uint32_t wait_for_listener;
  /** connect: 1 looks a name up on a helper thread, so that the timeout covers it */
  uint32_t resolve_on_thread;
} unipc_tcp_options;

/** Sets struct_size and zeroes the rest, as UNIPC_UNIX_LISTEN_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_unix_listen_options_init(unipc_unix_listen_options *options);

/** Sets struct_size and zeroes the rest, as UNIPC_UNIX_CONNECT_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_unix_connect_options_init(unipc_unix_connect_options *options);

/**
 * Listens on a path, or on an abstract name that begins with "@". The path appears when the socket listens, not before; the path of a server that
 * has died is reclaimed, that of a live one never.
 *
 * @param path      at most 107 bytes, for an abstract name without the "@"
 * @param options   mode, group, backlog; NULL: 0600, 128
 * @param listener  receives the handle, or NULL on failure; close it with unipc_listener_close
 * @return          0; -EADDRINUSE: somebody listens there; UNIPC_WRONG_KIND: there is something else at the path, and it stays; -ENOENT: no such
 *                  directory; -EACCES, -EROFS, -ENOSPC; -EBUSY: the directory is kept locked; -ENAMETOOLONG; -EINVAL: NULL, an empty path, mode or
 *                  group; -E2BIG, -EMFILE, -ENFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7).
 */
int unipc_listener_open_unix(const char *path, const unipc_unix_listen_options *options,
    unipc_listener **listener);

/**
 * Connects to a path, or to an abstract name that begins with "@".
 *
 * @param path     at most 107 bytes, for an abstract name without the "@"
 * @param options  any_owner, wait_for_listener; NULL: listeners of oneself and root, that are there
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param stream   receives the handle, or NULL on failure; close it with unipc_stream_close
 * @return         0; -ENOENT; -ECONNREFUSED: nobody listens; UNIPC_WRONG_KIND: no socket; -ELOOP: a symbolic link; -EPERM: the listener is another user's;
 *                 -EACCES; -EAGAIN, -ETIMEDOUT: its queue is full; -ETIMEDOUT: also if wait_for_listener and nobody came to listen; -ECANCELED: the bound
 *                 stop token; -ENAMETOOLONG; -EINVAL: NULL or empty; -E2BIG, -EMFILE, -ENFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7).
 */
int unipc_stream_connect_unix(const char *path, const unipc_unix_connect_options *options, int64_t timeout,
    unipc_stream **stream);

/** Sets struct_size and zeroes the rest, as UNIPC_CREDENTIALS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_credentials_init(unipc_credentials *credentials);

/**
 * Who is at the other end of a Unix socket.
 *
 * @param credentials  receives the answer; its struct_size is set
 * @return             0; -EOPNOTSUPP: no Unix socket; -EINVAL: NULL, struct_size not set
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERCRED.
 */
int unipc_stream_peer_credentials(const unipc_stream *stream, unipc_credentials *credentials);

/**
 * A pidfd of the process at the other end of a Unix socket, which no reuse of its number can mislead: for waiting until it exits, and for signals.
 *
 * @return  a descriptor that is the caller's, close-on-exec; UNIPC_UNAVAILABLE: before Linux 6.5; -ESRCH: it is gone; -EOPNOTSUPP: no Unix socket;
 *          -EINVAL: NULL; -EMFILE, -ENFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pidfd_open(2).
 */
int unipc_stream_peer_pidfd(const unipc_stream *stream);

/** Sets struct_size and zeroes the rest, as UNIPC_TCP_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_tcp_options_init(unipc_tcp_options *options);

/**
 * Listens on a TCP address and port.
 *
 * @param host      a name, an IPv4 or an IPv6 literal ("0.0.0.0" is every IPv4 address); NULL: loopback
 * @param port      0 to 65535; 0: the system chooses, and unipc_listener_port tells
 * @param options   backlog, family, reuse_port; the rest is given to the accepted connections; NULL: defaults
 * @param listener  receives the handle, or NULL on failure; close it with unipc_listener_close
 * @return          0; -EADDRINUSE; -EADDRNOTAVAIL: an unknown name, or not this machine's address; -EACCES: a port below 1024; -EINVAL: NULL, port,
 *                  family; -E2BIG, -EMFILE, -ENFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See tcp(7), ip(7), ipv6(7).
 */
int unipc_listener_open_tcp(const char *host, uint32_t port, const unipc_tcp_options *options,
    unipc_listener **listener);

/**
 * Connects to a TCP address and port. Each address of a name is tried in turn, within the one timeout.
 *
 * @param host     a name, an IPv4 or an IPv6 literal; NULL: loopback
 * @param port     1 to 65535
 * @param options  nodelay, keep_alive, family, wait_for_listener, resolve_on_thread; NULL: defaults
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param stream   receives the handle, or NULL on failure; close it with unipc_stream_close
 * @return         0; -ECONNREFUSED; -EADDRNOTAVAIL: an unknown name; -EHOSTUNREACH, -ENETUNREACH; -EAGAIN, -ETIMEDOUT: no answer; -ETIMEDOUT: also if
 *                 wait_for_listener and nobody came to listen; -ECANCELED: the bound stop token; -EINVAL: NULL, port, family; -E2BIG, -EMFILE, -ENFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See tcp(7), getaddrinfo(3).
 */
int unipc_stream_connect_tcp(const char *host, uint32_t port, const unipc_tcp_options *options,
    int64_t timeout, unipc_stream **stream);

/**
 * Takes the next connection.
 *
 * When no descriptor or memory is left, the connection stays in the queue, and the call waits for some, within its timeout and 100 ms at most,
 * before it says so; a loop around it does not burn the processor.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param stream   receives the handle, or NULL on failure; close it with unipc_stream_close
 * @return         0; -EAGAIN, -ETIMEDOUT: nobody came; -ECANCELED: the bound stop token; -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: a shortage;
 *                 -EINVAL: NULL
 *
 * Threads: any, several at once. Fork: several processes may accept. Signal-safe: no. Since 0.1. See accept(2).
 */
int unipc_listener_accept(unipc_listener *listener, int64_t timeout, unipc_stream **stream);

/**
 * The port that a TCP listener listens on.
 *
 * @return  1 to 65535; -EOPNOTSUPP: a Unix listener; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_listener_port(const unipc_listener *listener);

/**
 * Where the listener listens: "/path", "@name", "127.0.0.1:80", "[::1]:80".
 *
 * @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
 * @param capacity  bytes in buffer; a longer text is cut
 * @return          the length of the whole text without the NUL; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See getsockname(2).
 */
ptrdiff_t unipc_listener_address(const unipc_listener *listener, char *buffer, size_t capacity);

/**
 * The descriptor, which stays the handle's: readable while there is a connection to accept. For poll, epoll and event loops.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_listener_fd(const unipc_listener *listener);

/**
 * Takes over a socket that listens, for instance from a service manager. It is taken over on success alone, and made close-on-exec. A blocking one
 * stays blocking; if other processes accept from it too, an accept with a timeout may then wait longer.
 *
 * @param fd        an open descriptor
 * @param listener  receives the handle, or NULL on failure; close it with unipc_listener_close
 * @return          0; -EBADF; UNIPC_WRONG_KIND: no stream socket that listens; -ENOTSOCK; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_listener_from_fd(int fd, unipc_listener **listener);

/**
 * Gives the descriptor away; the handle is gone. The path of a Unix listener stays.
 *
 * @return  the descriptor, which is the caller's; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_listener_into_fd(unipc_listener *listener);

/**
 * Closes the listener; NULL is fine. The path that it published is removed, unless another socket has taken it.
 *
 * Threads: none may use the handle meanwhile. Fork: closing in a child removes no path. Signal-safe: no. Since 0.1.
 */
void unipc_listener_close(unipc_listener *listener);

/* ---- Descriptors that travel, and who sends them --------------------------------------------------------- */

/** The most descriptors of one message. */
#define UNIPC_MOST_FDS 253

/**
 * Writes everything to a Unix stream, and sends descriptors with the first byte. They stay the caller's, too.
 *
 * @param data         at least one byte: without one the kernel sends nothing
 * @param length       bytes
 * @param fds          descriptors
 * @param fd_count     how many, at most UNIPC_MOST_FDS
 * @param timeout      nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param transferred  receives how many bytes went out, also in failure: if any, the descriptors did as well; may be NULL
 * @return             0; -EAGAIN, -ETIMEDOUT; -ECANCELED: the bound stop token; -EPIPE, -ECONNRESET; -EOPNOTSUPP: no Unix socket; -EBADF; -ETOOMANYREFS: too
 *                     many are on their way; -EINVAL: NULL, no byte, too many
 *
 * Threads: one writer at a time. Signal-safe: no. Since 0.1. See unix(7), SCM_RIGHTS.
 */
int unipc_stream_send_fds(unipc_stream *stream, const void *data, size_t length, const int *fds,
    size_t fd_count, int64_t timeout, size_t *transferred);

/**
 * Reads what there is from a Unix stream, at least one byte, and takes the descriptors that come with it. They are close-on-exec. A read takes
 * descriptors of one send only, and nothing that was written after them. An ordinary read closes what comes.
 *
 * @param buffer    where the bytes go
 * @param capacity  at least one
 * @param fds       receives the descriptors, which are then the caller's
 * @param maximum   how many there is room for
 * @param fd_count  receives how many came; 0 in failure
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return          how many bytes came; 0: the end; -EPROTO: the peer sent more than maximum; -EMFILE: this process has no room for them (in both cases
 *                  all are closed, and the bytes are lost); -EAGAIN, -ETIMEDOUT; -ECANCELED: the bound stop token; -ECONNRESET; -EOPNOTSUPP: no Unix
 *                  socket; -EINVAL: NULL, an empty buffer
 *
 * Threads: one reader at a time. Signal-safe: no. Since 0.1. See unix(7), recvmsg(2).
 */
ptrdiff_t unipc_stream_receive_fds(unipc_stream *stream, void *buffer, size_t capacity, int *fds,
    size_t maximum, size_t *fd_count, int64_t timeout);

/**
 * The supplementary groups of the process at the other end of a Unix socket, as it had them when the connection was made.
 *
 * @param groups    receives them; NULL if only the count is wanted
 * @param capacity  how many there is room for
 * @return          how many there are; -EOPNOTSUPP: no Unix socket; -ENODATA: nobody is there; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERGROUPS.
 */
ptrdiff_t unipc_stream_peer_groups(const unipc_stream *stream, uint32_t *groups, size_t capacity);

/**
 * What the security module (SELinux, AppArmor, Smack) calls the process at the other end of a Unix socket.
 *
 * @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
 * @param capacity  bytes in buffer; a longer text is cut
 * @return          the length of the whole text without the NUL; UNIPC_UNAVAILABLE: no such module; -EOPNOTSUPP: no Unix socket; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERSEC.
 */
ptrdiff_t unipc_stream_peer_label(const unipc_stream *stream, char *buffer, size_t capacity);

/**
 * A copy of another process's descriptor, close-on-exec. It takes the right to trace the process.
 *
 * @param pidfd   the process
 * @param number  what it calls the descriptor
 * @return        a descriptor that is the caller's; -EPERM; -EBADF: it has no such descriptor, or pidfd is none; -ESRCH: it has ended; -EMFILE;
 *                UNIPC_UNAVAILABLE: before Linux 5.6, or a sandbox refuses the call
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pidfd_getfd(2), ptrace(2).
 */
int unipc_descriptor_take(int pidfd, int number);

/* ---- Transfers: bytes between descriptors, without a copy where that can be ------------------------------ */

/** way: read and write, through a buffer of the process. */
#define UNIPC_TRANSFER_READ_WRITE 1

/** way: splice; one of the two is a pipe. */
#define UNIPC_TRANSFER_SPLICE 2

/** way: splice into a pipe of the call's own, and out of it again. */
#define UNIPC_TRANSFER_SPLICE_TWICE 3

/** way: sendfile, from a file. */
#define UNIPC_TRANSFER_SENDFILE 4

/** way: copy_file_range, from file to file. */
#define UNIPC_TRANSFER_COPY_FILE_RANGE 5

/** Options of unipc_transfer. Begin with UNIPC_TRANSFER_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_transfer_options {
  /** sizeof(unipc_transfer_options) */
  size_t struct_size;
  /** how many bytes; 0: to the end of the source */
  uint64_t length;
  /** with use_source_offset: where in the source, a file, to begin; its position stays */
  uint64_t source_offset;
  /** with use_destination_offset: where in the destination, a file, to begin; its position stays */
  uint64_t destination_offset;
  /** 0: the source is read at its position, which moves */
  uint32_t use_source_offset;
  /** 0: the destination is written at its position, which moves */
  uint32_t use_destination_offset;
  /** one of UNIPC_TRANSFER_...: this way alone; 0: the fastest that there is for the pair */
  uint32_t way;
} unipc_transfer_options;

/** What was transferred. Begin with UNIPC_TRANSFER_RESULT_INIT. */
typedef struct unipc_transfer_result {
  /** sizeof(unipc_transfer_result) */
  size_t struct_size;
  /** how many bytes the destination has got, also in failure */
  uint64_t bytes;
  /** the way that it went in the end, one of UNIPC_TRANSFER_...; 0 in failure */
  uint32_t way;
  /** 1: the source has ended */
  uint32_t at_end;
} unipc_transfer_result;

/** Sets struct_size and zeroes the rest, as UNIPC_TRANSFER_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_transfer_options_init(unipc_transfer_options *options);

/** Sets struct_size and zeroes the rest, as UNIPC_TRANSFER_RESULT_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_transfer_result_init(unipc_transfer_result *result);

/**
 * Transfers bytes from any descriptor to any: pipes, sockets, files, terminals, by the fastest way that the pair allows.
 *
 * A file is read or written at its position, which moves, unless an offset is used. A failure tells how many bytes the destination has got. Bytes
 * that were taken from the source and did not arrive are lost, and the text of the error says how many: that can happen from one socket to another, when the
 * destination breaks or, if somebody else writes to it, when the time is up.
 *
 * @param source       a descriptor that can be read; it stays the caller's
 * @param destination  a descriptor that can be written to; it stays the caller's
 * @param options      length, offsets, way; NULL: all there is, from the positions, by the fastest way
 * @param timeout      nanoseconds for all of it; UNIPC_FOREVER; zero or less never waits
 * @param result       receives what was transferred, also in failure; may be NULL
 * @return             0; -EPIPE, -ECONNRESET: nobody reads any more, no SIGPIPE is raised; -ENOSPC, -EDQUOT, -EFBIG, -EIO; -EAGAIN, -ETIMEDOUT;
 *                     -ECANCELED: the bound stop token; -EBADF; -ESPIPE: an offset in what is no file; -EMFILE, -ENFILE; -EINVAL: a way, or options, that are not
 *                     for the pair; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See splice(2), sendfile(2), copy_file_range(2).
 */
int unipc_transfer(int source, int destination, const unipc_transfer_options *options, int64_t timeout,
    unipc_transfer_result *result);

/**
 * Duplicates what is in a pipe into another, without taking it out: at least a byte.
 *
 * The next call begins with the same byte again, unless somebody has read it meanwhile: so read, or transfer, what was duplicated.
 *
 * @param source       the reading end of a pipe; it stays the caller's
 * @param destination  the writing end of another; it stays the caller's
 * @param length       at most so many bytes
 * @param timeout      nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return             how many bytes; 0: the end, or length is 0; -EAGAIN, -ETIMEDOUT: nothing there, or no room; -ECANCELED: the bound stop token; -EPIPE; -EBADF;
 *                     -EINVAL: no pipe, or twice the same
 *
 * Threads: any. Signal-safe: no. Since 0.1. See tee(2).
 */
ptrdiff_t unipc_transfer_tee(int source, int destination, size_t length, int64_t timeout);

/**
 * Lends bytes to a pipe instead of copying them into it: at least a byte.
 *
 * The pipe holds the pages, not the bytes: who reads later sees what stands there then. So the memory must neither be changed nor freed until the other end has
 * read the bytes into memory of its own, which only an answer of that process tells; that the pipe is empty does not, for they may have been spliced on.
 * It is for data that never changes: constants, a file that nobody writes, a sealed memfd.
 *
 * @param pipe     the writing end of a pipe; it stays the caller's
 * @param data     where the bytes stand, and stay
 * @param length   bytes
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         how many bytes, less than length if there is no room for more; -EAGAIN, -ETIMEDOUT: no room; -ECANCELED: the bound stop token; -EPIPE;
 *                 -EBADF: no pipe that can be written to; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See vmsplice(2).
 */
ptrdiff_t unipc_transfer_vmsplice(int pipe, const void *data, size_t length, int64_t timeout);

/**
 * What the system calls of a way are called: "sendfile".
 *
 * @return  a string that lives for ever; NULL: no such way
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
const char *unipc_transfer_way_name(uint32_t way);

/* ---- Messages: what is known of one ---------------------------------------------------------------------- */

/** What is known of a message that was received. Begin with UNIPC_MESSAGE_INFO_INIT. */
typedef struct unipc_message_info {
  /** sizeof(unipc_message_info) */
  size_t struct_size;
  /** bytes; also with -EMSGSIZE: how large a buffer must be */
  uint64_t size;
  /** its number in the order of sending; 0 where the mechanism counts none */
  uint64_t sequence;
  /** how many before it were lost to this receiver */
  uint64_t lost;
  /** the type of a System V message, else 0 */
  int64_t type;
  /** its priority, 0 where the mechanism has none; the highest comes first */
  uint32_t priority;
  /** how often it has been delivered, this time included; 0 where the mechanism does not count */
  uint32_t attempts;
  /** 1 if the next three say who sent it, as the kernel vouches for */
  uint32_t has_sender;
  /** the sending process; 0 in a pid namespace that is not ours */
  int32_t sender_pid;
  /** its effective user */
  uint32_t sender_uid;
  /** its effective group */
  uint32_t sender_gid;
  /** 1 if the next is a pidfd of the sender, which the caller closes; only where the socket was asked for pidfds */
  uint32_t has_sender_pidfd;
  /** a pidfd of the sending process */
  int32_t sender_pidfd;
} unipc_message_info;

/** Sets struct_size and zeroes the rest, as UNIPC_MESSAGE_INFO_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_message_info_init(unipc_message_info *info);

/* ---- Messages framed on a stream ------------------------------------------------------------------------- */

/**
 * Messages over any stream. On the wire: the length in four bytes, most significant first, then that many bytes.
 *
 * fork hands it on, but only one of the two processes can go on in the middle of a message; a child made while another thread was inside a call gets
 * UNIPC_FORKED for that direction. One thread at a time.
 */
typedef struct unipc_framed unipc_framed;

/** Options of unipc_framed_create. Begin with UNIPC_FRAMED_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_framed_options {
  /** sizeof(unipc_framed_options) */
  size_t struct_size;
  /** the largest message, in either direction, in bytes: at most UINT32_MAX; 0: 16 MiB */
  size_t largest;
} unipc_framed_options;

/** Sets struct_size and zeroes the rest, as UNIPC_FRAMED_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_framed_options_init(unipc_framed_options *options);

/**
 * Frames a stream.
 *
 * @param stream   taken over on success alone: then the handle is gone
 * @param options  largest; NULL: 16 MiB
 * @param framed   receives the handle, or NULL on failure; close it with unipc_framed_close
 * @return         0; -EINVAL: NULL, or largest above UINT32_MAX; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_framed_create(unipc_stream *stream, const unipc_framed_options *options, unipc_framed **framed);

/**
 * Sends a message.
 *
 * If time runs out after a part of it went out, the message counts as sent: its rest is kept, and goes out with the next unipc_framed_send or
 * unipc_framed_flush, before anything else.
 *
 * @param data     where from; may be NULL if length is 0
 * @param length   bytes, 0 for an empty message
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0; -EMSGSIZE: larger than the limit; -EAGAIN, -ETIMEDOUT, -ECANCELED: nothing of it went out; -EPIPE, -ECONNRESET: nobody reads
 *                 any more; -EINVAL: NULL
 *
 * Threads: one sends while another receives; a second sender gets -EBUSY. Signal-safe: no. Since 0.1.
 */
int unipc_framed_send(unipc_framed *framed, const void *data, size_t length, int64_t timeout);

/**
 * Receives a message.
 *
 * @param buffer    where to; may be NULL if capacity is 0
 * @param capacity  bytes
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param info      receives the size, also with -EMSGSIZE; may be NULL
 * @return          its length, 0 for an empty message; UNIPC_END: the stream has ended between messages; UNIPC_TRUNCATED: inside one; -EMSGSIZE: the
 *                  buffer is too small, the message stays; -EBADMSG: its header claims more than the limit, and what follows cannot be told
 *                  apart any more (also ever after UNIPC_TRUNCATED); -EAGAIN, -ETIMEDOUT, -ECANCELED: what has come of it is kept; -ECONNRESET; -EINVAL: NULL
 *
 * Threads: one receives while another sends; a second receiver gets -EBUSY. Signal-safe: no. Since 0.1.
 */
ptrdiff_t unipc_framed_receive(unipc_framed *framed, void *buffer, size_t capacity, int64_t timeout,
    unipc_message_info *info);

/**
 * Writes what unipc_framed_send has kept.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0: nothing is kept any more; -EAGAIN, -ETIMEDOUT, -ECANCELED: something still is; -EPIPE, -ECONNRESET; -EINVAL: NULL
 *
 * Threads: as unipc_framed_send. Signal-safe: no. Since 0.1.
 */
int unipc_framed_flush(unipc_framed *framed, int64_t timeout);

/**
 * The descriptor, which stays the handle's: readable while there is something to receive. For poll, epoll and event loops.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_framed_fd(const unipc_framed *framed);

/**
 * Gives the stream back, and the framing is gone. What was received or kept in part is lost.
 *
 * @return  the stream; NULL for NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
unipc_stream *unipc_framed_into_stream(unipc_framed *framed);

/**
 * Closes the stream and its framing; NULL is fine. What unipc_framed_send has kept is written if that needs no waiting.
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
void unipc_framed_close(unipc_framed *framed);

/* ---- POSIX message queues -------------------------------------------------------------------------------- */

/** queue access: sending and receiving, the default. */
#define UNIPC_MQ_BOTH 0

/** queue access: receiving alone. */
#define UNIPC_MQ_RECEIVE 1

/** queue access: sending alone. */
#define UNIPC_MQ_SEND 2

/** The highest priority of a message in a POSIX queue. */
#define UNIPC_MQ_HIGHEST_PRIORITY 32767

/**
 * A POSIX message queue: a bounded number of messages of a bounded size, the highest priority first, the oldest first within one. What plain C programs
 * open with mq_open. A message outlives its sender; the queue stays until it is unlinked or the machine restarts.
 *
 * A handle costs a descriptor. After fork the child has the queue as well; closing the handle there removes no name. Threads may use a handle
 * together, except for close.
 */
typedef struct unipc_mq unipc_mq;

/** Options of POSIX message queues. Begin with UNIPC_MQ_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_mq_options {
  /** sizeof(unipc_mq_options) */
  size_t struct_size;
  /** create: how many messages it holds; 0: the system's choice, mostly 10 */
  size_t capacity;
  /** create: the largest message in bytes; 0: the system's choice, mostly 8192; open: the least that will do, 0 for any */
  size_t largest;
  /** create: the group, by name or number; NULL: the process's */
  const char *group;
  /** open: nanoseconds to wait for another process to create the queue */
  int64_t wait_for_creator;
  /** create: permissions, set whatever the umask says; 0: 0600 */
  uint32_t mode;
  /** UNIPC_MQ_BOTH, UNIPC_MQ_RECEIVE or UNIPC_MQ_SEND */
  uint32_t access;
  /** open: 1 accepts queues of users other than oneself and root */
  uint32_t any_owner;
  /** create: 1 removes the name when the creator closes its handle */
  uint32_t temporary;
} unipc_mq_options;

/** What a POSIX message queue is like. Begin with UNIPC_MQ_ATTRIBUTES_INIT. */
typedef struct unipc_mq_attributes {
  /** sizeof(unipc_mq_attributes) */
  size_t struct_size;
  /** how many messages it holds */
  size_t capacity;
  /** the largest message in bytes, and so the smallest buffer to receive into */
  size_t largest;
  /** how many messages are in it now */
  size_t queued;
} unipc_mq_attributes;

/** Sets struct_size and zeroes the rest, as UNIPC_MQ_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_mq_options_init(unipc_mq_options *options);

/** Sets struct_size and zeroes the rest, as UNIPC_MQ_ATTRIBUTES_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_mq_attributes_init(unipc_mq_attributes *attributes);

/**
 * Creates a POSIX message queue. An existing one is left alone.
 *
 * @param name     at most 255 bytes; the leading slash is optional, no other is allowed
 * @param options  capacity, largest, mode, group, access, temporary; NULL: defaults
 * @param mq       receives the handle, or NULL on failure; close it with unipc_mq_close
 * @return         0; -EEXIST; -EINVAL: NULL, a bad name, mode, group or access, or sizes beyond the system's limits; -EMFILE: RLIMIT_MSGQUEUE has no
 *                 room for it, or no descriptor is left; -ENOSPC: too many queues; -EPERM: a group of others; -ENAMETOOLONG, -ENFILE, -ENOMEM; -E2BIG:
 *                 an option that this version does not know; UNIPC_UNAVAILABLE: a kernel without them. The text names the limit and its value.
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mq_open(3), mq_overview(7).
 */
int unipc_mq_create(const char *name, const unipc_mq_options *options, unipc_mq **mq);

/**
 * Opens a POSIX message queue that exists. It never creates.
 *
 * @param name     at most 255 bytes; the leading slash is optional, no other is allowed
 * @param options  access, largest (the least that will do), any_owner, wait_for_creator; NULL: defaults
 * @param mq       receives the handle, or NULL on failure; close it with unipc_mq_close
 * @return         0; -ENOENT: also when the wait for the creator is over; -ECANCELED: the bound stop token; -EPERM: it belongs to another user; -EACCES;
 *                 UNIPC_WRONG_SIZE: its messages are smaller than asked for; -EINVAL, -ENAMETOOLONG, -E2BIG, -EMFILE, -ENFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mq_open(3).
 */
int unipc_mq_open(const char *name, const unipc_mq_options *options, unipc_mq **mq);

/**
 * Opens a POSIX message queue, or creates it if there is none. The capacity counts only for the one who creates.
 *
 * @return  as unipc_mq_open and unipc_mq_create, but for -ENOENT, -EEXIST and -ECANCELED: it never waits
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mq_open(3).
 */
int unipc_mq_open_or_create(const char *name, const unipc_mq_options *options, unipc_mq **mq);

/**
 * Removes the name. Who has the queue open goes on using it.
 *
 * @return  0; -ENOENT; -EACCES, -EPERM: not allowed; -EINVAL, -ENAMETOOLONG: a bad name
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mq_unlink(3).
 */
int unipc_mq_unlink(const char *name);

/**
 * Sends a message.
 *
 * @param data      where from; may be NULL if length is 0
 * @param length    bytes, at most the queue's largest
 * @param priority  at most UNIPC_MQ_HIGHEST_PRIORITY; the highest is received first
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return          0; -EMSGSIZE: larger than the queue takes; -EINVAL: NULL, no such priority; -EBADF: open for receiving alone; -EAGAIN, -ETIMEDOUT,
 *                  -ECANCELED: the queue is full, nothing was sent
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mq_send(3).
 */
int unipc_mq_send(unipc_mq *mq, const void *data, size_t length, uint32_t priority, int64_t timeout);

/**
 * Receives the oldest message of the highest priority.
 *
 * @param buffer    where to
 * @param capacity  bytes, at least the queue's largest (unipc_mq_largest), however small the message
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param info      receives size and priority; with -EMSGSIZE the size that the buffer needs; may be NULL
 * @return          its length, 0 for an empty message; -EMSGSIZE: the buffer is too small, the message stays; -EBADF: open for sending alone;
 *                  -EAGAIN, -ETIMEDOUT, -ECANCELED: the queue is empty; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mq_receive(3).
 */
ptrdiff_t unipc_mq_receive(unipc_mq *mq, void *buffer, size_t capacity, int64_t timeout,
    unipc_message_info *info);

/**
 * The largest message in bytes, and so the smallest buffer to receive into. It never changes. 0 for NULL.
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
size_t unipc_mq_largest(const unipc_mq *mq);

/**
 * What the queue is like now.
 *
 * @param attributes  receives it; begin with UNIPC_MQ_ATTRIBUTES_INIT
 * @return            0; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mq_getattr(3).
 */
int unipc_mq_get_attributes(const unipc_mq *mq, unipc_mq_attributes *attributes);

/**
 * Asks for a signal when a message comes into the empty queue and nobody waits in a receive. Once: ask again, and then empty the queue, or a message
 * that came in between is told of by nobody. unipc_mq_fd is there for poll, and has no such limits.
 *
 * @param signal  its number
 * @param value   what the handler finds in si_value
 * @return        0; -EBUSY: somebody is told of this queue already; -EINVAL: NULL, no such signal
 *
 * Closing any handle of the queue ends it. Threads: any. Fork: the child is not told. Signal-safe: no. Since 0.1. See mq_notify(3), sigevent(3type).
 */
int unipc_mq_notify_signal(unipc_mq *mq, int signal, ptrdiff_t value);

/**
 * Takes back what unipc_mq_notify_signal has asked for.
 *
 * @return  0, also if this process has not asked; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mq_notify(3).
 */
int unipc_mq_cancel_notify(unipc_mq *mq);

/**
 * The descriptor, which stays the handle's: readable while there is a message, writable while there is room. For poll, epoll and event loops.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_mq_fd(const unipc_mq *mq);

/**
 * Makes a handle of a descriptor from elsewhere: inherited, or what mq_open gave on Linux. It is taken over on success alone, and made close-on-exec.
 *
 * @param fd  an open descriptor
 * @param mq  receives the handle, or NULL on failure; close it with unipc_mq_close
 * @return    0; -EBADF; UNIPC_WRONG_KIND: no message queue; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_mq_from_fd(int fd, unipc_mq **mq);

/**
 * Gives the descriptor away and closes the handle. The name stays, also of a temporary queue.
 *
 * @return  the descriptor, which is the caller's; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_mq_into_fd(unipc_mq *mq);

/**
 * Closes the handle; NULL is fine. A temporary queue loses its name when its creator closes.
 *
 * Threads: none may use the handle meanwhile. Fork: closing in a child removes no name. Signal-safe: no. Since 0.1.
 */
void unipc_mq_close(unipc_mq *mq);

/* ---- System V keys and message queues -------------------------------------------------------------------- */

/** receive flag: the type is the one not to receive. */
#define UNIPC_SYSV_QUEUE_EXCEPT 1

/** receive flag: what does not fit into the buffer is lost, and nobody can tell whether something was. */
#define UNIPC_SYSV_QUEUE_CUT 2

/**
 * A System V message queue: messages with a type, of which a receiver chooses. What plain C programs get with msgget. It stays until it is removed or
 * the machine restarts.
 *
 * A handle costs memory alone. After fork the child has the queue as well; closing the handle there removes nothing. Threads may use a handle
 * together, except for close. It is no descriptor: who waits with a limit probes, and is up to 10 ms late.
 */
typedef struct unipc_sysv_queue unipc_sysv_queue;

/** Options of System V message queues. Begin with UNIPC_SYSV_QUEUE_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_sysv_queue_options {
  /** sizeof(unipc_sysv_queue_options) */
  size_t struct_size;
  /** create: how many bytes of messages it holds; 0: the system's choice, kernel.msgmnb */
  size_t limit;
  /** create: the group, by name or number; NULL: the process's */
  const char *group;
  /** open: nanoseconds to wait for another process to create the queue */
  int64_t wait_for_creator;
  /** create: permissions; 0: 0600 */
  uint32_t mode;
  /** open: 1 accepts queues of users other than oneself and root */
  uint32_t any_owner;
  /** create: 1 removes the queue when the creator closes its handle */
  uint32_t temporary;
  /** zero */
  uint32_t reserved;
} unipc_sysv_queue_options;

/** What a System V message queue is like. Begin with UNIPC_SYSV_QUEUE_STATUS_INIT. */
typedef struct unipc_sysv_queue_status {
  /** sizeof(unipc_sysv_queue_status) */
  size_t struct_size;
  /** how many messages are in it */
  uint64_t messages;
  /** how many bytes these have */
  uint64_t bytes;
  /** how many bytes it holds, and how many messages */
  uint64_t limit;
  /** when it was sent to last: seconds since 1970, 0 for never */
  int64_t sent_at;
  /** when it was received from last: seconds since 1970, 0 for never */
  int64_t received_at;
  /** when it was made, or its limit or rights were changed: seconds since 1970 */
  int64_t changed_at;
  /** the kernel's number of it */
  int32_t id;
  /** its key; 0: private */
  int32_t key;
  /** the process that sent last, 0 for none */
  int32_t last_sender_pid;
  /** the process that received last, 0 for none */
  int32_t last_receiver_pid;
  /** its permissions */
  uint32_t mode;
  /** its owner */
  uint32_t uid;
  /** its group */
  uint32_t gid;
  /** who made it, and has an owner's rights as well */
  uint32_t creator_uid;
  /** the group of who made it */
  uint32_t creator_gid;
  /** zero */
  uint32_t reserved;
} unipc_sysv_queue_status;

/**
 * The key of a System V object that belongs to a file: the number that ftok gives, so that plain C programs agree.
 *
 * Two files may give one key, and a file that is deleted and made anew gives another one: a key says where to look, and not that the right object is
 * there.
 *
 * @param path  a file or directory that exists
 * @param id    1 to 255, for several objects of one file
 * @param key   receives the key, 0 on failure
 * @return      0; -ENOENT; -EACCES; -EINVAL: NULL, another id; -ENAMETOOLONG, -ENOTDIR, -ELOOP
 *
 * Threads: any. Signal-safe: no. Since 0.1. See ftok(3), sysvipc(7).
 */
int unipc_sysv_key(const char *path, int id, int32_t *key);

/** Sets struct_size and zeroes the rest, as UNIPC_SYSV_QUEUE_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_sysv_queue_options_init(unipc_sysv_queue_options *options);

/** Sets struct_size and zeroes the rest, as UNIPC_SYSV_QUEUE_STATUS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_sysv_queue_status_init(unipc_sysv_queue_status *status);

/**
 * Creates a System V message queue under a key. An existing one is left alone.
 *
 * @param key      not 0; unipc_sysv_key makes one of a path
 * @param options  limit, mode, group, temporary; NULL: defaults
 * @param queue    receives the handle, or NULL on failure; close it with unipc_sysv_queue_close
 * @return         0; -EEXIST; -EINVAL: NULL, the key 0, a bad mode or group; -ENOSPC: too many queues; -EPERM: a limit above kernel.msgmnb, or a group
 *                 of others; -ENOMEM, -E2BIG. The text names the limit and its value.
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgget(2), sysvipc(7).
 */
int unipc_sysv_queue_create(int32_t key, const unipc_sysv_queue_options *options, unipc_sysv_queue **queue);

/**
 * Creates a System V message queue without a key, for children made by fork, and for who is told its unipc_sysv_queue_id. It stays after its
 * creator all the same, unless it is temporary.
 *
 * @return  as unipc_sysv_queue_create, but for -EEXIST
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgget(2), IPC_PRIVATE.
 */
int unipc_sysv_queue_create_private(const unipc_sysv_queue_options *options, unipc_sysv_queue **queue);

/**
 * Opens a System V message queue that exists. It never creates.
 *
 * @param key      not 0; unipc_sysv_key makes one of a path
 * @param options  any_owner, wait_for_creator; NULL: defaults
 * @param queue    receives the handle, or NULL on failure; close it with unipc_sysv_queue_close
 * @return         0; -ENOENT: also when the wait for the creator is over; -ECANCELED: the bound stop token; -EPERM: it belongs to another user, or was
 *                 made by one; -EINVAL: NULL, the key 0; -EACCES, -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgget(2).
 */
int unipc_sysv_queue_open(int32_t key, const unipc_sysv_queue_options *options, unipc_sysv_queue **queue);

/**
 * Opens a System V message queue, or creates it if there is none. The limit counts only for the one who creates.
 *
 * @return  as unipc_sysv_queue_open and unipc_sysv_queue_create, but for -ENOENT, -EEXIST and -ECANCELED: it never waits
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgget(2).
 */
int unipc_sysv_queue_open_or_create(int32_t key, const unipc_sysv_queue_options *options,
    unipc_sysv_queue **queue);

/**
 * Opens a System V message queue by its number, which its creator has told.
 *
 * @param id       what unipc_sysv_queue_id gave there
 * @param options  any_owner; NULL: defaults
 * @param queue    receives the handle, or NULL on failure; close it with unipc_sysv_queue_close
 * @return         0; -EIDRM: there is none; -EPERM: it belongs to another user, or was made by one; -EINVAL: NULL; -EACCES, -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_sysv_queue_open_id(int id, const unipc_sysv_queue_options *options, unipc_sysv_queue **queue);

/**
 * Removes the queue of a key, with all that is in it. Who waits in it is told, by -EIDRM.
 *
 * @return  0; -ENOENT; -EPERM: neither owner nor creator; -EINVAL: the key 0
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_RMID.
 */
int unipc_sysv_queue_remove_key(int32_t key);

/**
 * Removes the queue with all that is in it. Who waits in it is told, by -EIDRM. The handle stays to be closed.
 *
 * @return  0; -EIDRM: it is gone already; -EPERM: neither owner nor creator; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_RMID.
 */
int unipc_sysv_queue_remove(unipc_sysv_queue *queue);

/**
 * The kernel's number for the queue, as ipcs -q shows it; never negative.
 *
 * @return  the number; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_sysv_queue_id(const unipc_sysv_queue *queue);

/**
 * Sends a message.
 *
 * @param data     where from; may be NULL if length is 0
 * @param length   bytes
 * @param type     at least 1
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0; -EMSGSIZE: above kernel.msgmax, or above all that the queue holds; -EINVAL: NULL, no such type; -EACCES; -EIDRM: the queue was
 *                 removed, before or meanwhile; -ENOMEM; -EAGAIN, -ETIMEDOUT, -ECANCELED: the queue is full, nothing was sent
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgsnd(2).
 */
int unipc_sysv_queue_send(unipc_sysv_queue *queue, const void *data, size_t length, int64_t type,
    int64_t timeout);

/**
 * Receives a message.
 *
 * @param type      0: the oldest; n: the oldest of type n; -n: of the lowest type there is, up to n
 * @param flags     0, or of UNIPC_SYSV_QUEUE_EXCEPT (any type but n) and UNIPC_SYSV_QUEUE_CUT
 * @param buffer    where to; may be NULL if capacity is 0
 * @param capacity  bytes
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param info      receives size and type; with -E2BIG the size that the buffer needs, 0 if the kernel does not let us look; may be NULL
 * @return          its length, 0 for an empty message; -E2BIG: the buffer is too small, the message stays; -EACCES; -EIDRM: the queue was removed,
 *                  before or meanwhile; -EINVAL: NULL, unknown flags, EXCEPT without a type; -EAGAIN, -ETIMEDOUT, -ECANCELED: there is no such message
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgrcv(2).
 */
ptrdiff_t unipc_sysv_queue_receive(unipc_sysv_queue *queue, int64_t type, uint32_t flags, void *buffer,
    size_t capacity, int64_t timeout, unipc_message_info *info);

/**
 * What the queue is like now.
 *
 * @param status  receives it; begin with UNIPC_SYSV_QUEUE_STATUS_INIT
 * @return        0; -EACCES: no right to read; -EIDRM: it was removed; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_STAT.
 */
int unipc_sysv_queue_get_status(const unipc_sysv_queue *queue, unipc_sysv_queue_status *status);

/**
 * Changes how many bytes of messages the queue holds.
 *
 * @param bytes  at least 1
 * @return       0; -EPERM: above kernel.msgmnb, or neither owner nor creator; -EACCES; -EIDRM: it was removed; -EINVAL: NULL, no bytes
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_SET.
 */
int unipc_sysv_queue_set_limit(unipc_sysv_queue *queue, size_t bytes);

/**
 * Changes the permissions.
 *
 * @param mode  up to 0777; 0: 0600
 * @return      0; -EPERM: neither owner nor creator; -EACCES; -EIDRM: it was removed; -EINVAL: NULL, other bits
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_SET.
 */
int unipc_sysv_queue_set_mode(unipc_sysv_queue *queue, uint32_t mode);

/**
 * Changes owner and group. Whoever made the queue keeps an owner's rights.
 *
 * @param uid  the owner; UINT32_MAX leaves it
 * @param gid  the group; UINT32_MAX leaves it
 * @return     0; -EPERM: neither owner nor creator; -EACCES; -EIDRM: it was removed; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), IPC_SET.
 */
int unipc_sysv_queue_set_owner(unipc_sysv_queue *queue, uint32_t uid, uint32_t gid);

/**
 * Closes the handle; NULL is fine. A temporary queue is removed when its creator closes.
 *
 * Threads: none may use the handle meanwhile. Fork: closing in a child removes nothing. Signal-safe: no. Since 0.1.
 */
void unipc_sysv_queue_close(unipc_sysv_queue *queue);

/* ---- Datagrams: messages without a connection, Unix and UDP ---------------------------------------------- */

/** multicast_ttl: messages to a group stay on this machine. */
#define UNIPC_THIS_MACHINE 256

/**
 * A datagram socket, Unix or UDP: messages whose boundaries are kept, without a connection and without an end. On one machine a Unix datagram is
 * never lost; UDP is, when a receiver's buffer is full.
 *
 * A handle costs one descriptor. fork hands it on; each message goes to one of several receivers. Any threads may send and receive.
 */
typedef struct unipc_datagram unipc_datagram;

/** Options of Unix datagram sockets. Begin with UNIPC_DATAGRAM_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_datagram_options {
  /** sizeof(unipc_datagram_options) */
  size_t struct_size;
  /** the group of the path, by name or number; NULL: the process's */
  const char *group;
  /** bytes of the sending buffer, which bound the largest message; 0: the system's, about 200 KB */
  size_t send_buffer;
  /** permissions of the path, set whatever the umask says; 0: 0600. To send there, one needs to write. */
  uint32_t mode;
  /** 1 tells with every message who sent it */
  uint32_t credentials;
  /** 1 gives a pidfd of the sender with every message, where the kernel has that (Linux 6.5) */
  uint32_t pidfds;
} unipc_datagram_options;

/** Options of UDP sockets. Begin with UNIPC_UDP_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_udp_options {
  /** sizeof(unipc_udp_options) */
  size_t struct_size;
  /** the interface, by name ("lo") or number, that messages to a group go out by; NULL: the system's choice */
  const char *multicast_interface;
  /** bytes of the sending buffer; 0: the system's */
  size_t send_buffer;
  /** bytes of the receiving buffer, above which messages are lost; 0: the system's */
  size_t receive_buffer;
  /** 4, 6, or 0 for both */
  uint32_t family;
  /** 1 allows sending to a broadcast address */
  uint32_t broadcast;
  /** 1 lets several sockets have the address and port, each of which receives what is sent to a group */
  uint32_t reuse_address;
  /** 1 lets several sockets share the port, each message going to one of them */
  uint32_t reuse_port;
  /** how many networks a message to a group may cross, 1 to 255, or UNIPC_THIS_MACHINE; 0: 1, this network alone */
  uint32_t multicast_ttl;
  /** UNIPC_ON or UNIPC_OFF: this machine's members receive what it sends to a group; 0: on */
  uint32_t multicast_loop;
} unipc_udp_options;

/** Sets struct_size and zeroes the rest, as UNIPC_DATAGRAM_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_datagram_options_init(unipc_datagram_options *options);

/**
 * A Unix datagram socket that receives at a path, or at an abstract name that begins with "@". The path of a receiver that has died is reclaimed, that
 * of a live one never.
 *
 * @param path      at most 107 bytes, counted from the root; "@" alone: an abstract name of the kernel's choice, which unipc_datagram_address tells;
 *                  NULL: none, the socket only sends
 * @param options   mode, group, credentials, pidfds, send_buffer; NULL: defaults
 * @param datagram  receives the handle, or NULL on failure; close it with unipc_datagram_close
 * @return          0; -EADDRINUSE: somebody is there; UNIPC_WRONG_KIND: there is something else at the path, and it stays; -ENOENT: no such directory;
 *                  -EACCES, -EROFS, -ENOSPC; -EBUSY: the directory is kept locked; -ENAMETOOLONG; -EINVAL: NULL, an empty path, mode or group; -E2BIG,
 *                  -EMFILE, -ENFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7).
 */
int unipc_datagram_open_unix(const char *path, const unipc_datagram_options *options,
    unipc_datagram **datagram);

/**
 * Two Unix datagram sockets that send to each other, for a process and the child that it forks.
 *
 * @param options  credentials, pidfds, send_buffer; NULL: defaults
 * @param first    receives one, or NULL on failure; close it with unipc_datagram_close
 * @param second   receives the other, or NULL on failure; close it with unipc_datagram_close
 * @return         0; -EMFILE, -ENFILE, -ENOBUFS; -EINVAL: NULL; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See socketpair(2).
 */
int unipc_datagram_pair_unix(const unipc_datagram_options *options, unipc_datagram **first,
    unipc_datagram **second);

/** Sets struct_size and zeroes the rest, as UNIPC_UDP_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_udp_options_init(unipc_udp_options *options);

/**
 * A UDP socket, bound to an address and port.
 *
 * @param host      a name, an IPv4 or an IPv6 literal ("0.0.0.0" is every IPv4 address); NULL: loopback
 * @param port      0 to 65535; 0: the system chooses, and unipc_datagram_port tells
 * @param options   NULL: defaults
 * @param datagram  receives the handle, or NULL on failure; close it with unipc_datagram_close
 * @return          0; -EADDRINUSE; -EADDRNOTAVAIL: an unknown name, or not this machine's address; -EACCES: a port below 1024; -ENODEV: no such interface;
 *                  -EINVAL: NULL, port, family; -E2BIG, -EMFILE, -ENFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See udp(7), ip(7), ipv6(7).
 */
int unipc_datagram_open_udp(const char *host, uint32_t port, const unipc_udp_options *options,
    unipc_datagram **datagram);

/**
 * Joins a multicast group.
 *
 * @param group      an IPv4 or IPv6 literal
 * @param interface  by name or number; NULL: the system's choice
 * @return           0; -EADDRINUSE: it has joined already; -ENODEV: no such interface; -EOPNOTSUPP: a Unix socket; -EINVAL: NULL, no group, the other family
 *
 * Threads: any. Signal-safe: no. Since 0.1. See ip(7), IP_ADD_MEMBERSHIP.
 */
int unipc_datagram_join_udp(unipc_datagram *datagram, const char *group, const char *interface);

/**
 * Leaves a multicast group.
 *
 * @param group      an IPv4 or IPv6 literal
 * @param interface  as it was joined
 * @return           0; -EADDRNOTAVAIL: it has not joined; else as unipc_datagram_join_udp
 *
 * Threads: any. Signal-safe: no. Since 0.1. See ip(7), IP_DROP_MEMBERSHIP.
 */
int unipc_datagram_leave_udp(unipc_datagram *datagram, const char *group, const char *interface);

/**
 * Gives the socket its receiver: unipc_datagram_send then goes there, and only what comes from there is received.
 *
 * @param address  "/path", "@name"; for UDP "127.0.0.1:80" or "[::1]:80", never a name
 * @param options  Unix: any_owner, wait_for_listener; NULL: receivers of oneself and root, that are there
 * @param timeout  nanoseconds to wait for the receiver to appear; UNIPC_FOREVER; zero or less never waits
 * @return         0; -ENOENT; -ECONNREFUSED: nobody receives there; UNIPC_WRONG_KIND, -ELOOP: no socket; -EPROTOTYPE: a socket of another type; -EPERM: the path
 *                 is another user's, or the receiver is connected to somebody else; -EACCES; -EAGAIN, -ETIMEDOUT, -ECANCELED; -EINVAL: NULL, no address; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See connect(2).
 */
int unipc_datagram_connect(unipc_datagram *datagram, const char *address,
    const unipc_unix_connect_options *options, int64_t timeout);

/**
 * Sends a message to whom the socket is connected to.
 *
 * @param data     may be NULL if length is 0
 * @param length   bytes; 0 is a message, too
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0; -ENOTCONN, -EDESTADDRREQ: it is not; -ECONNREFUSED: nobody receives there; -EMSGSIZE: larger than the buffer, or than 65507 bytes by
 *                 UDP; -EAGAIN, -ETIMEDOUT: the receiver's queue is full; -ECANCELED: the bound stop token; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See send(2).
 */
int unipc_datagram_send(unipc_datagram *datagram, const void *data, size_t length, int64_t timeout);

/**
 * Sends a message to an address. Whose it is is not looked at.
 *
 * @param address  "/path", "@name"; for UDP "127.0.0.1:80" or "[::1]:80", never a name
 * @param data     may be NULL if length is 0
 * @param length   bytes; 0 is a message, too
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         as unipc_datagram_send; -ENOENT: there is no such path; -EPROTOTYPE: a socket of another type; -EACCES: the path, or a broadcast
 *                 address without the option; -EINVAL: NULL, no address
 *
 * Threads: any. Signal-safe: no. Since 0.1. See send(2).
 */
int unipc_datagram_send_to(unipc_datagram *datagram, const char *address, const void *data, size_t length,
    int64_t timeout);

/**
 * Sends a message with descriptors, whole or not at all. They stay the caller's, too.
 *
 * @param address   as unipc_datagram_send_to; NULL: whom the socket is connected to
 * @param data      may be NULL if length is 0
 * @param length    bytes; 0 is a message, too
 * @param fds       descriptors
 * @param fd_count  how many, at most UNIPC_MOST_FDS
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return          as unipc_datagram_send_to; -EBADF; -ETOOMANYREFS: too many are on their way; -EOPNOTSUPP: UDP
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7), SCM_RIGHTS.
 */
int unipc_datagram_send_fds(unipc_datagram *datagram, const char *address, const void *data, size_t length,
    const int *fds, size_t fd_count, int64_t timeout);

/**
 * Receives a message.
 *
 * @param buffer    where to; may be NULL if capacity is 0
 * @param capacity  bytes
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param info      receives the size, also with -EMSGSIZE, and who sent it if credentials were asked for; may be NULL
 * @return          its length, 0 for an empty message; -EMSGSIZE: it did not fit and is lost (unipc_datagram_next_size looks before); -ECONNREFUSED: connected
 *                  by UDP to where nobody is; -EAGAIN, -ETIMEDOUT: nothing came; -ECANCELED: the bound stop token; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See recv(2).
 */
ptrdiff_t unipc_datagram_receive(unipc_datagram *datagram, void *buffer, size_t capacity, int64_t timeout,
    unipc_message_info *info);

/**
 * Receives a message, and the address of its sender.
 *
 * @param address           receives the sender's address as unipc_datagram_send_to takes it, "" for none, always NUL-terminated; may be NULL
 * @param address_capacity  bytes; 128 are enough for every address
 * @return                  as unipc_datagram_receive
 *
 * Threads: any. Signal-safe: no. Since 0.1. See recv(2).
 */
ptrdiff_t unipc_datagram_receive_from(unipc_datagram *datagram, void *buffer, size_t capacity,
    int64_t timeout, unipc_message_info *info, char *address, size_t address_capacity);

/**
 * Receives a message and the descriptors that come with it, which are close-on-exec.
 *
 * @param buffer    where to; may be NULL if capacity is 0
 * @param capacity  bytes
 * @param fds       receives the descriptors, which are then the caller's
 * @param maximum   how many there is room for
 * @param fd_count  receives how many came; 0 in failure
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param info      as unipc_datagram_receive
 * @return          as unipc_datagram_receive; -EPROTO: the sender sent more than maximum; -EMFILE: this process has no room for them (in both cases the
 *                  message is lost, and all is closed)
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7), recvmsg(2).
 */
ptrdiff_t unipc_datagram_receive_fds(unipc_datagram *datagram, void *buffer, size_t capacity, int *fds,
    size_t maximum, size_t *fd_count, int64_t timeout, unipc_message_info *info);

/**
 * The size of the next message, which stays.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         bytes; else as unipc_datagram_receive
 *
 * Threads: any; another receiver may take the message. Signal-safe: no. Since 0.1. See recv(2), MSG_PEEK.
 */
ptrdiff_t unipc_datagram_next_size(unipc_datagram *datagram, int64_t timeout);

/**
 * Where the socket receives: "/path", "@name", "127.0.0.1:80", "[::1]:80"; "" for nowhere.
 *
 * @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
 * @param capacity  bytes in buffer; a longer text is cut
 * @return          the length of the whole text without the NUL; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See getsockname(2).
 */
ptrdiff_t unipc_datagram_address(const unipc_datagram *datagram, char *buffer, size_t capacity);

/**
 * The port of a UDP socket.
 *
 * @return  1 to 65535; -EOPNOTSUPP: a Unix socket; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_datagram_port(const unipc_datagram *datagram);

/**
 * Takes over a datagram socket, Unix or UDP. It is taken over on success alone, and made close-on-exec.
 *
 * @param fd        an open descriptor
 * @param options   Unix: credentials, pidfds, send_buffer; NULL: defaults
 * @param datagram  receives the handle, or NULL on failure; close it with unipc_datagram_close
 * @return          0; -EBADF; UNIPC_WRONG_KIND: no datagram socket; -ENOTSOCK; -EINVAL: NULL; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_datagram_from_fd(int fd, const unipc_datagram_options *options, unipc_datagram **datagram);

/**
 * The descriptor, which stays the handle's: readable while there is something to receive. For poll, epoll and event loops.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_datagram_fd(const unipc_datagram *datagram);

/**
 * Gives the descriptor away; the handle is gone. The path of a Unix socket stays.
 *
 * @return  the descriptor, which is the caller's; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_datagram_into_fd(unipc_datagram *datagram);

/**
 * Closes it; NULL is fine. The path that it was bound to is removed, unless another socket has taken it.
 *
 * Threads: none may use the handle meanwhile. Fork: closing in a child removes no path. Signal-safe: no. Since 0.1.
 */
void unipc_datagram_close(unipc_datagram *datagram);

/* ---- Seqpackets: messages on a connection ---------------------------------------------------------------- */

/**
 * A Unix SEQPACKET connection: messages whose boundaries are kept, in order, both ways, and an end.
 *
 * A handle costs one descriptor. fork hands it on; each message goes to one of several receivers. Any threads may send and receive.
 */
typedef struct unipc_seqpacket unipc_seqpacket;

/** A SEQPACKET socket that listens. A handle costs one descriptor. fork hands it on; several processes may accept from it. */
typedef struct unipc_seqpacket_listener unipc_seqpacket_listener;

/** Options of seqpacket connections. Begin with UNIPC_SEQPACKET_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_seqpacket_options {
  /** sizeof(unipc_seqpacket_options) */
  size_t struct_size;
  /** bytes of the sending buffer, which bound the largest message; 0: the system's, about 200 KB */
  size_t send_buffer;
  /** 1 tells with every message who sent it */
  uint32_t credentials;
  /** 1 gives a pidfd of the sender with every message, where the kernel has that (Linux 6.5) */
  uint32_t pidfds;
} unipc_seqpacket_options;

/** Sets struct_size and zeroes the rest, as UNIPC_SEQPACKET_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_seqpacket_options_init(unipc_seqpacket_options *options);

/**
 * Listens on a path, or on an abstract name that begins with "@", as unipc_listener_open_unix does for streams.
 *
 * @param path      at most 107 bytes, for an abstract name without the "@"
 * @param options   mode, group, backlog; NULL: 0600, 128
 * @param listener  receives the handle, or NULL on failure; close it with unipc_seqpacket_listener_close
 * @return          as unipc_listener_open_unix
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7).
 */
int unipc_seqpacket_listener_open_unix(const char *path, const unipc_unix_listen_options *options,
    unipc_seqpacket_listener **listener);

/**
 * Takes the next connection, as unipc_listener_accept does for streams.
 *
 * @param options    credentials, pidfds, send_buffer of the connection; NULL: defaults
 * @param timeout    nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param seqpacket  receives the handle, or NULL on failure; close it with unipc_seqpacket_close
 * @return           as unipc_listener_accept; -E2BIG
 *
 * Threads: any, several at once. Fork: several processes may accept. Signal-safe: no. Since 0.1. See accept(2).
 */
int unipc_seqpacket_listener_accept(unipc_seqpacket_listener *listener,
    const unipc_seqpacket_options *options, int64_t timeout, unipc_seqpacket **seqpacket);

/**
 * Where the listener listens: "/path", "@name".
 *
 * @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
 * @param capacity  bytes in buffer; a longer text is cut
 * @return          the length of the whole text without the NUL; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See getsockname(2).
 */
ptrdiff_t unipc_seqpacket_listener_address(const unipc_seqpacket_listener *listener, char *buffer,
    size_t capacity);

/**
 * Takes over a seqpacket socket that listens. It is taken over on success alone, and made close-on-exec.
 *
 * @param fd        an open descriptor
 * @param listener  receives the handle, or NULL on failure; close it with unipc_seqpacket_listener_close
 * @return          0; -EBADF; UNIPC_WRONG_KIND: no seqpacket socket that listens; -ENOTSOCK; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_seqpacket_listener_from_fd(int fd, unipc_seqpacket_listener **listener);

/**
 * The descriptor, which stays the handle's: readable while there is a connection to accept. For poll, epoll and event loops.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_seqpacket_listener_fd(const unipc_seqpacket_listener *listener);

/**
 * Gives the descriptor away; the handle is gone. The path stays.
 *
 * @return  the descriptor, which is the caller's; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_seqpacket_listener_into_fd(unipc_seqpacket_listener *listener);

/**
 * Closes it; NULL is fine. The path that it published is removed, unless another socket has taken it.
 *
 * Threads: none may use the handle meanwhile. Fork: closing in a child removes no path. Signal-safe: no. Since 0.1.
 */
void unipc_seqpacket_listener_close(unipc_seqpacket_listener *listener);

/**
 * Connects to a path, or to an abstract name that begins with "@".
 *
 * @param path       at most 107 bytes, for an abstract name without the "@"
 * @param connect    any_owner, wait_for_listener; NULL: listeners of oneself and root, that are there
 * @param options    credentials, pidfds, send_buffer; NULL: defaults
 * @param timeout    nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param seqpacket  receives the handle, or NULL on failure; close it with unipc_seqpacket_close
 * @return           as unipc_stream_connect_unix; -EPROTOTYPE: a socket of another type
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7).
 */
int unipc_seqpacket_connect_unix(const char *path, const unipc_unix_connect_options *connect,
    const unipc_seqpacket_options *options, int64_t timeout, unipc_seqpacket **seqpacket);

/**
 * Two connected ends, for a process and the child that it forks.
 *
 * @param options  credentials, pidfds, send_buffer; NULL: defaults
 * @param first    receives one end, or NULL on failure; close it with unipc_seqpacket_close
 * @param second   receives the other end, or NULL on failure; close it with unipc_seqpacket_close
 * @return         0; -EMFILE, -ENFILE, -ENOBUFS; -EINVAL: NULL; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See socketpair(2).
 */
int unipc_seqpacket_pair_unix(const unipc_seqpacket_options *options, unipc_seqpacket **first,
    unipc_seqpacket **second);

/**
 * Sends a message, whole or not at all.
 *
 * @param data     may be NULL if length is 0
 * @param length   bytes; 0 is a message, too
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0; -EPIPE, -ECONNRESET: nobody receives any more; -EMSGSIZE: larger than the buffer; -EAGAIN, -ETIMEDOUT: the peer's queue is full;
 *                 -ECANCELED: the bound stop token; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See send(2).
 */
int unipc_seqpacket_send(unipc_seqpacket *seqpacket, const void *data, size_t length, int64_t timeout);

/**
 * Sends a message with descriptors, whole or not at all. They stay the caller's, too.
 *
 * @param data      may be NULL if length is 0
 * @param length    bytes; 0 is a message, too
 * @param fds       descriptors
 * @param fd_count  how many, at most UNIPC_MOST_FDS
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return          as unipc_seqpacket_send; -EBADF; -ETOOMANYREFS: too many are on their way
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7), SCM_RIGHTS.
 */
int unipc_seqpacket_send_fds(unipc_seqpacket *seqpacket, const void *data, size_t length, const int *fds,
    size_t fd_count, int64_t timeout);

/**
 * Receives a message.
 *
 * @param buffer    where to; may be NULL if capacity is 0
 * @param capacity  bytes
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param info      receives the size, also with -EMSGSIZE, and who sent it if credentials were asked for; may be NULL
 * @return          its length, 0 for an empty message; UNIPC_END: the peer has ended; -ECONNRESET: it has, without receiving everything; -EMSGSIZE: the
 *                  message did not fit and is lost (unipc_seqpacket_next_size looks before); -EAGAIN, -ETIMEDOUT: nothing came; -ECANCELED: the bound
 *                  stop token; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See recv(2).
 */
ptrdiff_t unipc_seqpacket_receive(unipc_seqpacket *seqpacket, void *buffer, size_t capacity, int64_t timeout,
    unipc_message_info *info);

/**
 * Receives a message and the descriptors that come with it, which are close-on-exec.
 *
 * @param buffer    where to; may be NULL if capacity is 0
 * @param capacity  bytes
 * @param fds       receives the descriptors, which are then the caller's
 * @param maximum   how many there is room for
 * @param fd_count  receives how many came; 0 in failure
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param info      as unipc_seqpacket_receive
 * @return          as unipc_seqpacket_receive; -EPROTO: the peer sent more than maximum; -EMFILE: this process has no room for them (in both cases the
 *                  message is lost, and all is closed)
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7), recvmsg(2).
 */
ptrdiff_t unipc_seqpacket_receive_fds(unipc_seqpacket *seqpacket, void *buffer, size_t capacity, int *fds,
    size_t maximum, size_t *fd_count, int64_t timeout, unipc_message_info *info);

/**
 * The size of the next message, which stays.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         bytes; else as unipc_seqpacket_receive
 *
 * Threads: any; another receiver may take the message. Signal-safe: no. Since 0.1. See recv(2), MSG_PEEK.
 */
ptrdiff_t unipc_seqpacket_next_size(unipc_seqpacket *seqpacket, int64_t timeout);

/**
 * Ends one direction or both: the peer then meets the end.
 *
 * @param how  UNIPC_SHUTDOWN_READ, UNIPC_SHUTDOWN_WRITE or UNIPC_SHUTDOWN_BOTH
 * @return     0; -EINVAL: NULL, how
 *
 * Threads: any; it wakes those that wait. Signal-safe: no. Since 0.1. See shutdown(2).
 */
int unipc_seqpacket_shutdown(unipc_seqpacket *seqpacket, int how);

/**
 * Who is at the other end, as the kernel noted it when the connection was made.
 *
 * @param credentials  receives the answer; its struct_size is set
 * @return             0; -EINVAL: NULL, struct_size not set
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERCRED.
 */
int unipc_seqpacket_peer_credentials(const unipc_seqpacket *seqpacket, unipc_credentials *credentials);

/**
 * A pidfd of the process at the other end, as unipc_stream_peer_pidfd.
 *
 * @return  a descriptor that is the caller's, close-on-exec; UNIPC_UNAVAILABLE: before Linux 6.5; -ESRCH: it is gone; -EINVAL: NULL; -EMFILE, -ENFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pidfd_open(2).
 */
int unipc_seqpacket_peer_pidfd(const unipc_seqpacket *seqpacket);

/**
 * The supplementary groups of the process at the other end, as unipc_stream_peer_groups.
 *
 * @param groups    receives them; NULL if only the count is wanted
 * @param capacity  how many there is room for
 * @return          how many there are; -ENODATA: nobody is there; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERGROUPS.
 */
ptrdiff_t unipc_seqpacket_peer_groups(const unipc_seqpacket *seqpacket, uint32_t *groups, size_t capacity);

/**
 * What the security module calls the process at the other end, as unipc_stream_peer_label.
 *
 * @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
 * @param capacity  bytes in buffer; a longer text is cut
 * @return          the length of the whole text without the NUL; UNIPC_UNAVAILABLE: no such module; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See unix(7), SO_PEERSEC.
 */
ptrdiff_t unipc_seqpacket_peer_label(const unipc_seqpacket *seqpacket, char *buffer, size_t capacity);

/**
 * The address of the other end: "/path", "@name", or "".
 *
 * @param buffer    where the text goes, always NUL-terminated; NULL if only the length is wanted
 * @param capacity  bytes in buffer; a longer text is cut
 * @return          the length of the whole text without the NUL; -ENOTCONN; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See getpeername(2).
 */
ptrdiff_t unipc_seqpacket_peer_address(const unipc_seqpacket *seqpacket, char *buffer, size_t capacity);

/**
 * Takes over a connected seqpacket socket. It is taken over on success alone, and made close-on-exec; SO_TIMESTAMPNS is set on it.
 *
 * @param fd         an open descriptor
 * @param options    credentials, pidfds, send_buffer; NULL: defaults
 * @param seqpacket  receives the handle, or NULL on failure; close it with unipc_seqpacket_close
 * @return           0; -EBADF; UNIPC_WRONG_KIND: no seqpacket socket, or it listens; -ENOTSOCK; -EINVAL: NULL; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_seqpacket_from_fd(int fd, const unipc_seqpacket_options *options, unipc_seqpacket **seqpacket);

/**
 * The descriptor, which stays the handle's: readable while there is something to receive. For poll, epoll and event loops.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_seqpacket_fd(const unipc_seqpacket *seqpacket);

/**
 * Gives the descriptor away; the handle is gone.
 *
 * @return  the descriptor, which is the caller's; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_seqpacket_into_fd(unipc_seqpacket *seqpacket);

/**
 * Closes it; NULL is fine.
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
void unipc_seqpacket_close(unipc_seqpacket *seqpacket);

/* ---- Memory: the same pages in several processes --------------------------------------------------------- */

/** memory access: reading and writing, the default. */
#define UNIPC_READ_WRITE 0

/** memory access: reading. A store through the address is SIGSEGV, a write through this library -EACCES. */
#define UNIPC_READ_ONLY 1

/** memory access: reading, and writing a private copy that nobody else sees. For what exists; not for System V memory. */
#define UNIPC_COPY_ON_WRITE 2

/** huge_pages: huge pages if the system has some to spare, else ordinary ones; unipc_memory_page_size tells. */
#define UNIPC_HUGE_PAGES_TRY 1

/** huge_pages: huge pages, or UNIPC_UNAVAILABLE. */
#define UNIPC_HUGE_PAGES_REQUIRE 2

/** memory seal: no seal can be added any more. */
#define UNIPC_SEAL_SEAL 1

/** memory seal: it cannot become smaller. */
#define UNIPC_SEAL_SHRINK 2

/** memory seal: it cannot become larger. */
#define UNIPC_SEAL_GROW 4

/** memory seal: nobody can write. */
#define UNIPC_SEAL_WRITE 8

/** memory seal: nobody can write but through the mappings that there are. */
#define UNIPC_SEAL_FUTURE_WRITE 16

/** memory seal: its permissions for execution stay as they are. */
#define UNIPC_SEAL_EXEC 32

/**
 * The same pages in several processes: a kernel object with raw bytes and no header, mapped into this process.
 *
 * A handle costs a descriptor (an anonymous memory: none) and a mapping, and another mapping per change of size. After fork the child has the
 * same pages; closing the handle there removes no name. Threads may use a handle together, except for resize, refresh, publish and close.
 */
typedef struct unipc_memory unipc_memory;

/** Options of memory. Begin with UNIPC_MEMORY_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_memory_options {
  /** sizeof(unipc_memory_options) */
  size_t struct_size;
  /** create: the size in bytes, at least 1; open: the least that will do, 0 for any */
  size_t size;
  /** create: the group, by name or number; NULL: the process's */
  const char *group;
  /** open: nanoseconds to wait for another process to create the object and give it its size */
  int64_t wait_for_creator;
  /** create: permissions, set whatever the umask says; 0: 0600 */
  uint32_t mode;
  /** UNIPC_READ_WRITE, UNIPC_READ_ONLY or UNIPC_COPY_ON_WRITE */
  uint32_t access;
  /** open: 1 accepts objects of users other than oneself and root */
  uint32_t any_owner;
  /** create: 1 removes the name when the creator closes its handle */
  uint32_t temporary;
  /** create: 1 makes the object without its name, which unipc_memory_publish gives */
  uint32_t unpublished;
  /** create: 1 does not reserve the pages; a store into a full system is then SIGBUS */
  uint32_t sparse;
  /** where the mapping is to be, a multiple of the page size; NULL leaves it to the kernel */
  void *address;
  /** open a file or fd: where the mapped range begins, a multiple of the page size */
  uint64_t offset;
  /** open a file or fd: bytes to map; 0: all to the end */
  size_t length;
  /** open a file or fd: the seals (UNIPC_SEAL_*) that it must have, else -EPERM */
  uint32_t require_seals;
  /** 1 has every page at hand before the call returns */
  uint32_t prefault;
  /** 1 keeps the pages in memory, never in swap space; RLIMIT_MEMLOCK limits it */
  uint32_t pinned;
  /** anonymous, memfd, System V: UNIPC_HUGE_PAGES_TRY or UNIPC_HUGE_PAGES_REQUIRE; 0: ordinary pages */
  uint32_t huge_pages;
  /** memfd: 1 leaves out the seal against being executed */
  uint32_t executable;
  /**
   * 1: unipc_memory_read and unipc_memory_write go through the kernel, so that an object which others shrink is an error and no
   * SIGBUS; always so for files
   */
  uint32_t checked;
} unipc_memory_options;

/** Sets struct_size and zeroes the rest, as UNIPC_MEMORY_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_memory_options_init(unipc_memory_options *options);

/**
 * Creates POSIX shared memory of zero bytes, /dev/shm/NAME. It has its size, its pages and its permissions before it has its name, and an
 * existing object is left alone.
 *
 * @param name     at most 255 bytes; the leading slash is optional, no other is allowed
 * @param options  size (needed), mode, group, temporary, unpublished, sparse, access
 * @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
 * @return         0; -EEXIST; -EINVAL: NULL, a bad name, size, mode or group; -ENAMETOOLONG; -ENOSPC, -ENOMEM: no room, and the text says how much is
 *                 left; -EPERM: a group of others; -EACCES; -EMFILE, -ENFILE; -E2BIG: an option that this version does not know
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shm_open(3), shm_overview(7).
 */
int unipc_memory_create_posix(const char *name, const unipc_memory_options *options, unipc_memory **memory);

/**
 * Opens POSIX shared memory that exists, and maps the whole of it. It never creates.
 *
 * @param name     at most 255 bytes; the leading slash is optional, no other is allowed
 * @param options  access, size (the least that will do), any_owner, wait_for_creator; NULL: defaults
 * @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
 * @return         0; -ENOENT; UNIPC_WRONG_SIZE: smaller than asked for, or without a size yet (both also when the wait for the creator is over);
 *                 -ECANCELED: the bound stop token; -EPERM: it belongs to another user; -EACCES; -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no regular file;
 *                 -EINVAL, -ENAMETOOLONG, -E2BIG, -EMFILE, -ENFILE, -ENOMEM
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shm_open(3).
 */
int unipc_memory_open_posix(const char *name, const unipc_memory_options *options, unipc_memory **memory);

/**
 * Opens POSIX shared memory, or creates it if there is none. unipc_memory_was_created tells which. With wait_for_creator it waits for one that has no
 * size yet.
 *
 * @return  as unipc_memory_open_posix and unipc_memory_create_posix, but for -ENOENT and -EEXIST
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shm_open(3).
 */
int unipc_memory_open_or_create_posix(const char *name, const unipc_memory_options *options,
    unipc_memory **memory);

/**
 * Removes the name. Who has the memory mapped goes on using it.
 *
 * @return  0; -ENOENT; -EACCES, -EPERM: not allowed; -EINVAL, -ENAMETOOLONG: a bad name
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shm_unlink(3).
 */
int unipc_memory_unlink_posix(const char *name);

/**
 * Makes pages of zero bytes without a name, which children made by fork share.
 *
 * @param options  size (needed), address, prefault, pinned, huge_pages; nothing else counts
 * @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
 * @return         0; -EINVAL: NULL, no size; -EEXIST: something is at the address; -ENOMEM; -EPERM, -EAGAIN: not to be pinned; UNIPC_UNAVAILABLE:
 *                 no huge pages; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mmap(2), MAP_ANONYMOUS.
 */
int unipc_memory_create_anonymous(const unipc_memory_options *options, unipc_memory **memory);

/**
 * Gives a memory that was made unpublished its name, exclusively. After -EEXIST it can be tried again.
 *
 * @return  0; -EEXIST; -EINVAL: NULL, or the memory has its name already
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1. See linkat(2).
 */
int unipc_memory_publish(unipc_memory *memory);

/**
 * Whether this handle made the object: after unipc_memory_open_or_create_posix, who has to fill it.
 *
 * @return  1: made by this handle; 0: it existed; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_memory_was_created(const unipc_memory *memory);

/**
 * The first byte of the newest mapping. Addresses from before a resize or refresh stay valid until the handle is closed.
 *
 * Other processes may write to the bytes at any time: keep to atomics, or to a lock that everybody keeps. If somebody shrinks the object, a
 * load behind its end is SIGBUS.
 *
 * @return  the address, aligned to a page; NULL for NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
void *unipc_memory_address(const unipc_memory *memory);

/**
 * The bytes that are mapped: the object's size when this handle opened, resized or refreshed it, not rounded to pages. 0 for NULL.
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
size_t unipc_memory_size(const unipc_memory *memory);

/**
 * Changes the size of the object, and maps the new one. Addresses from before stay valid; behind the end of a shrunk object lies SIGBUS.
 *
 * More than this handle has mapped only ever makes the object grow: what another process has added meanwhile stays. Who shrinks it, or makes it
 * grow with the option sparse, needs a lock against the others.
 *
 * @param size  bytes, at least 1
 * @return      0; -ENOSPC, -ENOMEM: no room; -EACCES: the handle is read-only; -EPERM: a sealed object; -EINVAL: NULL, no size; -EOPNOTSUPP:
 *              anonymous or System V memory; -EBUSY: another process that is changing the size stops there for 10 s. After a failure nothing has changed.
 *
 * Threads: none may use the handle meanwhile; addresses may be used. Signal-safe: no. Since 0.1. See ftruncate(2), fallocate(2).
 */
int unipc_memory_resize(unipc_memory *memory, size_t size);

/**
 * Maps what another process has made of the object's size. Addresses from before stay valid.
 *
 * @return  0; UNIPC_WRONG_SIZE: the object has no bytes; -EINVAL: NULL; -EOPNOTSUPP: anonymous or System V memory; -ENOMEM
 *
 * Threads: none may use the handle meanwhile; addresses may be used. Signal-safe: no. Since 0.1.
 */
int unipc_memory_refresh(unipc_memory *memory);

/**
 * Copies bytes out, by relaxed atomic words: what others write meanwhile arrives as a mixture of old and new, and nothing worse. Of a file, and with
 * the option checked, it goes through the kernel: that somebody has made the object smaller is then an error and no SIGBUS.
 *
 * @param offset  bytes from the start
 * @param buffer  where to; may be NULL if length is 0
 * @param length  bytes
 * @return        0; -EINVAL: NULL, or the bytes do not lie within the memory; then nothing was copied; UNIPC_WRONG_SIZE: the object has become
 *                smaller; -EIO
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_memory_read(const unipc_memory *memory, size_t offset, void *buffer, size_t length);

/**
 * Copies bytes in, by relaxed atomic words; of a file, and with the option checked, through the kernel.
 *
 * @param offset  bytes from the start
 * @param data    where from; may be NULL if length is 0
 * @param length  bytes
 * @return        0; -EINVAL: NULL, or the bytes do not lie within the memory; -EACCES: the handle is read-only; then nothing was copied;
 *                UNIPC_WRONG_SIZE: the object has become smaller; -EIO, -ENOSPC
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_memory_write(unipc_memory *memory, size_t offset, const void *data, size_t length);

/**
 * The descriptor of the object, which stays the handle's: for sending, not for closing.
 *
 * @return  the descriptor; -EOPNOTSUPP: anonymous or System V memory; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes, for memory that has a descriptor. Since 0.1.
 */
int unipc_memory_fd(const unipc_memory *memory);

/**
 * Maps an object by a descriptor from elsewhere: a memfd, a file, one that was received. The descriptor is taken over on success alone, and made
 * close-on-exec.
 *
 * Towards a sender that is not trusted, require_seals has to name UNIPC_SEAL_SHRINK at least: else each access may be SIGBUS.
 *
 * @param fd       an open descriptor
 * @param options  access, size (the least that will do), require_seals, offset, length, address, prefault, pinned, checked, sparse (for resize);
 *                 NULL: defaults
 * @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
 * @return         0; -EBADF; UNIPC_WRONG_KIND: no file or memory; UNIPC_WRONG_SIZE; -EACCES: not open for that access; -EPERM: a seal is missing, or it is
 *                 sealed against writing; -EINVAL, -E2BIG, -ENOMEM
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_memory_from_fd(int fd, const unipc_memory_options *options, unipc_memory **memory);

/**
 * Gives the descriptor away and closes the handle: addresses are no longer valid. The name stays, also of a temporary memory.
 *
 * @return  the descriptor, which is the caller's; -EOPNOTSUPP: anonymous or System V memory, and -EINVAL: NULL; then the handle stays
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_memory_into_fd(unipc_memory *memory);

/**
 * Closes the handle and unmaps; NULL is fine. A temporary memory loses its name when its creator closes.
 *
 * Threads: none may use the handle or an address meanwhile. Fork: closing in a child removes no name. Signal-safe: no. Since 0.1.
 */
void unipc_memory_close(unipc_memory *memory);

/* ---- Files as memory, and pages -------------------------------------------------------------------------- */

/** flush: do not wait until the bytes are on the disk. */
#define UNIPC_FLUSH_NO_WAIT 1

/** flush: other mappings are to show what was written. On Linux they always do; -EBUSY for pinned pages. */
#define UNIPC_FLUSH_INVALIDATE 2

/** advice: nothing special. */
#define UNIPC_ADVICE_NORMAL 0

/** advice: the range will be used in no order. */
#define UNIPC_ADVICE_RANDOM 1

/** advice: the range will be used from its beginning to its end. */
#define UNIPC_ADVICE_SEQUENTIAL 2

/** advice: the range will be used soon. */
#define UNIPC_ADVICE_WILL_NEED 3

/** advice: the range will not be used soon. The object keeps its bytes; a private copy loses what was written to it. */
#define UNIPC_ADVICE_DONT_NEED 4

/**
 * Creates a file of zero bytes, exclusively, and maps it. It has its size, its blocks and its permissions before it has its name; with the
 * option unpublished its content too.
 *
 * @param path     at most 4095 bytes
 * @param options  size (needed), mode, group, temporary, unpublished, sparse, access, address, prefault, pinned
 * @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
 * @return         0; -EEXIST; -EINVAL: NULL, a bad path, size, mode or group; -ENOENT, -ENOTDIR: no such directory; -ENAMETOOLONG; -ENOSPC, -EDQUOT: no
 *                 room; -EFBIG: RLIMIT_FSIZE, if SIGXFSZ is ignored; -EROFS, -EACCES, -EPERM; -EMFILE, -ENFILE, -ENOMEM; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mmap(2), fallocate(2).
 */
int unipc_memory_create_file(const char *path, const unipc_memory_options *options, unipc_memory **memory);

/**
 * Opens a file and maps it, or a range of it. A symbolic link at the end of the path is not followed.
 *
 * unipc_memory_read and unipc_memory_write of a file go through the kernel, so that a file which another process shortens is
 * UNIPC_WRONG_SIZE; through the address it is SIGBUS.
 *
 * @param path     at most 4095 bytes
 * @param options  access, size (the least that the file must have), offset, length, any_owner, wait_for_creator, address, prefault, pinned; NULL: defaults
 * @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
 * @return         0; -ENOENT; UNIPC_WRONG_SIZE: smaller than asked for, or empty (both also when the wait for the creator is over); -ECANCELED: the bound
 *                 stop token; -EPERM: it belongs to another user; -EACCES; -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no regular file; -EINVAL: also an
 *                 offset that is no multiple of the page size; -ENAMETOOLONG, -E2BIG, -EMFILE, -ENFILE, -ENOMEM
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mmap(2).
 */
int unipc_memory_open_file(const char *path, const unipc_memory_options *options, unipc_memory **memory);

/**
 * Opens a file and maps it, or creates it if there is none. unipc_memory_was_created tells which.
 *
 * @return  as unipc_memory_open_file and unipc_memory_create_file, but for -ENOENT of the file and -EEXIST
 *
 * Threads: any. Signal-safe: no. Since 0.1. See mmap(2).
 */
int unipc_memory_open_or_create_file(const char *path, const unipc_memory_options *options,
    unipc_memory **memory);

/**
 * Writes what was stored in a range of a mapped file to the disk, and waits until it is there. Other processes see it without.
 *
 * @param offset  bytes from the start
 * @param length  bytes; 0: all to the end
 * @param flags   UNIPC_FLUSH_NO_WAIT and UNIPC_FLUSH_INVALIDATE, or 0
 * @return        0; -EIO: the bytes are not on the disk; -EINVAL: NULL, beyond the size, an unknown flag; -EBUSY: UNIPC_FLUSH_INVALIDATE of pinned
 *                pages; -EOPNOTSUPP: a private copy
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msync(2).
 */
int unipc_memory_flush(const unipc_memory *memory, size_t offset, size_t length, uint32_t flags);

/**
 * Tells the kernel how a range will be used. Wrong advice costs time and nothing else, but see UNIPC_ADVICE_DONT_NEED.
 *
 * @param offset  bytes from the start
 * @param length  bytes; 0: all to the end
 * @param advice  one of UNIPC_ADVICE_*
 * @return        0; -EINVAL: NULL, beyond the size, unknown advice, or UNIPC_ADVICE_DONT_NEED of pinned pages; -EIO, -ENOMEM
 *
 * Threads: any. Signal-safe: no. Since 0.1. See madvise(2).
 */
int unipc_memory_advise(const unipc_memory *memory, size_t offset, size_t length, uint32_t advice);

/**
 * Has every page of the newest mapping at hand, so that no later use of one waits for the kernel.
 *
 * @return  0; UNIPC_WRONG_SIZE: the object has been shrunk, or its file system is full; -ENOMEM; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See madvise(2), MADV_POPULATE_WRITE.
 */
int unipc_memory_prefault(const unipc_memory *memory);

/**
 * Keeps the newest mapping, and those that a change of size makes, in memory: never in swap space. A child made by fork does not inherit it.
 *
 * @return  0; -ENOMEM, -EPERM, -EAGAIN: more than RLIMIT_MEMLOCK, whose value the text has; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1. See mlock(2).
 */
int unipc_memory_pin(unipc_memory *memory);

/**
 * Lets the pages go to swap space again.
 *
 * @return  0; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1. See munlock(2).
 */
int unipc_memory_unpin(unipc_memory *memory);

/**
 * The size of the pages that the mapping got: what became of UNIPC_HUGE_PAGES_TRY. Huge pages that the kernel has joined by itself do not show. It
 * reads /proc/self/smaps.
 *
 * @return  bytes; -EINVAL: NULL; -ENOENT: no /proc
 *
 * Threads: any. Signal-safe: no. Since 0.1. See proc_pid_smaps(5).
 */
ptrdiff_t unipc_memory_page_size(const unipc_memory *memory);

/* ---- Memory that can be sealed: memfd -------------------------------------------------------------------- */

/**
 * Makes memory of zero bytes without a name, known by its descriptor, which can be sealed. Others get it by inheritance or through a Unix socket.
 *
 * @param name     only shows in /proc; at most 249 bytes, and need not be unique
 * @param options  size (needed), mode, group, sparse, address, prefault, pinned, huge_pages, executable, checked
 * @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
 * @return         0; -EINVAL: NULL, a bad size, mode or group; -ENAMETOOLONG; -EPERM: a mode with x without the option executable; -ENOMEM; -EMFILE,
 *                 -ENFILE; UNIPC_UNAVAILABLE: no huge pages; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See memfd_create(2).
 */
int unipc_memory_create_memfd(const char *name, const unipc_memory_options *options, unipc_memory **memory);

/**
 * Adds seals to a memfd, for good. UNIPC_SEAL_WRITE makes this handle a read-only one, and addresses from before are no longer valid, also when it
 * fails: ask unipc_memory_address again.
 *
 * @param seals  UNIPC_SEAL_*, or-ed
 * @return       0; -EPERM: sealed against seals, as POSIX shared memory always is, or the descriptor cannot write; -EBUSY: UNIPC_SEAL_WRITE while
 *               somebody has it mapped for writing; -EINVAL: NULL, an unknown seal, a file on a disk; -EACCES; -EOPNOTSUPP: anonymous or System V memory
 *
 * Threads: none may use the handle meanwhile, nor, for UNIPC_SEAL_WRITE, an address. Signal-safe: no. Since 0.1. See F_ADD_SEALS(2const).
 */
int unipc_memory_seal(unipc_memory *memory, uint32_t seals);

/**
 * What a memory is sealed against. POSIX shared memory cannot be sealed: it has UNIPC_SEAL_SEAL from birth.
 *
 * @return  UNIPC_SEAL_*, or-ed, 0 for none; -EINVAL: NULL, or what cannot be sealed: a file on a disk; -EOPNOTSUPP: anonymous or System V memory
 *
 * Threads: any. Signal-safe: no. Since 0.1. See F_GET_SEALS(2const).
 */
int unipc_memory_seals(const unipc_memory *memory);

/**
 * A new descriptor of the same object that can only read, to be handed out. Who may also open the object by /proc/PID/fd can get one that writes,
 * unless it is sealed.
 *
 * @return  the descriptor, which is the caller's; -EOPNOTSUPP: anonymous or System V memory; -EINVAL: NULL; -ENOENT: no /proc; -EACCES, -EMFILE, -ENFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See proc_pid_fd(5).
 */
int unipc_memory_read_only_fd(const unipc_memory *memory);

/* ---- System V shared memory ------------------------------------------------------------------------------ */

/** What System V memory is like. Begin with UNIPC_SYSV_MEMORY_STATUS_INIT. */
typedef struct unipc_sysv_memory_status {
  /** sizeof(unipc_sysv_memory_status) */
  size_t struct_size;
  /** bytes */
  uint64_t size;
  /** attachments of all processes */
  uint64_t attached;
  /** when somebody attached last: seconds since 1970, 0 for never */
  int64_t attached_at;
  /** when somebody detached last: seconds since 1970, 0 for never */
  int64_t detached_at;
  /** when it was made, or its rights were changed: seconds since 1970 */
  int64_t changed_at;
  /** the kernel's number of it */
  int32_t id;
  /** its key; 0: private, or removed */
  int32_t key;
  /** the process that made it */
  int32_t creator_pid;
  /** the process that attached or detached last, 0 for none */
  int32_t last_pid;
  /** its permissions */
  uint32_t mode;
  /** its owner */
  uint32_t uid;
  /** its group */
  uint32_t gid;
  /** who made it, and has an owner's rights as well */
  uint32_t creator_uid;
  /** the group of who made it */
  uint32_t creator_gid;
  /** 1: it goes with the last attachment */
  uint32_t is_removed;
} unipc_sysv_memory_status;

/** Sets struct_size and zeroes the rest, as UNIPC_SYSV_MEMORY_STATUS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_sysv_memory_status_init(unipc_sysv_memory_status *status);

/**
 * Creates System V shared memory of zero bytes, exclusively. It stays until it is removed or the machine restarts.
 *
 * The kernel reserves no pages by itself: unless sparse is set, they are made here, and what the machine or its control group has not is -ENOMEM.
 *
 * @param key      not 0; unipc_sysv_key makes one of a path
 * @param options  size (needed), mode, group, access, temporary (removed when the creator closes its handle, gone with the last attachment), sparse,
 *                 address, prefault, pinned, huge_pages
 * @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
 * @return         0; -EEXIST; -EINVAL: NULL, key 0, a bad size, mode, group or address, more than kernel.shmmax, or unpublished, which cannot be;
 *                 -ENOSPC: kernel.shmmni or kernel.shmall, and the text has the values; -ENOMEM; -EPERM; UNIPC_UNAVAILABLE: no huge pages; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shmget(2), shmat(2).
 */
int unipc_memory_create_sysv(int32_t key, const unipc_memory_options *options, unipc_memory **memory);

/**
 * Creates System V shared memory without a key: for children, and for those who are told its id (unipc_memory_id_sysv). With temporary it is removed
 * at once: others can still attach by the id, and its pages go with the last process, however that ends.
 *
 * @param options  as unipc_memory_create_sysv
 * @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
 * @return         as unipc_memory_create_sysv, but for -EEXIST
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shmget(2), IPC_PRIVATE.
 */
int unipc_memory_create_private_sysv(const unipc_memory_options *options, unipc_memory **memory);

/**
 * Attaches to System V shared memory that exists. It never creates.
 *
 * @param key      not 0
 * @param options  access, size (the least that will do), any_owner, wait_for_creator, address, prefault, pinned; NULL: defaults
 * @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
 * @return         0; -ENOENT: also when the wait for the creator is over; -ECANCELED: the bound stop token; -EPERM: it belongs to another user, or was
 *                 made by one; -EACCES; UNIPC_WRONG_SIZE: smaller than asked for; -EINVAL: NULL, key 0, an address that is not free; -ENOMEM; -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shmget(2), shmat(2).
 */
int unipc_memory_open_sysv(int32_t key, const unipc_memory_options *options, unipc_memory **memory);

/**
 * Attaches to System V shared memory by its id, also to one that is removed and still attached somewhere.
 *
 * @param id       what unipc_memory_id_sysv gave there
 * @param options  as unipc_memory_open_sysv, but for wait_for_creator
 * @param memory   receives the handle, or NULL on failure; close it with unipc_memory_close
 * @return         as unipc_memory_open_sysv, but for -ENOENT and -ECANCELED; -EIDRM: there is none
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shmat(2).
 */
int unipc_memory_open_id_sysv(int32_t id, const unipc_memory_options *options, unipc_memory **memory);

/**
 * Attaches to System V shared memory, or creates it if there is none. unipc_memory_was_created tells which.
 *
 * @return  as unipc_memory_open_sysv and unipc_memory_create_sysv, but for -ENOENT and -EEXIST
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shmget(2).
 */
int unipc_memory_open_or_create_sysv(int32_t key, const unipc_memory_options *options, unipc_memory **memory);

/**
 * Removes the memory of a key: the key is free at once, the pages go with the last process that is attached.
 *
 * @return  0; -ENOENT; -EPERM: neither owner nor creator; -EINVAL: the key 0
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_RMID.
 */
int unipc_memory_remove_key_sysv(int32_t key);

/**
 * Removes the System V memory that a handle is attached to, as unipc_memory_remove_key_sysv. The handle stays to be closed.
 *
 * @return  0, also if it was removed already; -EPERM: neither owner nor creator; -EINVAL: NULL; -EOPNOTSUPP: other memory
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_RMID.
 */
int unipc_memory_remove_sysv(unipc_memory *memory);

/**
 * The kernel's number for the System V memory that a handle is attached to, as ipcs -m shows it; never negative.
 *
 * @return  the number; -EINVAL: NULL; -EOPNOTSUPP: other memory
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_memory_id_sysv(const unipc_memory *memory);

/**
 * What the System V memory that a handle is attached to is like now.
 *
 * @param status  receives it; begin with UNIPC_SYSV_MEMORY_STATUS_INIT
 * @return        0; -EACCES: no right to read; -EINVAL: NULL, no struct_size; -EOPNOTSUPP: other memory
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_STAT.
 */
int unipc_memory_get_status_sysv(const unipc_memory *memory, unipc_sysv_memory_status *status);

/**
 * Changes the permissions of System V memory. Who is attached stays so.
 *
 * @param mode  up to 0777; 0: 0600
 * @return      0; -EPERM: neither owner nor creator; -EACCES; -EINVAL: NULL, other bits; -EOPNOTSUPP: other memory
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_SET.
 */
int unipc_memory_set_mode_sysv(unipc_memory *memory, uint32_t mode);

/**
 * Changes owner and group of System V memory. Whoever made it keeps an owner's rights.
 *
 * @param uid  the owner; UINT32_MAX leaves it
 * @param gid  the group; UINT32_MAX leaves it
 * @return     0; -EPERM: neither owner nor creator; -EACCES; -EINVAL: NULL; -EOPNOTSUPP: other memory
 *
 * Threads: any. Signal-safe: no. Since 0.1. See shmctl(2), IPC_SET.
 */
int unipc_memory_set_owner_sysv(unipc_memory *memory, uint32_t uid, uint32_t gid);

/* ---- Atomics in memory ----------------------------------------------------------------------------------- */

/** memory order: no order with other accesses. */
#define UNIPC_RELAXED 0

/** memory order: what follows a load sees what came before the store that it read. */
#define UNIPC_ACQUIRE 1

/** memory order: what came before a store is seen by who acquires it. */
#define UNIPC_RELEASE 2

/** memory order: both, for an operation that reads and writes. */
#define UNIPC_ACQUIRE_RELEASE 3

/** memory order: one order of all such operations, for everybody. */
#define UNIPC_SEQUENTIAL 4

/**
 * Loads the 32-bit word at an offset, atomically. Works on a read-only handle.
 *
 * @param offset  bytes from the start, a multiple of 4
 * @param order   UNIPC_RELAXED, UNIPC_ACQUIRE or UNIPC_SEQUENTIAL
 * @param value   receives the word
 * @return        0; -EINVAL: NULL, not within the memory, not aligned, or no such order
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_load_u32(const unipc_memory *memory, size_t offset, int order, uint32_t *value);

/**
 * Stores the 32-bit word at an offset, atomically.
 *
 * @param offset  bytes from the start, a multiple of 4
 * @param order   UNIPC_RELAXED, UNIPC_RELEASE or UNIPC_SEQUENTIAL
 * @return        0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_store_u32(unipc_memory *memory, size_t offset, int order, uint32_t value);

/**
 * Adds to the 32-bit word at an offset, atomically; it wraps around.
 *
 * @param offset    bytes from the start, a multiple of 4
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_fetch_add_u32(unipc_memory *memory, size_t offset, int order, uint32_t operand,
    uint32_t *previous);

/**
 * Subtracts from the 32-bit word at an offset, atomically; it wraps around.
 *
 * @param offset    bytes from the start, a multiple of 4
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_fetch_sub_u32(unipc_memory *memory, size_t offset, int order, uint32_t operand,
    uint32_t *previous);

/**
 * Clears the bits of the 32-bit word at an offset that the operand does not have, atomically.
 *
 * @param offset    bytes from the start, a multiple of 4
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_fetch_and_u32(unipc_memory *memory, size_t offset, int order, uint32_t operand,
    uint32_t *previous);

/**
 * Sets the bits of the 32-bit word at an offset that the operand has, atomically.
 *
 * @param offset    bytes from the start, a multiple of 4
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_fetch_or_u32(unipc_memory *memory, size_t offset, int order, uint32_t operand,
    uint32_t *previous);

/**
 * Flips the bits of the 32-bit word at an offset that the operand has, atomically.
 *
 * @param offset    bytes from the start, a multiple of 4
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_fetch_xor_u32(unipc_memory *memory, size_t offset, int order, uint32_t operand,
    uint32_t *previous);

/**
 * Exchanges the 32-bit word at an offset, atomically.
 *
 * @param offset    bytes from the start, a multiple of 4
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_exchange_u32(unipc_memory *memory, size_t offset, int order, uint32_t value,
    uint32_t *previous);

/**
 * Exchanges the 32-bit word at an offset if it is what the caller expects, atomically.
 *
 * @param offset    bytes from the start, a multiple of 4
 * @param order     any of the five, for the exchange; without one, the load is ordered alike
 * @param expected  what the word must be; receives what it is if it is not
 * @param desired   what it becomes
 * @return          1: exchanged; 0: not; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_compare_exchange_u32(unipc_memory *memory, size_t offset, int order, uint32_t *expected,
    uint32_t desired);

/**
 * Loads the 64-bit word at an offset, atomically. Works on a read-only handle.
 *
 * @param offset  bytes from the start, a multiple of 8
 * @param order   UNIPC_RELAXED, UNIPC_ACQUIRE or UNIPC_SEQUENTIAL
 * @param value   receives the word
 * @return        0; -EINVAL: NULL, not within the memory, not aligned, or no such order
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_load_u64(const unipc_memory *memory, size_t offset, int order, uint64_t *value);

/**
 * Stores the 64-bit word at an offset, atomically.
 *
 * @param offset  bytes from the start, a multiple of 8
 * @param order   UNIPC_RELAXED, UNIPC_RELEASE or UNIPC_SEQUENTIAL
 * @return        0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_store_u64(unipc_memory *memory, size_t offset, int order, uint64_t value);

/**
 * Adds to the 64-bit word at an offset, atomically; it wraps around.
 *
 * @param offset    bytes from the start, a multiple of 8
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_fetch_add_u64(unipc_memory *memory, size_t offset, int order, uint64_t operand,
    uint64_t *previous);

/**
 * Subtracts from the 64-bit word at an offset, atomically; it wraps around.
 *
 * @param offset    bytes from the start, a multiple of 8
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_fetch_sub_u64(unipc_memory *memory, size_t offset, int order, uint64_t operand,
    uint64_t *previous);

/**
 * Clears the bits of the 64-bit word at an offset that the operand does not have, atomically.
 *
 * @param offset    bytes from the start, a multiple of 8
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_fetch_and_u64(unipc_memory *memory, size_t offset, int order, uint64_t operand,
    uint64_t *previous);

/**
 * Sets the bits of the 64-bit word at an offset that the operand has, atomically.
 *
 * @param offset    bytes from the start, a multiple of 8
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_fetch_or_u64(unipc_memory *memory, size_t offset, int order, uint64_t operand,
    uint64_t *previous);

/**
 * Flips the bits of the 64-bit word at an offset that the operand has, atomically.
 *
 * @param offset    bytes from the start, a multiple of 8
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_fetch_xor_u64(unipc_memory *memory, size_t offset, int order, uint64_t operand,
    uint64_t *previous);

/**
 * Exchanges the 64-bit word at an offset, atomically.
 *
 * @param offset    bytes from the start, a multiple of 8
 * @param order     any of the five
 * @param previous  receives the word from before; may be NULL
 * @return          0; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_exchange_u64(unipc_memory *memory, size_t offset, int order, uint64_t value,
    uint64_t *previous);

/**
 * Exchanges the 64-bit word at an offset if it is what the caller expects, atomically.
 *
 * @param offset    bytes from the start, a multiple of 8
 * @param order     any of the five, for the exchange; without one, the load is ordered alike
 * @param expected  what the word must be; receives what it is if it is not
 * @param desired   what it becomes
 * @return          1: exchanged; 0: not; -EINVAL: NULL, not within the memory, not aligned, or no such order; -EACCES: the handle is read-only
 *
 * Threads: any. Signal-safe: no. Since 0.1. See C11 7.17.
 */
int unipc_memory_compare_exchange_u64(unipc_memory *memory, size_t offset, int order, uint64_t *expected,
    uint64_t desired);

/* ---- Synchronisation: waiting for each other ------------------------------------------------------------- */

/** mutex kind: the holder who locks again waits for itself, until its timeout. The kind of zero bytes. */
#define UNIPC_MUTEX_PLAIN 0

/** mutex kind: the holder who locks again holds the lock once more, and must unlock as often. */
#define UNIPC_MUTEX_RECURSIVE 1

/** mutex kind: the holder who locks again is told, -EDEADLK. */
#define UNIPC_MUTEX_ERROR_CHECKING 2

/** semaphore flag: who holds each unit is written down, and a dead process's units come back. */
#define UNIPC_SEMAPHORE_RECOVER 1

/** The most units of a semaphore with UNIPC_SEMAPHORE_RECOVER. */
#define UNIPC_SEMAPHORE_PLACES 56

/**
 * A named semaphore, the same object that sem_open(3) gives: /dev/shm/sem.NAME.
 *
 * It belongs to nobody: the unit of a process that dies is lost. Where that must not be, use an in-place semaphore with
 * UNIPC_SEMAPHORE_RECOVER. A handle costs one mapping and no descriptor.
 */
typedef struct unipc_posix_semaphore unipc_posix_semaphore;

/** Options of unipc_mutex_init. Begin with UNIPC_MUTEX_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_mutex_options {
  /** sizeof(unipc_mutex_options) */
  size_t struct_size;
  /** UNIPC_MUTEX_PLAIN, UNIPC_MUTEX_RECURSIVE or UNIPC_MUTEX_ERROR_CHECKING */
  uint32_t kind;
  /** zero */
  uint32_t reserved;
} unipc_mutex_options;

/**
 * A mutex for memory that processes share, whose holder may die. All-zero bytes are a valid, unlocked, plain mutex, so several processes may
 * use freshly made memory without a race over who initialises it.
 *
 * It is owned by a thread. It must not be moved or copied while in use. Processes that share it live in one pid namespace and use one C library;
 * others get UNIPC_INCOMPATIBLE. Unlock it before the memory is unmapped. It trusts everyone who can write the page.
 */
typedef struct unipc_mutex {
  /** Not for use. */
  uint64_t opaque[16];
} unipc_mutex;

/** Options of unipc_semaphore_init. Begin with UNIPC_SEMAPHORE_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_semaphore_options {
  /** sizeof(unipc_semaphore_options) */
  size_t struct_size;
  /** how many units are free at first: at most INT32_MAX; with UNIPC_SEMAPHORE_RECOVER 1 to UNIPC_SEMAPHORE_PLACES */
  uint32_t value;
  /** 0 or UNIPC_SEMAPHORE_RECOVER */
  uint32_t flags;
} unipc_semaphore_options;

/**
 * A counting semaphore for memory that processes share. All-zero bytes are a valid plain semaphore of value 0.
 *
 * It must not be moved or copied while in use. It trusts everyone who can write the page.
 */
typedef struct unipc_semaphore {
  /** Not for use. */
  uint64_t opaque[64];
} unipc_semaphore;

/** Options of named semaphores. Begin with UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_posix_semaphore_options {
  /** sizeof(unipc_posix_semaphore_options) */
  size_t struct_size;
  /** create: the group, by name or number; NULL: the process's */
  const char *group;
  /** open: nanoseconds to wait for another process to create it */
  int64_t wait_for_creator;
  /** create: how many units are free at first, at most INT32_MAX */
  uint32_t value;
  /** create: permissions, set whatever the umask says; 0: 0600 */
  uint32_t mode;
  /** open: 1 accepts semaphores of users other than oneself and root */
  uint32_t any_owner;
  /** create: 1 removes the name when the creator closes its handle */
  uint32_t temporary;
} unipc_posix_semaphore_options;

/** What a named semaphore is like. Begin with UNIPC_POSIX_SEMAPHORE_STATUS_INIT. */
typedef struct unipc_posix_semaphore_status {
  /** sizeof(unipc_posix_semaphore_status) */
  size_t struct_size;
  /** how many units are free; -1 where we may not read it */
  int64_t value;
  /** its permissions */
  uint32_t mode;
  /** its owner */
  uint32_t uid;
  /** its group */
  uint32_t gid;
  /** zero */
  uint32_t reserved;
} unipc_posix_semaphore_status;

/** Sets struct_size and zeroes the rest, as UNIPC_MUTEX_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_mutex_options_init(unipc_mutex_options *options);

/**
 * Makes the mutex anew, unlocked, whatever bytes stood there. Zero bytes need no init. Nobody may use the mutex meanwhile.
 *
 * @param mutex    where, at a multiple of 8 bytes
 * @param options  the kind; NULL: plain
 * @return         0; -EINVAL: NULL, misaligned, unknown kind; -E2BIG: an option that this version does not know;
 *                 UNIPC_UNAVAILABLE: the C library's robust mutexes cannot start from zero bytes
 *
 * Threads: none may use the mutex meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_mutex_init(unipc_mutex *mutex, const unipc_mutex_options *options);

/**
 * Locks the mutex, and fails if a holder died inside and nobody has repaired since. Use unipc_mutex_lock_recover to repair.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0: held; -EOWNERDEAD: not held, a holder died; -EAGAIN: another holds it and the timeout is zero; -ETIMEDOUT; -ECANCELED:
 *                 the bound stop token; -EDEADLK: the caller holds it already (error checking); -EINVAL: NULL or misaligned;
 *                 UNIPC_INCOMPATIBLE: no mutex of this ABI and pid namespace. A negative result: not held.
 *
 * Threads: any; the lock is the calling thread's. Fork: the child does not hold it. Signal-safe: no. Since 0.1.
 * See pthread_mutex_lock(3p), pthread_mutexattr_setrobust(3).
 */
int unipc_mutex_lock(unipc_mutex *mutex, int64_t timeout);

/**
 * unipc_mutex_lock without waiting: -EAGAIN if another holds it.
 *
 * @return  as unipc_mutex_lock
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pthread_mutex_trylock(3p).
 */
int unipc_mutex_try_lock(unipc_mutex *mutex);

/**
 * Locks the mutex also when the last holder died inside.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0: held; UNIPC_NEEDS_REPAIR: held, and a holder died since the last unipc_mutex_mark_consistent: repair what the mutex protects,
 *                 then mark it. Negative: not held, as unipc_mutex_lock but for -EOWNERDEAD.
 *
 * Unlocking without marking, or dying, passes the need for repair on to the next. Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_mutex_lock_recover(unipc_mutex *mutex, int64_t timeout);

/**
 * Ends the need for repair, after the repair. The caller holds the mutex, and goes on holding it.
 *
 * @return  0; -EPERM: the calling thread does not hold the mutex; -EINVAL; UNIPC_INCOMPATIBLE
 *
 * Threads: the holder. Signal-safe: no. Since 0.1.
 */
int unipc_mutex_mark_consistent(unipc_mutex *mutex);

/**
 * Unlocks the mutex.
 *
 * @return  0; -EPERM: the calling thread does not hold the mutex; -EINVAL; UNIPC_INCOMPATIBLE
 *
 * Threads: the holder. Signal-safe: no. Since 0.1. See pthread_mutex_unlock(3p).
 */
int unipc_mutex_unlock(unipc_mutex *mutex);

/** Sets struct_size and zeroes the rest, as UNIPC_SEMAPHORE_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_semaphore_options_init(unipc_semaphore_options *options);

/**
 * Makes the semaphore anew, whatever bytes stood there. Zero bytes need no init. Nobody may use the semaphore meanwhile.
 *
 * @param semaphore  where, at a multiple of 8 bytes
 * @param options    the value and whether to recover; NULL: a plain one of value 0
 * @return           0; -EINVAL: NULL, misaligned, value or flags out of range; -E2BIG: an option that this version does not know
 *
 * Threads: none may use the semaphore meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_semaphore_init(unipc_semaphore *semaphore, const unipc_semaphore_options *options);

/**
 * Takes a unit.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0: taken; -EAGAIN: none is free and the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token; -EINVAL: NULL or
 *                 misaligned; UNIPC_INCOMPATIBLE: no semaphore of this ABI (recovering: and pid namespace). A negative result: not taken.
 *
 * Threads: any. Fork: units stay the parent's. Signal-safe: no. Since 0.1. See sem_wait(3).
 */
int unipc_semaphore_wait(unipc_semaphore *semaphore, int64_t timeout);

/**
 * Takes a unit if one is free: else -EAGAIN.
 *
 * @return  as unipc_semaphore_wait
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_trywait(3).
 */
int unipc_semaphore_try_wait(unipc_semaphore *semaphore);

/**
 * Gives a unit back, or adds one, and wakes one who waits.
 *
 * @return  0; -EOVERFLOW: the value is INT32_MAX; -EPERM: with UNIPC_SEMAPHORE_RECOVER, this process holds no unit; -EINVAL;
 *          UNIPC_INCOMPATIBLE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_post(3).
 */
int unipc_semaphore_post(unipc_semaphore *semaphore);

/**
 * How many units are free at this moment. With UNIPC_SEMAPHORE_RECOVER a dead holder's unit counts when somebody who found none free has freed it.
 *
 * @return  the value; -EINVAL; UNIPC_INCOMPATIBLE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_getvalue(3).
 */
int unipc_semaphore_value(const unipc_semaphore *semaphore);

/** Sets struct_size and zeroes the rest, as UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_posix_semaphore_options_init(unipc_posix_semaphore_options *options);

/**
 * Creates a named semaphore. Nobody meets it half made, and an existing one is left alone.
 *
 * @param name       at most 251 bytes; the leading slash is optional, no other is allowed
 * @param options    value, mode, group, temporary; NULL: value 0, mode 0600
 * @param semaphore  receives the handle, or NULL on failure; close it with unipc_posix_semaphore_close
 * @return           0; -EEXIST; -EINVAL: NULL, a bad name, mode, value or group; -ENAMETOOLONG; -ENOSPC, -EACCES; -EMFILE, -ENFILE, -ENOMEM;
 *                   -E2BIG: an option that this version does not know
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_open(3), sem_overview(7).
 */
int unipc_posix_semaphore_create(const char *name, const unipc_posix_semaphore_options *options,
    unipc_posix_semaphore **semaphore);

/**
 * Opens a named semaphore that exists. It never creates.
 *
 * @param name       at most 251 bytes; the leading slash is optional, no other is allowed
 * @param options    any_owner, wait_for_creator; NULL: fail at once, and only for objects of oneself and root
 * @param semaphore  receives the handle, or NULL on failure; close it with unipc_posix_semaphore_close
 * @return           0; -ENOENT: also when the wait for the creator is over; -ECANCELED: the bound stop token; -EPERM: it belongs to another user; -EACCES;
 *                   -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no regular file; UNIPC_WRONG_SIZE: no semaphore of this C library; -EINVAL, -ENAMETOOLONG,
 *                   -E2BIG, -EMFILE, -ENFILE, -ENOMEM
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_open(3).
 */
int unipc_posix_semaphore_open(const char *name, const unipc_posix_semaphore_options *options,
    unipc_posix_semaphore **semaphore);

/**
 * Opens a named semaphore, or creates it if there is none. The value counts only for the one who creates.
 *
 * @return  as unipc_posix_semaphore_open and unipc_posix_semaphore_create, but for -ENOENT, -EEXIST and -ECANCELED: it never waits
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_open(3).
 */
int unipc_posix_semaphore_open_or_create(const char *name, const unipc_posix_semaphore_options *options,
    unipc_posix_semaphore **semaphore);

/**
 * Removes the name. Who has the semaphore open goes on using it.
 *
 * @return  0; -ENOENT; -EACCES, -EPERM: not allowed; -EINVAL, -ENAMETOOLONG: a bad name
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_unlink(3).
 */
int unipc_posix_semaphore_unlink(const char *name);

/** Sets struct_size and zeroes the rest, as UNIPC_POSIX_SEMAPHORE_STATUS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_posix_semaphore_status_init(unipc_posix_semaphore_status *status);

/**
 * What the semaphore of a name is like now, whoever owns it.
 *
 * @param name    at most 251 bytes; the leading slash is optional, no other is allowed
 * @param status  receives it; begin with UNIPC_POSIX_SEMAPHORE_STATUS_INIT
 * @return        0; -ENOENT; -ELOOP, UNIPC_WRONG_KIND, UNIPC_WRONG_SIZE: no semaphore of this C library; -EINVAL: NULL, a bad name; -ENAMETOOLONG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_overview(7).
 */
int unipc_posix_semaphore_get_status(const char *name, unipc_posix_semaphore_status *status);

/**
 * Tells the names of the named semaphores that there are, everybody's, in their order.
 *
 * @param visit     is called for each with its name, which stays until it returns; not 0 ends the walk. It must return, not throw or jump.
 * @param argument  handed to it
 * @return          0, or what visit has given that was not 0; -EACCES, -EMFILE, -ENFILE: the directory cannot be read; -ENOENT: there is none; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_overview(7).
 */
int unipc_posix_semaphore_list(int (*visit)(const char *name, void *argument), void *argument);

/**
 * Takes a unit.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0: taken; -EAGAIN: none is free and the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token; -EINVAL: NULL
 *
 * Threads: any. Fork: the handle works in the child. Signal-safe: no. Since 0.1. See sem_wait(3).
 */
int unipc_posix_semaphore_wait(unipc_posix_semaphore *semaphore, int64_t timeout);

/**
 * Takes a unit if one is free: else -EAGAIN.
 *
 * @return  as unipc_posix_semaphore_wait
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_trywait(3).
 */
int unipc_posix_semaphore_try_wait(unipc_posix_semaphore *semaphore);

/**
 * Gives a unit back, or adds one, and wakes one who waits.
 *
 * @return  0; -EOVERFLOW: the value is INT32_MAX; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_post(3).
 */
int unipc_posix_semaphore_post(unipc_posix_semaphore *semaphore);

/**
 * How many units are free at this moment.
 *
 * @return  the value; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_getvalue(3).
 */
int unipc_posix_semaphore_value(const unipc_posix_semaphore *semaphore);

/**
 * Closes the handle; NULL is fine. A temporary semaphore loses its name when its creator closes.
 *
 * Threads: none may use the handle meanwhile. Fork: closing in a child removes no name. Signal-safe: no. Since 0.1. See sem_close(3).
 */
void unipc_posix_semaphore_close(unipc_posix_semaphore *semaphore);

/* ---- System V semaphores --------------------------------------------------------------------------------- */

/** operation flag: when the process ends, the kernel takes the change back. Who takes so gives back so, in the same process. */
#define UNIPC_SYSV_SEMAPHORES_UNDO 1

/** operation flag: if this operation would have to wait, the call fails with -EAGAIN at once, whatever its timeout. */
#define UNIPC_SYSV_SEMAPHORES_AT_ONCE 2

/**
 * A set of System V semaphores, what plain C programs get with semget: several semaphores of which one call takes and gives atomically, and whose units
 * come back from the dead. It stays until it is removed or the machine restarts.
 *
 * A handle costs memory alone. After fork the child has the set as well; closing the handle there removes nothing. Threads may use a handle together,
 * except for close. It is no descriptor.
 */
typedef struct unipc_sysv_semaphores unipc_sysv_semaphores;

/** Options of System V semaphores. Begin with UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_sysv_semaphores_options {
  /** sizeof(unipc_sysv_semaphores_options) */
  size_t struct_size;
  /** create: how many semaphores; open: how many there must be at least; 0: 1 */
  size_t count;
  /** create: how many units each has at first, count of them, at most 32767; NULL: value for all */
  const uint32_t *values;
  /** create: the group, by name or number; NULL: the process's */
  const char *group;
  /** open: nanoseconds to wait for another process to create the set */
  int64_t wait_for_creator;
  /** create, without values: how many units each has at first, at most 32767 */
  uint32_t value;
  /** create: permissions, of which "execute" means nothing; 0: 0600 */
  uint32_t mode;
  /** open: 1 accepts sets of users other than oneself and root */
  uint32_t any_owner;
  /** create: 1 removes the set when the creator closes its handle */
  uint32_t temporary;
} unipc_sysv_semaphores_options;

/** What a set of System V semaphores is like. Begin with UNIPC_SYSV_SEMAPHORES_STATUS_INIT. */
typedef struct unipc_sysv_semaphores_status {
  /** sizeof(unipc_sysv_semaphores_status) */
  size_t struct_size;
  /** how many semaphores it has */
  size_t count;
  /** when it was operated on last: seconds since 1970, 0 for never */
  int64_t operated_at;
  /** when it was made, or its values or rights were set: seconds since 1970 */
  int64_t changed_at;
  /** the kernel's number of it */
  int32_t id;
  /** its key; 0: private */
  int32_t key;
  /** its permissions */
  uint32_t mode;
  /** its owner */
  uint32_t uid;
  /** its group */
  uint32_t gid;
  /** who made it, and has an owner's rights as well */
  uint32_t creator_uid;
  /** the group of who made it */
  uint32_t creator_gid;
  /** zero */
  uint32_t reserved;
} unipc_sysv_semaphores_status;

/** One of the operations that unipc_sysv_semaphores_operate does together. */
typedef struct unipc_sysv_operation {
  /** which semaphore, from 0 */
  uint16_t semaphore;
  /** above 0: so many units are given; below: taken, as soon as there are as many; 0: waits until there is none */
  int16_t change;
  /** 0, or of UNIPC_SYSV_SEMAPHORES_UNDO and UNIPC_SYSV_SEMAPHORES_AT_ONCE */
  uint32_t flags;
} unipc_sysv_operation;

/** Sets struct_size and zeroes the rest, as UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_sysv_semaphores_options_init(unipc_sysv_semaphores_options *options);

/** Sets struct_size and zeroes the rest, as UNIPC_SYSV_SEMAPHORES_STATUS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_sysv_semaphores_status_init(unipc_sysv_semaphores_status *status);

/**
 * Creates a set of System V semaphores under a key. An existing one is left alone.
 *
 * @param key      not 0; unipc_sysv_key makes one of a path
 * @param options  count, value or values, mode, group, temporary; NULL: one semaphore without a unit
 * @param set      receives the handle, or NULL on failure; close it with unipc_sysv_semaphores_close
 * @return         0; -EEXIST; -ERANGE: a value above 32767; -EINVAL: NULL, the key 0, too many semaphores (SEMMSL), a bad mode or group; -ENOSPC: too
 *                 many sets or semaphores in all (SEMMNI, SEMMNS); -EPERM: a group of others; -ENOMEM, -E2BIG. The text names the limit and its value.
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semget(2), sysvipc(7).
 */
int unipc_sysv_semaphores_create(int32_t key, const unipc_sysv_semaphores_options *options,
    unipc_sysv_semaphores **set);

/**
 * Creates a set of System V semaphores without a key, for children made by fork, and for who is told its unipc_sysv_semaphores_id. It stays after its
 * creator all the same, unless it is temporary.
 *
 * @return  as unipc_sysv_semaphores_create, but for -EEXIST
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semget(2), IPC_PRIVATE.
 */
int unipc_sysv_semaphores_create_private(const unipc_sysv_semaphores_options *options,
    unipc_sysv_semaphores **set);

/**
 * Opens a set of System V semaphores that exists. It never creates.
 *
 * @param key      not 0; unipc_sysv_key makes one of a path
 * @param options  count, any_owner, wait_for_creator; NULL: defaults
 * @param set      receives the handle, or NULL on failure; close it with unipc_sysv_semaphores_close
 * @return         0; -ENOENT: none, or its creator has not given it its values yet, also when the wait for the creator is over; -ECANCELED: the bound
 *                 stop token; -EPERM: it belongs to another user, or was made by one; UNIPC_WRONG_SIZE: it has fewer than count; -EINVAL: NULL, the
 *                 key 0; -EACCES, -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semget(2).
 */
int unipc_sysv_semaphores_open(int32_t key, const unipc_sysv_semaphores_options *options,
    unipc_sysv_semaphores **set);

/**
 * Opens a set of System V semaphores, or creates it if there is none. The values count only for the one who creates.
 * A set whose creator was killed before it had its values is removed and made anew.
 *
 * @return  as unipc_sysv_semaphores_open and unipc_sysv_semaphores_create, but for -ENOENT and -EEXIST; -EBUSY: a creator that lives does not finish, for
 *          a second or as long as wait_for_creator says
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semget(2).
 */
int unipc_sysv_semaphores_open_or_create(int32_t key, const unipc_sysv_semaphores_options *options,
    unipc_sysv_semaphores **set);

/**
 * Opens a set of System V semaphores by its number, which its creator has told.
 *
 * @param id       what unipc_sysv_semaphores_id gave there
 * @param options  count, any_owner; NULL: defaults
 * @param set      receives the handle, or NULL on failure; close it with unipc_sysv_semaphores_close
 * @return         0; -EIDRM: there is none; -ENOENT: its creator has not given it its values yet; UNIPC_WRONG_SIZE: it has fewer than count; -EPERM: it
 *                 belongs to another user, or was made by one; -EINVAL: NULL; -EACCES, -E2BIG
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_sysv_semaphores_open_id(int id, const unipc_sysv_semaphores_options *options,
    unipc_sysv_semaphores **set);

/**
 * Removes the set of a key. Who waits in it is told, by -EIDRM.
 *
 * @return  0; -ENOENT; -EPERM: neither owner nor creator; -EINVAL: the key 0
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), IPC_RMID.
 */
int unipc_sysv_semaphores_remove_key(int32_t key);

/**
 * Removes the set. Who waits in it is told, by -EIDRM. The handle stays to be closed.
 *
 * @return  0; -EIDRM: it is gone already; -EPERM: neither owner nor creator; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), IPC_RMID.
 */
int unipc_sysv_semaphores_remove(unipc_sysv_semaphores *set);

/**
 * The kernel's number for the set, as ipcs -s shows it; never negative.
 *
 * @return  the number; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_sysv_semaphores_id(const unipc_sysv_semaphores *set);

/**
 * How many semaphores the set has; at least 1.
 *
 * @return  the number; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_sysv_semaphores_count(const unipc_sysv_semaphores *set);

/**
 * Takes a unit of a semaphore.
 *
 * @param semaphore  which, from 0
 * @param flags      0, or of UNIPC_SYSV_SEMAPHORES_UNDO and UNIPC_SYSV_SEMAPHORES_AT_ONCE
 * @param timeout    nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return           0: taken; -EAGAIN: none is free and the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token; else as
 *                   unipc_sysv_semaphores_operate. A negative result: not taken.
 *
 * Threads: any. Fork: what is to be undone stays the parent's. Signal-safe: no. Since 0.1. See semop(2).
 */
int unipc_sysv_semaphores_wait(unipc_sysv_semaphores *set, uint32_t semaphore, uint32_t flags,
    int64_t timeout);

/**
 * Takes a unit of a semaphore if one is free: else -EAGAIN.
 *
 * @return  as unipc_sysv_semaphores_wait
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semop(2), IPC_NOWAIT.
 */
int unipc_sysv_semaphores_try_wait(unipc_sysv_semaphores *set, uint32_t semaphore, uint32_t flags);

/**
 * Gives a unit of a semaphore back, and wakes who waits for it.
 *
 * @param semaphore  which, from 0
 * @param flags      0, or UNIPC_SYSV_SEMAPHORES_UNDO if it was taken so
 * @return           0; -ERANGE: its value is 32767; else as unipc_sysv_semaphores_operate
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semop(2).
 */
int unipc_sysv_semaphores_post(unipc_sysv_semaphores *set, uint32_t semaphore, uint32_t flags);

/**
 * Waits until a semaphore has no unit.
 *
 * @param semaphore  which, from 0
 * @param timeout    nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return           0; -EAGAIN, -ETIMEDOUT, -ECANCELED: it has units; else as unipc_sysv_semaphores_operate
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semop(2).
 */
int unipc_sysv_semaphores_wait_zero(unipc_sysv_semaphores *set, uint32_t semaphore, int64_t timeout);

/**
 * Does all the operations in one step, in their order, or none: as soon as all of them can be done.
 *
 * @param operations  what to do
 * @param count       how many
 * @param timeout     nanoseconds; UNIPC_FOREVER; zero or less never waits. It stands on the monotonic clock, whatever signals come
 * @return            0: all done; -EAGAIN, -ETIMEDOUT, -ECANCELED: none could be, within the time; -EFBIG: no such semaphore; -ERANGE: a value would be
 *                    above 32767, or what there is to undo; -E2BIG: too many operations (SEMOPM); -EACCES; -EIDRM: the set was removed, before or
 *                    meanwhile; -ENOMEM; -EINVAL: NULL, no operation, unknown flags
 *
 * Threads: any. Fork: what is to be undone stays the parent's. Signal-safe: no. Since 0.1. See semop(2), semtimedop(2).
 */
int unipc_sysv_semaphores_operate(unipc_sysv_semaphores *set, const unipc_sysv_operation *operations,
    size_t count, int64_t timeout);

/**
 * How many units of a semaphore are free at this moment.
 *
 * @param semaphore  which, from 0
 * @return           the value; -EFBIG: no such semaphore; -EACCES: no right to read; -EIDRM; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), GETVAL.
 */
int unipc_sysv_semaphores_value(const unipc_sysv_semaphores *set, uint32_t semaphore);

/**
 * Sets how many units a semaphore has, whoever holds some, and makes the kernel forget what was to be undone to it.
 *
 * @param semaphore  which, from 0
 * @param value      at most 32767
 * @return           0; -ERANGE: a larger value; -EFBIG: no such semaphore; -EACCES; -EIDRM; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), SETVAL.
 */
int unipc_sysv_semaphores_set_value(unipc_sysv_semaphores *set, uint32_t semaphore, uint32_t value);

/**
 * How many units each semaphore has at this moment, all at once.
 *
 * @param values  receives them
 * @param count   for how many there is room: unipc_sysv_semaphores_count at least
 * @return        how many there are; -EINVAL: NULL, not enough room; -EACCES; -EIDRM
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), GETALL.
 */
int unipc_sysv_semaphores_get_values(const unipc_sysv_semaphores *set, uint32_t *values, size_t count);

/**
 * Sets how many units each semaphore has, all at once; the kernel forgets what was to be undone.
 *
 * @param values  as many as the set has semaphores, each at most 32767
 * @param count   how many these are
 * @return        0; -EINVAL: NULL, another count; -ERANGE: a larger value; -EACCES; -EIDRM
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), SETALL.
 */
int unipc_sysv_semaphores_set_values(unipc_sysv_semaphores *set, const uint32_t *values, size_t count);

/**
 * How many wait for units of a semaphore at this moment. Who waits with a stop token is not counted now and then, for a moment.
 *
 * @param semaphore  which, from 0
 * @return           the number; -EFBIG: no such semaphore; -EACCES: no right to read; -EIDRM; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), GETNCNT.
 */
int unipc_sysv_semaphores_waiters(const unipc_sysv_semaphores *set, uint32_t semaphore);

/**
 * How many wait until a semaphore has no unit, at this moment.
 *
 * @return  as unipc_sysv_semaphores_waiters
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), GETZCNT.
 */
int unipc_sysv_semaphores_waiters_for_zero(const unipc_sysv_semaphores *set, uint32_t semaphore);

/**
 * The process that operated on a semaphore last, or set it.
 *
 * @return  its number, 0 for none or one of another pid namespace; else as unipc_sysv_semaphores_waiters
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), GETPID.
 */
int unipc_sysv_semaphores_last_process(const unipc_sysv_semaphores *set, uint32_t semaphore);

/**
 * What the set is like now.
 *
 * @param status  receives it; begin with UNIPC_SYSV_SEMAPHORES_STATUS_INIT
 * @return        0; -EACCES: no right to read; -EIDRM: it was removed; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), IPC_STAT.
 */
int unipc_sysv_semaphores_get_status(const unipc_sysv_semaphores *set, unipc_sysv_semaphores_status *status);

/**
 * Changes the permissions.
 *
 * @param mode  up to 0777, of which "execute" means nothing; 0: 0600
 * @return      0; -EPERM: neither owner nor creator; -EACCES; -EIDRM: it was removed; -EINVAL: NULL, other bits
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), IPC_SET.
 */
int unipc_sysv_semaphores_set_mode(unipc_sysv_semaphores *set, uint32_t mode);

/**
 * Changes owner and group. Whoever made the set keeps an owner's rights.
 *
 * @param uid  the owner; UINT32_MAX leaves it
 * @param gid  the group; UINT32_MAX leaves it
 * @return     0; -EPERM: neither owner nor creator; -EACCES; -EIDRM: it was removed; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2), IPC_SET.
 */
int unipc_sysv_semaphores_set_owner(unipc_sysv_semaphores *set, uint32_t uid, uint32_t gid);

/**
 * Closes the handle; NULL is fine. A temporary set is removed when its creator closes.
 *
 * Threads: none may use the handle meanwhile. Fork: closing in a child removes nothing. What the process has to undo stays to be undone. Signal-safe: no. Since 0.1.
 */
void unipc_sysv_semaphores_close(unipc_sysv_semaphores *set);

/* ---- Futexes: sleeping on a word in memory --------------------------------------------------------------- */

/**
 * Sleeps while a 32-bit word is what is expected, for those who build their own: uint32_t, _Atomic uint32_t or std::atomic<uint32_t>, in memory that
 * processes share or in one's own.
 *
 * It returns at once if the word is something else, when it is woken, and within half a second also when a waker has changed the word and was
 * killed before it could ring. It may return for no reason: look at the word again, in a loop.
 *
 * @param word      where, at a multiple of 4 bytes
 * @param expected  the value to sleep by
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return          0: look again; -EAGAIN, -ETIMEDOUT, -ECANCELED: the word is what was expected; -EINVAL: NULL or misaligned
 *
 * Threads: any. Fork: parent and child sleep on the same word if they share the memory. Signal-safe: no. Since 0.1. See futex(2).
 */
int unipc_futex_wait(const void *word, uint32_t expected, int64_t timeout);

/**
 * Wakes some of those who sleep on a word, of any process. Change the word first, atomically.
 *
 * @param word   where, at a multiple of 4 bytes
 * @param count  how many at most; UINT32_MAX: all
 * @return       how many; -EINVAL: NULL or misaligned
 *
 * Threads: any. Signal-safe: no. Since 0.1. See futex(2).
 */
int unipc_futex_wake(const void *word, uint32_t count);

/**
 * Wakes some of those who sleep on a word, and has others sleep on another word from now on, if the word still is what is expected. So the next holder
 * of a lock wakes them one by one. One that was moved looks at its own word again within half a second, and then returns.
 *
 * @param word      where they sleep
 * @param expected  what the word must be
 * @param wake      how many to wake at most
 * @param other     where others are to sleep
 * @param move      how many of these at most; UINT32_MAX: all
 * @return          how many were woken and moved; -EAGAIN: the word is another; -EINVAL: NULL or misaligned
 *
 * Threads: any. Signal-safe: no. Since 0.1. See FUTEX_CMP_REQUEUE in futex(2).
 */
int unipc_futex_requeue(const void *word, uint32_t expected, uint32_t wake, const void *other, uint32_t move);

/* ---- Spinlocks in memory --------------------------------------------------------------------------------- */

/**
 * A spinlock for memory that processes share, whose holder may die. For critical sections of a few instructions. All-zero bytes are a valid, unlocked
 * one.
 *
 * It is owned by a thread, and locking it again is -EDEADLK. It must not be moved or copied while in use. Processes that share it live in one pid
 * namespace; others get UNIPC_INCOMPATIBLE. It trusts everyone who can write the page.
 */
typedef struct unipc_spinlock {
  /** Not for use. */
  uint64_t opaque[16];
} unipc_spinlock;

/**
 * Makes the spinlock anew, unlocked, whatever bytes stood there. Zero bytes need no init. Nobody may use the spinlock meanwhile.
 *
 * @param spinlock  where, at a multiple of 8 bytes
 * @return          0; -EINVAL: NULL or misaligned
 *
 * Threads: none may use the spinlock meanwhile. Signal-safe: no. Since 0.1. See pthread_spin_init(3).
 */
int unipc_spinlock_init(unipc_spinlock *spinlock);

/**
 * Locks the spinlock, and fails if a holder died inside and nobody has repaired since. Use unipc_spinlock_lock_recover to repair.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0: held; -EOWNERDEAD: not held, a holder died; -EAGAIN: another holds it and the timeout is zero; -ETIMEDOUT; -ECANCELED:
 *                 the bound stop token; -EDEADLK: the caller holds it already; -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE: no spinlock of
 *                 this ABI and pid namespace. A negative result: not held.
 *
 * It spins for some microseconds, then sleeps. Threads: any; the lock is the calling thread's. Fork: the child does not hold it. Signal-safe: no.
 * Since 0.1. See pthread_spin_lock(3), futex(2).
 */
int unipc_spinlock_lock(unipc_spinlock *spinlock, int64_t timeout);

/**
 * unipc_spinlock_lock without waiting: -EAGAIN if another holds it.
 *
 * @return  as unipc_spinlock_lock
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pthread_spin_trylock(3).
 */
int unipc_spinlock_try_lock(unipc_spinlock *spinlock);

/**
 * Locks the spinlock also when the last holder died inside.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0: held; UNIPC_NEEDS_REPAIR: held, and a holder died since the last unipc_spinlock_mark_consistent: repair what the spinlock
 *                 protects, then mark it. Negative: not held, as unipc_spinlock_lock but for -EOWNERDEAD.
 *
 * Unlocking without marking, or dying, passes the need for repair on to the next. Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_spinlock_lock_recover(unipc_spinlock *spinlock, int64_t timeout);

/**
 * Ends the need for repair, after the repair. The caller holds the spinlock, and goes on holding it.
 *
 * @return  0; -EPERM: the calling thread does not hold the spinlock; -EINVAL; UNIPC_INCOMPATIBLE
 *
 * Threads: the holder. Signal-safe: no. Since 0.1.
 */
int unipc_spinlock_mark_consistent(unipc_spinlock *spinlock);

/**
 * Unlocks the spinlock.
 *
 * @return  0; -EPERM: the calling thread does not hold the spinlock; -EINVAL; UNIPC_INCOMPATIBLE
 *
 * Threads: the holder. Signal-safe: no. Since 0.1. See pthread_spin_unlock(3).
 */
int unipc_spinlock_unlock(unipc_spinlock *spinlock);

/* ---- Events in memory ------------------------------------------------------------------------------------ */

/** event flag: each setting lets one waiter through, and is over then. */
#define UNIPC_EVENT_AUTOMATIC_RESET 1

/** Options of unipc_event_init. Begin with UNIPC_EVENT_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_event_options {
  /** sizeof(unipc_event_options) */
  size_t struct_size;
  /** 0: once set it lets everybody through, until unipc_event_reset; UNIPC_EVENT_AUTOMATIC_RESET: each setting lets one through */
  uint32_t flags;
  /** 1: it is set at first */
  uint32_t set;
} unipc_event_options;

/**
 * An event for memory that processes share: something has happened, and whoever waits for it goes on. All-zero bytes are a valid one, of manual
 * reset, that is not set.
 *
 * It must not be moved or copied while in use. It belongs to nobody: any process may set, reset and wait, across pid namespaces too. It trusts
 * everyone who can write the page.
 */
typedef struct unipc_event {
  /** Not for use. */
  uint64_t opaque[16];
} unipc_event;

/** Sets struct_size and zeroes the rest, as UNIPC_EVENT_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_event_options_init(unipc_event_options *options);

/**
 * Makes the event anew, whatever bytes stood there. Zero bytes need no init. Nobody may use the event meanwhile.
 *
 * @param event    where, at a multiple of 8 bytes
 * @param options  its kind, and whether it is set; NULL: manual reset, not set
 * @return         0; -EINVAL: NULL, misaligned, flags out of range; -E2BIG: an option that this version does not know
 *
 * Threads: none may use the event meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_event_init(unipc_event *event, const unipc_event_options *options);

/**
 * Sets the event: of manual reset, everybody who waits goes on, and everybody who comes, until unipc_event_reset; of automatic reset, one. Setting it
 * again before it is taken changes nothing.
 *
 * @return  0; -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE: no event of this ABI
 *
 * Threads: any. Signal-safe: no. Since 0.1. See futex(2).
 */
int unipc_event_set(unipc_event *event);

/**
 * Ends the setting. Who waited while it was set goes on all the same, if it is of manual reset.
 *
 * @return  1: it was set; 0: it was not; -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_event_reset(unipc_event *event);

/**
 * Whether the event is set at this moment.
 *
 * @return  1 or 0; -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_event_is_set(const unipc_event *event);

/**
 * Waits until the event is set. One of automatic reset is not set any more then.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0; -EAGAIN: it is not set and the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token; -EINVAL: NULL or misaligned;
 *                 UNIPC_INCOMPATIBLE: no event of this ABI
 *
 * Threads: any. Fork: the child may wait, too. Signal-safe: no. Since 0.1. See futex(2).
 */
int unipc_event_wait(unipc_event *event, int64_t timeout);

/**
 * unipc_event_wait without waiting: -EAGAIN if it is not set.
 *
 * @return  as unipc_event_wait
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_event_try_wait(unipc_event *event);

/* ---- Reader-writer locks in memory ----------------------------------------------------------------------- */

/** The most readers of a unipc_rwlock at a time; the next one waits. */
#define UNIPC_RWLOCK_READERS 112

/**
 * A reader-writer lock for memory that processes share, whose holders may die: a dead reader's share comes back, a dead writer is told. All-zero bytes
 * are a valid, unlocked one.
 *
 * It is owned by threads, and locking it again is -EDEADLK, a second share too. A writer that waits turns new readers away. It must not be moved or
 * copied while in use; a place at a multiple of 64 bytes is the fastest. Processes that share it live in one pid namespace; others get
 * UNIPC_INCOMPATIBLE. It trusts everyone who can write the page.
 */
typedef struct unipc_rwlock {
  /** Not for use. */
  uint64_t opaque[128];
} unipc_rwlock;

/**
 * Makes the lock anew, unlocked, whatever bytes stood there. Zero bytes need no init. Nobody may use the lock meanwhile.
 *
 * @param rwlock  where, at a multiple of 8 bytes
 * @return        0; -EINVAL: NULL or misaligned
 *
 * Threads: none may use the lock meanwhile. Signal-safe: no. Since 0.1. See pthread_rwlock_init(3p).
 */
int unipc_rwlock_init(unipc_rwlock *rwlock);

/**
 * Takes a share, and fails if a writer died inside and nobody has repaired since. Use unipc_rwlock_read_lock_recover to repair.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0: held; -EOWNERDEAD: not held, a writer died; -EAGAIN: a writer is there, or UNIPC_RWLOCK_READERS readers, and the timeout is
 *                 zero; -ETIMEDOUT; -ECANCELED: the bound stop token; -EDEADLK: the caller holds the lock already; -EINVAL: NULL or misaligned;
 *                 UNIPC_INCOMPATIBLE: no such lock of this ABI and pid namespace. A negative result: not held.
 *
 * Threads: any; the share is the calling thread's. Fork: the child does not hold it. Signal-safe: no. Since 0.1. See pthread_rwlock_rdlock(3p).
 */
int unipc_rwlock_read_lock(unipc_rwlock *rwlock, int64_t timeout);

/**
 * unipc_rwlock_read_lock without waiting: -EAGAIN if a writer is there.
 *
 * @return  as unipc_rwlock_read_lock
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pthread_rwlock_tryrdlock(3p).
 */
int unipc_rwlock_try_read_lock(unipc_rwlock *rwlock);

/**
 * Takes a share; if a writer died inside, the whole lock, to repair.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0: a share is held; UNIPC_NEEDS_REPAIR: the whole lock is held, and a writer died since the last
 *                 unipc_rwlock_mark_consistent: repair what it protects, then mark it. Negative: not held, as unipc_rwlock_read_lock but for
 *                 -EOWNERDEAD.
 *
 * Unlocking without marking, or dying, passes the need for repair on to the next. Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_rwlock_read_lock_recover(unipc_rwlock *rwlock, int64_t timeout);

/**
 * Takes the whole lock, and fails if a writer died inside and nobody has repaired since. Use unipc_rwlock_write_lock_recover to repair.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         as unipc_rwlock_read_lock
 *
 * Threads: any; the lock is the calling thread's. Fork: the child does not hold it. Signal-safe: no. Since 0.1. See pthread_rwlock_wrlock(3p).
 */
int unipc_rwlock_write_lock(unipc_rwlock *rwlock, int64_t timeout);

/**
 * unipc_rwlock_write_lock without waiting: -EAGAIN if another holds the lock or a share.
 *
 * @return  as unipc_rwlock_read_lock
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pthread_rwlock_trywrlock(3p).
 */
int unipc_rwlock_try_write_lock(unipc_rwlock *rwlock);

/**
 * Takes the whole lock also when a writer died inside.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0: held; UNIPC_NEEDS_REPAIR: held, and a writer died since the last unipc_rwlock_mark_consistent: repair what it protects, then
 *                 mark it. Negative: not held, as unipc_rwlock_read_lock but for -EOWNERDEAD.
 *
 * Unlocking without marking, or dying, passes the need for repair on to the next. Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_rwlock_write_lock_recover(unipc_rwlock *rwlock, int64_t timeout);

/**
 * Ends the need for repair, after the repair. The caller holds the whole lock, and goes on holding it.
 *
 * @return  0; -EPERM: the calling thread does not hold the whole lock; -EINVAL; UNIPC_INCOMPATIBLE
 *
 * Threads: the holder. Signal-safe: no. Since 0.1.
 */
int unipc_rwlock_mark_consistent(unipc_rwlock *rwlock);

/**
 * Unlocks the lock, be it a share or the whole.
 *
 * @return  0; -EPERM: the calling thread does not hold the lock; -EINVAL; UNIPC_INCOMPATIBLE
 *
 * Threads: the holder. Signal-safe: no. Since 0.1. See pthread_rwlock_unlock(3p).
 */
int unipc_rwlock_unlock(unipc_rwlock *rwlock);

/* ---- Condition variables in memory ----------------------------------------------------------------------- */

/**
 * A condition variable for memory that processes share, used with a unipc_mutex beside it. All-zero bytes are a valid one.
 *
 * The order: lock, change, notify, unlock; and who waits locks, looks, waits as long as it must, unlocks. Then nobody is stranded by a process that is
 * killed, wherever that happens. It must not be moved or copied while in use. It trusts everyone who can write the page.
 */
typedef struct unipc_condvar {
  /** Not for use. */
  uint64_t opaque[16];
} unipc_condvar;

/**
 * Makes the condition variable anew, whatever bytes stood there. Zero bytes need no init. Nobody may use it meanwhile.
 *
 * @param condvar  where, at a multiple of 8 bytes
 * @return         0; -EINVAL: NULL or misaligned
 *
 * Threads: none may use it meanwhile. Signal-safe: no. Since 0.1. See pthread_cond_init(3p).
 */
int unipc_condvar_init(unipc_condvar *condvar);

/**
 * Unlocks the mutex, sleeps until it is notified, and locks the mutex again. It may return without a reason: look again. For a condition within a
 * time use unipc_condvar_wait_while, since a second wait has the whole time again.
 *
 * @param mutex    held by the calling thread, once
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never sleeps. Locking the mutex again is not counted.
 * @return         0; UNIPC_NEEDS_REPAIR: a holder of the mutex died: repair, and unipc_mutex_mark_consistent. With the mutex held as well: -EAGAIN:
 *                 the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token. With the mutex as it was: -EPERM: the caller does not hold it;
 *                 -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE.
 *
 * Threads: any that holds the mutex. Fork: the child does not hold the mutex. Signal-safe: no. Since 0.1. See pthread_cond_wait(3p).
 */
int unipc_condvar_wait(unipc_condvar *condvar, unipc_mutex *mutex, int64_t timeout);

/**
 * Waits while condition(argument) is not 0. It is called with the mutex held, at first and after every wake-up, at least every half second. One
 * time for all sleeps together.
 *
 * @param mutex      held by the calling thread, once
 * @param condition  looks at what the mutex protects: not 0 to go on waiting. It must return, not throw or jump.
 * @param argument   handed to it
 * @param timeout    as unipc_condvar_wait
 * @return           0: the condition is 0; UNIPC_NEEDS_REPAIR: a holder died, and the condition may be anything; negative: as unipc_condvar_wait
 *
 * Threads: any that holds the mutex. Fork: the child does not hold the mutex. Signal-safe: no. Since 0.1. See pthread_cond_timedwait(3p).
 */
int unipc_condvar_wait_while(unipc_condvar *condvar, unipc_mutex *mutex, int (*condition)(void *argument),
    void *argument, int64_t timeout);

/**
 * Wakes at least one of those who wait, if there are any. To be called after the change, before the mutex is unlocked.
 *
 * @return  0; -EINVAL: NULL or misaligned; UNIPC_INCOMPATIBLE: no condition variable of this ABI
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pthread_cond_signal(3p).
 */
int unipc_condvar_notify_one(unipc_condvar *condvar);

/**
 * Wakes all who wait. To be called after the change, before the mutex is unlocked.
 *
 * @return  as unipc_condvar_notify_one
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pthread_cond_broadcast(3p).
 */
int unipc_condvar_notify_all(unipc_condvar *condvar);

/* ---- Barriers in memory ---------------------------------------------------------------------------------- */

/** The most parties of a unipc_barrier. */
#define UNIPC_BARRIER_PARTIES 56

/**
 * A barrier for memory that processes share: nobody goes on before all parties have come, round after round. A party that dies breaks it, with an error
 * for all. All-zero bytes are none: it must be initialised with the number of its parties.
 *
 * A party is a thread. It must not be moved or copied while in use. Processes that share it live in one pid namespace; others get UNIPC_INCOMPATIBLE. It
 * trusts everyone who can write the page.
 */
typedef struct unipc_barrier {
  /** Not for use. */
  uint64_t opaque[64];
} unipc_barrier;

/**
 * Makes the barrier, whatever bytes stood there. Nobody may use it meanwhile: initialise it before others see the memory.
 *
 * @param barrier  where, at a multiple of 8 bytes
 * @param parties  1 to UNIPC_BARRIER_PARTIES
 * @return         0; -EINVAL: NULL, misaligned, number out of range
 *
 * Threads: none may use the barrier meanwhile. Signal-safe: no. Since 0.1. See pthread_barrier_init(3p).
 */
int unipc_barrier_init(unipc_barrier *barrier, uint32_t parties);

/**
 * Makes the calling thread a party, if it is none yet: from here on its death breaks the barrier. unipc_barrier_wait does it too, if need be.
 *
 * @return  0; -EUSERS: all places are taken; -EOWNERDEAD: the barrier is broken; -EINVAL: NULL, misaligned, not initialised; UNIPC_INCOMPATIBLE: no
 *          barrier of this ABI and pid namespace
 *
 * Threads: any; the place is the calling thread's. Fork: the child is no party. Signal-safe: no. Since 0.1.
 */
int unipc_barrier_join(unipc_barrier *barrier);

/**
 * Gives the calling thread's place up, for another to join. A party that ends without leaving breaks the barrier.
 *
 * @return  0; -EPERM: the calling thread is no party; -EINVAL: NULL, misaligned, not initialised; UNIPC_INCOMPATIBLE
 *
 * Threads: the party. Signal-safe: no. Since 0.1.
 */
int unipc_barrier_leave(unipc_barrier *barrier);

/**
 * Waits until all parties have come.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         1 to the last to come, 0 to the others; -EOWNERDEAD: a party died, and the barrier is broken for all until unipc_barrier_reset;
 *                 -EAGAIN: others are missing and the timeout is zero; -ETIMEDOUT; -ECANCELED: the bound stop token; -EUSERS: all places are
 *                 taken by others; -EINVAL: NULL, misaligned, not initialised; UNIPC_INCOMPATIBLE. A negative result: the caller has not come.
 *
 * Threads: any; the place is the calling thread's. Fork: the child is no party. Signal-safe: no. Since 0.1. See pthread_barrier_wait(3p).
 */
int unipc_barrier_wait(unipc_barrier *barrier, int64_t timeout);

/**
 * Ends the break, after what the dead have left half done is mended: their places are free, and a round begins in which nobody has come.
 *
 * @return  1: it was broken; 0: it was not; -EINVAL: NULL, misaligned, not initialised; UNIPC_INCOMPATIBLE
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_barrier_reset(unipc_barrier *barrier);

/**
 * Whether a party has died, and nobody has reset the barrier since.
 *
 * @return  1 or 0; -EINVAL: NULL, misaligned, not initialised; UNIPC_INCOMPATIBLE
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_barrier_is_broken(const unipc_barrier *barrier);

/* ---- Events: counters and timers ------------------------------------------------------------------------- */

/** The clock that is never set, and stands still while the machine sleeps: CLOCK_MONOTONIC. */
#define UNIPC_CLOCK_MONOTONIC 0

/** The clock that is never set, and goes on while the machine sleeps: CLOCK_BOOTTIME. */
#define UNIPC_CLOCK_BOOTTIME 1

/**
 * A counter that wakes: what is added before the other side looks is summed. The sender writes its data first and then adds; the receiver takes first and
 * then reads all the data there is. A handle costs one descriptor.
 */
typedef struct unipc_eventfd unipc_eventfd;

/** A timer that is a descriptor; expirations that nobody took are counted. A handle costs one descriptor. */
typedef struct unipc_timer unipc_timer;

/** Options of event counters. Begin with UNIPC_EVENTFD_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_eventfd_options {
  /** sizeof(unipc_eventfd_options) */
  size_t struct_size;
  /** what the counter begins with */
  uint32_t initial;
  /** 1: each take takes one, not all */
  uint32_t semaphore;
} unipc_eventfd_options;

/** Options of timers. Begin with UNIPC_TIMER_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_timer_options {
  /** sizeof(unipc_timer_options) */
  size_t struct_size;
  /** UNIPC_CLOCK_MONOTONIC or UNIPC_CLOCK_BOOTTIME */
  uint32_t clock;
} unipc_timer_options;

/** Sets struct_size and zeroes the rest, as UNIPC_EVENTFD_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_eventfd_options_init(unipc_eventfd_options *options);

/**
 * Makes a counter. Its description does not block (O_NONBLOCK): whoever reads it by plain calls polls before.
 *
 * @param options  NULL: begins with 0, and is taken whole
 * @param counter  receives the handle, or NULL on failure; close it with unipc_eventfd_close
 * @return         0; -EMFILE, -ENFILE, -ENOMEM; -EINVAL: NULL, a switch that is not 0 or 1; -E2BIG
 *
 * Threads: any. Fork: parent and child share the counter. Signal-safe: no. Since 0.1. See eventfd(2).
 */
int unipc_eventfd_create(const unipc_eventfd_options *options, unipc_eventfd **counter);

/**
 * Takes over an eventfd from elsewhere. It is taken over on success alone, and made close-on-exec. One that blocks stays so, and as the kernel has no write
 * to it that does not wait, unipc_eventfd_add outwaits its limit if another takes, in this moment, the room that it has asked for; so does
 * unipc_eventfd_take before Linux 5.8.
 *
 * @param fd       an open descriptor
 * @param counter  receives the handle, or NULL on failure; close it with unipc_eventfd_close
 * @return         0; -EBADF; UNIPC_WRONG_KIND: no eventfd; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_eventfd_from_fd(int fd, unipc_eventfd **counter);

/**
 * Adds to the counter and wakes who waits. It waits itself only while the sum would exceed 2^64 - 2.
 *
 * @param value    how much; 0 wakes nobody
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return         0; -EAGAIN, -ETIMEDOUT: no room; -ECANCELED: the bound stop token; -EINVAL: NULL, 2^64 - 1
 *
 * Threads: any. Signal-safe: no; in a handler write(2) eight bytes to unipc_eventfd_fd. Since 0.1. See eventfd(2).
 */
int unipc_eventfd_add(unipc_eventfd *counter, uint64_t value, int64_t timeout);

/**
 * Takes what the counter has and leaves 0; of one in semaphore mode, takes 1. Waits while it is 0.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param value    receives how much; may be NULL
 * @return         0; -EAGAIN, -ETIMEDOUT: it is 0; -ECANCELED: the bound stop token; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See eventfd(2).
 */
int unipc_eventfd_take(unipc_eventfd *counter, int64_t timeout, uint64_t *value);

/**
 * What the counter has at this moment; nothing is taken.
 *
 * @param value  receives it
 * @return       0; UNIPC_UNAVAILABLE: /proc is not there; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See proc_pid_fdinfo(5).
 */
int unipc_eventfd_value(const unipc_eventfd *counter, uint64_t *value);

/**
 * The descriptor, for poll, epoll and event loops: readable while the counter is not 0. It stays the handle's.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_eventfd_fd(const unipc_eventfd *counter);

/**
 * Gives the descriptor away, which does not block if the counter was made here; the handle is gone.
 *
 * @return  the descriptor, which is the caller's; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_eventfd_into_fd(unipc_eventfd *counter);

/**
 * Closes the counter; NULL is fine.
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
void unipc_eventfd_close(unipc_eventfd *counter);

/** Sets struct_size and zeroes the rest, as UNIPC_TIMER_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_timer_options_init(unipc_timer_options *options);

/**
 * Makes a timer that is not set.
 *
 * @param options  NULL: UNIPC_CLOCK_MONOTONIC
 * @param timer    receives the handle, or NULL on failure; close it with unipc_timer_close
 * @return         0; -EMFILE, -ENFILE, -ENOMEM; -EINVAL: NULL, clock; -E2BIG
 *
 * Threads: any. Fork: parent and child share the timer and its expirations. Signal-safe: no. Since 0.1. See timerfd_create(2).
 */
int unipc_timer_create(const unipc_timer_options *options, unipc_timer **timer);

/**
 * Takes over a timerfd of one of the two clocks from elsewhere, set or not. It is taken over on success alone, and made close-on-exec.
 *
 * @param fd     an open descriptor
 * @param timer  receives the handle, or NULL on failure; close it with unipc_timer_close
 * @return       0; -EBADF; UNIPC_WRONG_KIND: no timerfd, or of a clock that can be set; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_timer_from_fd(int fd, unipc_timer **timer);

/**
 * Expires after a time, once or again and again. What was set before is forgotten, with the expirations that nobody took.
 *
 * @param first     nanoseconds until the first expiration; zero or less: at once
 * @param interval  nanoseconds between two; zero or less: there is only one
 * @return          0; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See timerfd_settime(2).
 */
int unipc_timer_set(unipc_timer *timer, int64_t first, int64_t interval);

/**
 * Expires at a time of its clock, at once if that is past; and then again and again, if so asked, without drift.
 *
 * @param at        nanoseconds as unipc_timer_now gives them
 * @param interval  nanoseconds between two expirations; zero or less: there is only one
 * @return          0; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See timerfd_settime(2).
 */
int unipc_timer_set_at(unipc_timer *timer, int64_t at, int64_t interval);

/**
 * Does not expire any more; expirations that nobody took are forgotten.
 *
 * @return  0; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See timerfd_settime(2).
 */
int unipc_timer_cancel(unipc_timer *timer);

/**
 * Waits for an expiration. A timer that is not set never expires.
 *
 * @param timeout      nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param expirations  receives how many there were since the last call, or since it was set; may be NULL
 * @return             0; -EAGAIN, -ETIMEDOUT: none; -ECANCELED: the bound stop token; -EINVAL: NULL
 *
 * Threads: any; each expiration is told to one. Signal-safe: no. Since 0.1. See timerfd_create(2).
 */
int unipc_timer_wait(unipc_timer *timer, int64_t timeout, uint64_t *expirations);

/**
 * When it will expire next.
 *
 * @param remaining  receives nanoseconds; 0: it is not set, or will not expire any more; may be NULL
 * @param interval   receives nanoseconds; 0: there is only one expiration; may be NULL
 * @return           0; -EINVAL: NULL handle
 *
 * Threads: any. Signal-safe: no. Since 0.1. See timerfd_gettime(2).
 */
int unipc_timer_state(const unipc_timer *timer, int64_t *remaining, int64_t *interval);

/**
 * The time by the timer's clock, in nanoseconds: what unipc_timer_set_at takes.
 *
 * @return  the time; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See clock_gettime(2).
 */
int64_t unipc_timer_now(const unipc_timer *timer);

/**
 * The descriptor, for poll, epoll and event loops: readable while there is an expiration that nobody took. It stays the handle's.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_timer_fd(const unipc_timer *timer);

/**
 * Gives the descriptor away, which does not block if the timer was made here; the handle is gone.
 *
 * @return  the descriptor, which is the caller's; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_timer_into_fd(unipc_timer *timer);

/**
 * Closes the timer; NULL is fine.
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
void unipc_timer_close(unipc_timer *timer);

/* ---- Signals: sent, received, described ------------------------------------------------------------------ */

/** Signals that the calling thread holds back. */
typedef struct unipc_signal_block unipc_signal_block;

/** Signals that become something to read. A handle costs two descriptors, one if it blocks. */
typedef struct unipc_signals unipc_signals;

/** What is known of a signal that was received. Begin with UNIPC_SIGNAL_INFO_INIT. */
typedef struct unipc_signal_info {
  /** sizeof(unipc_signal_info) */
  size_t struct_size;
  /** how many signals to this handle had no room before this one */
  uint64_t lost;
  /** its number */
  int32_t signal;
  /** why it came: SI_USER, SI_QUEUE, CLD_EXITED and so on, of sigaction(2) */
  int32_t code;
  /** 1 if it was sent with a value */
  uint32_t has_value;
  /** the value; anybody who may send the signal may choose it */
  int32_t value;
  /** 1 if the next two say who sent it, or which child it is about */
  uint32_t has_sender;
  /** that process; 0 in a pid namespace that is not ours */
  int32_t sender_pid;
  /** its real user */
  uint32_t sender_uid;
} unipc_signal_info;

/** Options of unipc_signals_open. Begin with UNIPC_SIGNALS_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_signals_options {
  /** sizeof(unipc_signals_options) */
  size_t struct_size;
  /**
   * 0: a handler records the signals (the self-pipe). 1: the signals are blocked in the calling thread and read from a signalfd; call it before other
   * threads are made, or block them there too
   */
  uint32_t block;
} unipc_signals_options;

/** What is known of a signal of this system. Begin with UNIPC_SIGNAL_DESCRIPTION_INIT. The strings live as long as the program. */
typedef struct unipc_signal_description {
  /** sizeof(unipc_signal_description) */
  size_t struct_size;
  /** "SIGUSR1", "SIGRTMIN+3" */
  const char *name;
  /** "terminate", "core dump", "ignore", "stop" or "continue" */
  const char *default_action;
  /** when it comes */
  const char *description;
  /** what programs do with it */
  const char *usage;
  /** its number */
  int32_t number;
} unipc_signal_description;

/** Sets struct_size and zeroes the rest, as UNIPC_SIGNAL_INFO_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_signal_info_init(unipc_signal_info *info);

/** Sets struct_size and zeroes the rest, as UNIPC_SIGNALS_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_signals_options_init(unipc_signals_options *options);

/**
 * Takes signals from now on. Any number of handles may take the same signal in handlers, and each gets it; handlers that were there before still run. Of handles
 * that block, one gets it.
 *
 * @param numbers  the signals: SIGTERM and so on
 * @param count    how many
 * @param options  NULL: in a handler
 * @param signals  receives the handle, or NULL on failure; close it with unipc_signals_close
 * @return         0; -EINVAL: NULL, no signals, one that cannot be caught (SIGKILL, SIGSTOP) or that says that the program cannot go on (SIGSEGV,
 *                 SIGBUS, SIGFPE, SIGILL); -EMFILE, -ENFILE; -EAGAIN: there are 64 handles with handlers already, or eight
 *                 handlers of ours under those of others; -E2BIG
 *
 * Threads: any; one that blocks speaks of the calling thread. Fork: refused in the child, which opens its own. Signal-safe: no. Since 0.1. See
 * sigaction(2), signalfd(2).
 */
int unipc_signals_open(const int *numbers, size_t count, const unipc_signals_options *options,
    unipc_signals **signals);

/**
 * Waits for the next signal.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param info     receives what is known of it; may be NULL
 * @return         its number; -EAGAIN, -ETIMEDOUT: none; -ECANCELED: the bound stop token; UNIPC_FORKED; -EINVAL: NULL
 *
 * Threads: any; each signal is told to one. Signal-safe: no. Since 0.1.
 */
int unipc_signals_receive(unipc_signals *signals, int64_t timeout, unipc_signal_info *info);

/**
 * The descriptor, for poll, epoll and event loops: readable while there is a signal to receive. It stays the handle's.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_signals_fd(const unipc_signals *signals);

/**
 * Takes the signals no longer; NULL is fine. After the last handle of a signal what was there before is restored: the handler, or the mask of
 * the thread that opened it, if it is the one that closes. A blocked signal that is pending then is delivered.
 *
 * Threads: none may use the handle meanwhile. Fork: in the child, the child's own handlers are restored. Signal-safe: no. Since 0.1.
 */
void unipc_signals_close(unipc_signals *signals);

/**
 * Waits for one of these signals, which the caller has blocked (unipc_signal_block_create), without a handle.
 *
 * @param numbers  the signals; of several that are pending the smallest comes first
 * @param count    how many
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param info     receives what is known of it; may be NULL
 * @return         its number; -EAGAIN, -ETIMEDOUT: none; -ECANCELED: the bound stop token; -EINVAL: as unipc_signals_open
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sigtimedwait(2).
 */
int unipc_signal_take(const int *numbers, size_t count, int64_t timeout, unipc_signal_info *info);

/**
 * Holds signals back in the calling thread, until the block is closed. Blocks may be nested, and end in any order.
 *
 * @param numbers  the signals
 * @param count    how many
 * @param block    receives the handle, or NULL on failure; close it with unipc_signal_block_close in the same thread
 * @return         0; -EINVAL: as unipc_signals_open
 *
 * Threads: speaks of the calling one; threads that it makes inherit the mask. Signal-safe: no. Since 0.1. See pthread_sigmask(3).
 */
int unipc_signal_block_create(const int *numbers, size_t count, unipc_signal_block **block);

/**
 * Lets the signals through again; what came meanwhile is delivered. NULL is fine. In another thread it changes no mask.
 *
 * Threads: the one that made it. Signal-safe: no. Since 0.1.
 */
void unipc_signal_block_close(unipc_signal_block *block);

/**
 * Sends a signal to a process.
 *
 * @param pid     the process, above 0; its number may have been reused: unipc_process_send_signal cannot meet a stranger
 * @param signal  its number; 0 sends none and asks whether one could be sent
 * @return        0; -ESRCH: nobody; -EPERM; -EINVAL: no signal, or 0 or less for the process
 *
 * Threads: any. Signal-safe: no; kill is. Since 0.1. See kill(2).
 */
int unipc_signal_send(int32_t pid, int signal);

/**
 * Sends a signal to every process of a group.
 *
 * @param group   the group; 0: the caller's own
 * @param signal  its number; 0 sends none and asks whether one could be sent
 * @return        0; -ESRCH: nobody; -EPERM: none of them may be sent it; -EINVAL: no signal, or a group of 1 or below 0, which would mean everybody
 *
 * Threads: any. Signal-safe: no. Since 0.1. See killpg(3).
 */
int unipc_signal_send_group(int32_t group, int signal);

/**
 * Sends a signal to one thread.
 *
 * @param pid     its process, as getpid gives it there
 * @param thread  the thread, as gettid gives it there
 * @param signal  its number
 * @return        0; -ESRCH: nobody; -EPERM; -EINVAL: no signal, numbers of 0 or less
 *
 * Threads: any. Signal-safe: no. Since 0.1. See tgkill(2).
 */
int unipc_signal_send_thread(int32_t pid, int32_t thread, int signal);

/**
 * Sends a signal by a pidfd.
 *
 * @param pidfd   of the process
 * @param signal  its number
 * @return        0; -ESRCH: it was waited for; -EBADF: no pidfd; -EPERM; -EINVAL: no signal, a negative descriptor; UNIPC_UNAVAILABLE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pidfd_send_signal(2).
 */
int unipc_signal_send_pidfd(int pidfd, int signal);

/**
 * Sends a signal with a value to a process. Real-time signals (SIGRTMIN and above) queue, in order, each with its value; of another that is
 * pending already nothing arrives.
 *
 * @param pid     the process, above 0
 * @param signal  its number
 * @param value   what the receiver gets
 * @return        0; -EAGAIN: as many are queued as RLIMIT_SIGPENDING allows; -ESRCH; -EPERM; -EINVAL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sigqueue(3).
 */
int unipc_signal_queue(int32_t pid, int signal, int32_t value);

/**
 * unipc_signal_queue to one thread.
 *
 * @return  as unipc_signal_queue
 *
 * Threads: any. Signal-safe: no. Since 0.1. See rt_tgsigqueueinfo(2).
 */
int unipc_signal_queue_thread(int32_t pid, int32_t thread, int signal, int32_t value);

/**
 * unipc_signal_queue by a pidfd.
 *
 * @return  as unipc_signal_queue; -EBADF: no pidfd
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pidfd_send_signal(2).
 */
int unipc_signal_queue_pidfd(int pidfd, int signal, int32_t value);

/** Sets struct_size and zeroes the rest, as UNIPC_SIGNAL_DESCRIPTION_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_signal_description_init(unipc_signal_description *description);

/**
 * Tells what a signal is. Numbers from 1 to 64, of which some are none, are all that there are.
 *
 * @param number       of the signal
 * @param description  receives what is known of it
 * @return             0; -EINVAL: no signal (also the two that the C library keeps for itself), NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See signal(7).
 */
int unipc_signal_describe(int number, unipc_signal_description *description);

/**
 * The number of a signal.
 *
 * @param name  "SIGTERM", "TERM", "term", "15", "SIGRTMIN+3"
 * @return      the number; -EINVAL: there is no such signal, NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See signal(7).
 */
int unipc_signal_number(const char *name);

/* ---- Pollers: one wait over many ------------------------------------------------------------------------- */

/** interest and ready: there is something to read, to receive, to take or to accept, or the other side will write no more. */
#define UNIPC_POLLER_READABLE 1

/** interest and ready: there is room. */
#define UNIPC_POLLER_WRITABLE 2

/** interest and ready: urgent data, or something exceptional, as POLLPRI. */
#define UNIPC_POLLER_PRIORITY 4

/** interest: told when it becomes so, not as long as it is so. Whoever is told goes on until -EAGAIN, or is not told again. */
#define UNIPC_POLLER_EDGE 16

/** interest: told once; unipc_poller_modify arms it again. */
#define UNIPC_POLLER_ONE_SHOT 32

/** ready, unasked: the other side has gone; what it has written before can still be read. */
#define UNIPC_POLLER_HANG_UP 64

/** ready, unasked: the other side of a socket will write no more. */
#define UNIPC_POLLER_PEER_CLOSED 128

/** ready, unasked: something is wrong with it, and the next call on it says what. A pipe's writing end says so when there is no reader. */
#define UNIPC_POLLER_ERROR 256

/** ready: nothing has happened to a source: unipc_poller_wake was called. */
#define UNIPC_POLLER_WOKEN 512

/**
 * One wait over many: over descriptors of every kind (unipc_stream_fd, unipc_mq_fd, unipc_eventfd_fd and so on), and over objects that have none, which
 * are asked from every 50 microseconds to every 10 milliseconds, without anything being taken: so of those take without waiting when they are told.
 *
 * Each source has a token, a number or a pointer, which comes back with what happened. A handle costs two descriptors, and 100 bytes or so for each source.
 * Any thread may use it at any time, except for close. After fork the child would share it with its parent: it gets UNIPC_FORKED and makes its own.
 */
typedef struct unipc_poller unipc_poller;

/** Something has happened to a source. */
typedef struct unipc_poller_event {
  /** what the source was registered with; 0 of a wake-up */
  uint64_t token;
  /** the source, as the function that has registered it has told it */
  uint64_t source;
  /** of UNIPC_POLLER_READABLE, ..._WRITABLE, ..._PRIORITY, ..._HANG_UP, ..._PEER_CLOSED, ..._ERROR; or UNIPC_POLLER_WOKEN */
  uint32_t ready;
  /** 0 */
  uint32_t reserved;
} unipc_poller_event;

/**
 * Makes a poller without sources.
 *
 * @param poller  receives the handle, or NULL on failure; close it with unipc_poller_close
 * @return        0; -EMFILE, -ENFILE, -ENOMEM; -EINVAL: NULL
 *
 * Threads: any. Fork: see unipc_poller. Signal-safe: no. Since 0.1. See epoll(7).
 */
int unipc_poller_create(unipc_poller **poller);

/**
 * Watches a descriptor, until unipc_poller_remove: do that before closing it. Threads that wait see it at once.
 *
 * A descriptor that is closed before, while there is a copy of it somewhere (dup, fork, sent over a socket), may go on being told until it is removed.
 * Regular files and directories always are ready for whatever is asked.
 *
 * @param fd        any descriptor; it stays the caller's
 * @param interest  of UNIPC_POLLER_READABLE, ..._WRITABLE, ..._PRIORITY, and UNIPC_POLLER_EDGE, UNIPC_POLLER_ONE_SHOT; 0: hang-ups and errors alone
 * @param token     comes back with every event: a number, or (uint64_t)(uintptr_t)pointer
 * @param source    receives a number to modify and remove the source by, which is never given twice; may be NULL
 * @return          0; -EBADF; -EEXIST: it is registered already (a dup can be, beside it); -ENOSPC: the limit fs.epoll.max_user_watches; -ELOOP, -EINVAL: the poller
 *                  itself; -ENOMEM; UNIPC_FORKED; -EINVAL: NULL, interest
 *
 * Threads: any. Signal-safe: no. Since 0.1. See epoll_ctl(2).
 */
int unipc_poller_add(unipc_poller *poller, int fd, uint32_t interest, uint64_t token, uint64_t *source);

/**
 * Watches a System V message queue, also one that a stranger feeds: readable while there is a message of the choice, writable while it is not full. A
 * queue that is removed is UNIPC_POLLER_ERROR and UNIPC_POLLER_HANG_UP.
 *
 * A choice other than any looks at message after message: with more than 600 of them in the queue it is told later.
 *
 * @param queue     the queue; the handle may be closed afterwards
 * @param type      0: any message; n > 0: of type n; n < 0: of a type up to -n
 * @param flags     0, or UNIPC_SYSV_QUEUE_EXCEPT: of any type but n
 * @param interest  as unipc_poller_add
 * @param token     as unipc_poller_add
 * @param source    as unipc_poller_add
 * @return          0; -EACCES: no right to read; -EIDRM: it was removed; -ENOMEM; UNIPC_FORKED; -EINVAL: NULL, interest, type, flags
 *
 * Threads: any. Signal-safe: no. Since 0.1. See msgctl(2), msgop(2).
 */
int unipc_poller_add_sysv_queue(unipc_poller *poller, const unipc_sysv_queue *queue, int64_t type,
    uint32_t flags, uint32_t interest, uint64_t token, uint64_t *source);

/**
 * Watches one semaphore of a System V set, also one that a stranger uses: readable while its value is at least units. A set that is removed is
 * UNIPC_POLLER_ERROR and UNIPC_POLLER_HANG_UP.
 *
 * @param set       the set; the handle may be closed afterwards
 * @param index     which semaphore, from 0
 * @param units     how many there have to be; 0: readable while there is none
 * @param interest  as unipc_poller_add
 * @param token     as unipc_poller_add
 * @param source    as unipc_poller_add
 * @return          0; -EACCES: no right to read; -EIDRM: it was removed; -ENOMEM; UNIPC_FORKED; -EINVAL: NULL, interest, index
 *
 * Threads: any. Signal-safe: no. Since 0.1. See semctl(2).
 */
int unipc_poller_add_sysv_semaphore(unipc_poller *poller, const unipc_sysv_semaphores *set, uint16_t index,
    uint16_t units, uint32_t interest, uint64_t token, uint64_t *source);

/**
 * Watches a named semaphore, also one that a stranger uses: readable while a unit is free.
 *
 * @param semaphore  the semaphore; close the handle after its removal here, or after closing the poller
 * @param interest   as unipc_poller_add
 * @param token      as unipc_poller_add
 * @param source     as unipc_poller_add
 * @return           0; -ENOMEM; UNIPC_FORKED; -EINVAL: NULL, interest
 *
 * Threads: any. Signal-safe: no. Since 0.1. See sem_getvalue(3).
 */
int unipc_poller_add_posix_semaphore(unipc_poller *poller, const unipc_posix_semaphore *semaphore,
    uint32_t interest, uint64_t token, uint64_t *source);

/**
 * Watches a semaphore in memory: readable while a unit is free.
 *
 * @param semaphore  where it stands; it stays there until its removal here, or until the poller is closed
 * @param interest   as unipc_poller_add
 * @param token      as unipc_poller_add
 * @param source     as unipc_poller_add
 * @return           0; -ENOMEM; UNIPC_INCOMPATIBLE; UNIPC_FORKED; -EINVAL: NULL, not aligned, interest
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_poller_add_semaphore(unipc_poller *poller, const unipc_semaphore *semaphore, uint32_t interest,
    uint64_t token, uint64_t *source);

/**
 * Watches a source for something else; one that is told once is armed again.
 *
 * @param source    as it was told
 * @param interest  as unipc_poller_add
 * @return          0; -ENOENT: no such source; -EBADF: its descriptor was closed, remove it; UNIPC_FORKED; -EINVAL: NULL, interest
 *
 * Threads: any. Signal-safe: no. Since 0.1. See epoll_ctl(2).
 */
int unipc_poller_modify(unipc_poller *poller, uint64_t source, uint32_t interest);

/**
 * Watches a source no more. No wait that begins after this has returned tells its token, nor does one that sleeps meanwhile; and nothing is asked of the
 * source any more.
 *
 * An event that another call of unipc_poller_wait has told already stands in its caller's array all the same: who removes sources between two events of
 * an array asks unipc_poller_is_registered before the next. What a token points to is freed by the thread that waits, or after that thread has
 * answered a wake-up (unipc_poller_wake) that came after the removal.
 *
 * @param source  as it was told
 * @return        0; -ENOENT: no such source, or no more; UNIPC_FORKED; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See epoll_ctl(2).
 */
int unipc_poller_remove(unipc_poller *poller, uint64_t source);

/**
 * Whether a source is registered and was not removed since: asked of the later events of an array when the work on the earlier ones removes sources.
 *
 * @param source  as it was told, or as it stands in an event
 * @return        1 or 0; UNIPC_FORKED; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_poller_is_registered(const unipc_poller *poller, uint64_t source);

/**
 * Waits until something happens. Of more sources than there is room for all are told in turn.
 *
 * @param events    receives what has happened
 * @param capacity  room for so many, at least 1; more than 65536 are not told at once
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return          how many were told; rarely 0: the sources of all were removed meanwhile; -EAGAIN, -ETIMEDOUT: nothing has happened; -ECANCELED: the bound
 *                  stop token; UNIPC_FORKED; -EINVAL: NULL, capacity
 *
 * Threads: any, several at once; each wake-up and each source that is told once goes to one. Signal-safe: no. Since 0.1. See epoll_wait(2).
 */
int unipc_poller_wait(unipc_poller *poller, unipc_poller_event *events, int capacity, int64_t timeout);

/**
 * Ends a wait that lasts, or else the next: it tells UNIPC_POLLER_WOKEN. Several before one is told are one. errno is left as it was.
 *
 * @return  0; UNIPC_FORKED; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1. See eventfd(2).
 */
int unipc_poller_wake(const unipc_poller *poller);

/**
 * The descriptor, for a loop inside another: readable while a descriptor among the sources is ready. It knows nothing of what is asked, nor of files. It
 * belongs to the poller: do not close it.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_poller_fd(const unipc_poller *poller);

/**
 * Whether some source has no descriptor and has to be asked: unipc_poller_fd tells nothing of those.
 *
 * @return  1 or 0; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_poller_is_asking(const unipc_poller *poller);

/**
 * Closes the poller; NULL is fine. Its sources stay open.
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
void unipc_poller_close(unipc_poller *poller);

/* ---- Rings: many reads and writes at once (io_uring) ----------------------------------------------------- */

/** what: reads up to length bytes, and 2147479552 at the most, at least one or the end; data is not looked at. */
#define UNIPC_RING_READ 1

/** what: writes of the length bytes at data, which are copied at once, as many as there is room for, at least one. */
#define UNIPC_RING_WRITE 2

/** offset: at the position of a file, which moves; and for everything that is no file. */
#define UNIPC_RING_POSITION UINT64_MAX

/**
 * Many reads and writes handed to the kernel at once, and told as each completes, in any order (io_uring).
 *
 * The ring owns the buffers: nothing of the caller's is written to, or read after unipc_ring_submit has returned. Two writes to one stream that are in flight
 * together may be done in either order, or in pieces: submit the next when the last has completed. A handle costs one descriptor. What is
 * in flight when the thread that has submitted it ends completes with -ECANCELED, if not at once then when its turn comes. After fork the child gets
 * UNIPC_FORKED, and makes its own.
 */
typedef struct unipc_ring unipc_ring;

/** A read or write that is to be submitted. */
typedef struct unipc_ring_operation {
  /** comes back with the completion: a number, or (uint64_t)(uintptr_t)pointer */
  uint64_t token;
  /** where in a file, whose position stays; or UNIPC_RING_POSITION */
  uint64_t offset;
  /** what is to be written */
  const void *data;
  /** in bytes */
  size_t length;
  /** any descriptor, which stays the caller's and may be closed once it is submitted */
  int fd;
  /** UNIPC_RING_READ or UNIPC_RING_WRITE */
  uint32_t what;
} unipc_ring_operation;

/** What has become of an operation. */
typedef struct unipc_ring_completion {
  /** what the operation was given */
  uint64_t token;
  /** how many bytes were read or written, of a read 0 at the end; or -errno: -EPIPE, -ECANCELED, -EBADF, -EAGAIN of a description with O_NONBLOCK, and so on */
  int64_t result;
  /** what was read, or was to be written; it belongs to the ring, until the next unipc_ring_wait or unipc_ring_close */
  const void *data;
} unipc_ring_completion;

/**
 * Whether this machine has io_uring, by trying it. Many have not: the kernel is built without it, the sysctl kernel.io_uring_disabled turns it off, a
 * sandbox refuses it. unipc_error_text says which; plain reads and writes and unipc_poller do the same for more system calls.
 *
 * @return  0; UNIPC_UNAVAILABLE: no; -EMFILE, -ENFILE, -ENOMEM: it cannot be told now
 *
 * Threads: any. Signal-safe: no. Since 0.1. See io_uring(7).
 */
int unipc_ring_available(void);

/**
 * Makes a ring.
 *
 * @param capacity  how many operations may be in flight, 1 to 32768
 * @param ring      receives the handle, or NULL on failure; close it with unipc_ring_close
 * @return          0; UNIPC_UNAVAILABLE: see unipc_ring_available; -EMFILE, -ENFILE, -ENOMEM; -EINVAL: NULL, capacity
 *
 * Threads: any. Fork: see unipc_ring. Signal-safe: no. Since 0.1. See io_uring_setup(2).
 */
int unipc_ring_create(uint32_t capacity, unipc_ring **ring);

/**
 * Submits operations, all or none, and does not wait for them. What is wrong with a descriptor, its completion tells. A write raises no SIGPIPE.
 *
 * @param operations  what is to be done; not needed any more afterwards, nor is what they point to
 * @param count       how many, from 0
 * @return            0; -EAGAIN: there is no room for all; UNIPC_UNAVAILABLE: a sandbox was entered since that refuses it; UNIPC_FORKED; -ENOMEM;
 *                    -EINVAL: NULL, what, length
 *
 * Threads: one at a time. Signal-safe: no. Since 0.1. See io_uring_enter(2).
 */
int unipc_ring_submit(unipc_ring *ring, const unipc_ring_operation *operations, size_t count);

/**
 * Waits until something has completed. A time that is up cancels nothing.
 *
 * @param completions  receives what has completed; their data is good until the next call, or unipc_ring_close
 * @param capacity     room for so many, at least 1
 * @param timeout      nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @return             how many were told; 0: nothing is in flight; -EAGAIN, -ETIMEDOUT: nothing has completed; -ECANCELED: the bound stop token; UNIPC_FORKED; -EINVAL:
 *                     NULL, capacity
 *
 * Threads: one at a time. Signal-safe: no. Since 0.1. See io_uring(7).
 */
int unipc_ring_wait(unipc_ring *ring, unipc_ring_completion *completions, int capacity, int64_t timeout);

/**
 * Asks the kernel to cancel the operations with this token. Each completes all the same: with -ECANCELED, or as if nothing had been asked.
 *
 * @return  how many there are in flight; UNIPC_UNAVAILABLE: as unipc_ring_submit; UNIPC_FORKED; -EINVAL: NULL
 *
 * Threads: one at a time. Signal-safe: no. Since 0.1.
 */
int unipc_ring_cancel(unipc_ring *ring, uint64_t token);

/**
 * The descriptor, for a poller: readable while something has completed that was not told. It belongs to the ring: do not close it.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_ring_fd(const unipc_ring *ring);

/**
 * Closes the ring; NULL is fine. What is in flight is cancelled, and waited for: then the kernel touches no buffer any more.
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
void unipc_ring_close(unipc_ring *ring);

/* ---- Processes: their end, children, pipelines ----------------------------------------------------------- */

/** It is no child of ours, or somebody else has waited for it: the kernel does not tell us how it has ended. */
#define UNIPC_EXIT_UNKNOWN 0

/** The process has exited with a code. */
#define UNIPC_EXIT_CODE 1

/** A signal has ended the process. */
#define UNIPC_EXIT_SIGNAL 2

/** Programs that run at the same time, each reading what the one before it writes. A handle costs one descriptor for each stage. */
typedef struct unipc_pipeline unipc_pipeline;

/** A process whose end can be waited for, whatever becomes of its number. A handle costs one descriptor. */
typedef struct unipc_process unipc_process;

/** How a process has ended. Begin with UNIPC_EXIT_STATUS_INIT. */
typedef struct unipc_exit_status {
  /** sizeof(unipc_exit_status) */
  size_t struct_size;
  /** UNIPC_EXIT_CODE, UNIPC_EXIT_SIGNAL or UNIPC_EXIT_UNKNOWN */
  uint32_t kind;
  /** the code, 0 to 255, or the signal */
  int32_t value;
  /** 1 if it left a core dump */
  uint32_t dumped_core;
  /** as a shell has it in $?: the code, or 128 and the signal; -1: unknown */
  int32_t shell_status;
} unipc_exit_status;

/** A descriptor that a child gets. */
typedef struct unipc_child_fd {
  /** its number in the child: 0 for its standard input, 1 for its output, 2 for its errors, or any other */
  int32_t child;
  /** what it is a copy of: a descriptor of this process; -1: /dev/null */
  int32_t fd;
} unipc_child_fd;

/** A program to be started. Begin with UNIPC_COMMAND_INIT. */
typedef struct unipc_command {
  /** sizeof(unipc_command) */
  size_t struct_size;
  /** the program's name for itself and its arguments; the last is NULL */
  const char *const *arguments;
  /** a path, or a name that is looked for in PATH; NULL: the first argument */
  const char *program;
  /** all variables as NAME=value, the last is NULL; NULL: those of this process */
  const char *const *environment;
  /** where it starts; NULL: where this process is */
  const char *directory;
  /** the descriptors that it gets besides 0, 1 and 2, or instead of them; every other one is closed */
  const unipc_child_fd *fds;
  /** how many */
  size_t fd_count;
  /** 1: it leads a process group of its own */
  uint32_t new_group;
} unipc_command;

/** Sets struct_size and zeroes the rest, as UNIPC_EXIT_STATUS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_exit_status_init(unipc_exit_status *status);

/**
 * The process that has this number now.
 *
 * @param pid      its number
 * @param process  receives the handle, or NULL on failure; close it with unipc_process_close
 * @return         0; -ESRCH: nobody; -EINVAL: NULL, 0 or less, a thread's number; -EMFILE, -ENFILE; UNIPC_UNAVAILABLE: before Linux 5.3
 *
 * Threads: any. Fork: the child is not the parent of the process, and learns no status. Signal-safe: no. Since 0.1. See pidfd_open(2).
 */
int unipc_process_open(int32_t pid, unipc_process **process);

/**
 * Takes over a pidfd from elsewhere. It is taken over on success alone, and made close-on-exec.
 *
 * @param fd       an open descriptor
 * @param process  receives the handle, or NULL on failure; close it with unipc_process_close
 * @return         0; -EBADF; UNIPC_WRONG_KIND: no pidfd; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_process_from_fd(int fd, unipc_process **process);

/**
 * The number that the process had when the handle was made.
 *
 * @return  the number; 0: it was adopted when the process was gone, or in a pid namespace that is not ours; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_process_pid(const unipc_process *process);

/**
 * Waits for the end of the process. A child is thereby waited for, and its number free; asking again gives the same answer.
 *
 * @param timeout  nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param status   receives how it has ended; may be NULL
 * @return         0; -EAGAIN, -ETIMEDOUT: it runs; -ECANCELED: the bound stop token; -EINVAL: NULL handle
 *
 * Threads: any. Signal-safe: no. Since 0.1. See waitid(2).
 */
int unipc_process_wait(unipc_process *process, int64_t timeout, unipc_exit_status *status);

/**
 * Sends a signal to this process and to no other.
 *
 * @param signal  its number
 * @return        0; -ESRCH: it was waited for; -EPERM; -EINVAL: no signal, NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pidfd_send_signal(2).
 */
int unipc_process_send_signal(unipc_process *process, int signal);

/**
 * The pidfd, for poll, epoll and event loops: readable when the process has ended. It stays the handle's.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_process_fd(const unipc_process *process);

/**
 * Gives the pidfd away; the handle is gone. A child has to be waited for by the caller.
 *
 * @return  the descriptor, which is the caller's; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_process_into_fd(unipc_process *process);

/**
 * Closes the handle; NULL is fine. Nothing is done to the process. A child that was not waited for is waited for by the library, when it starts or closes
 * another; until it has ended the library keeps its descriptor.
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
void unipc_process_close(unipc_process *process);

/** Sets struct_size and zeroes the rest, as UNIPC_COMMAND_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_command_init(unipc_command *command);

/**
 * Starts a child. It has the descriptors that were named and 0, 1 and 2, no signal blocked, and SIGPIPE ends it, as programs expect. A text without #! is run
 * by /bin/sh, as by a shell.
 *
 * @param command  what to start
 * @param process  receives the handle, or NULL on failure; close it with unipc_process_close
 * @return         0; -ENOENT: no such program, or directory; -EACCES: it may not be executed; -ENOEXEC: it is no program, and there is no /bin/sh;
 *                 -EAGAIN: the limit of processes; UNIPC_UNAVAILABLE: before Linux 5.3; -EMFILE, -ENFILE, -ENOMEM; -E2BIG: arguments too long, or an option that this version does not know; -EBADF; -EINVAL: NULL, no arguments, a negative
 *                 number; no process is left then
 *
 * Threads: any. Signal-safe: no. Since 0.1. See execve(2).
 */
int unipc_process_spawn(const unipc_command *command, unipc_process **process);

/**
 * Starts commands with pipes between them, as a shell does. Descriptor 1 of each and 0 of the next are set here.
 *
 * A program that does not exist, or may not be executed, counts as a stage that ended with 127 or 126.
 *
 * @param commands  pointers to them, in order
 * @param count     how many
 * @param pipeline  receives the handle, or NULL on failure; close it with unipc_pipeline_close
 * @return          0; else as unipc_process_spawn, and the stages that had been started are killed
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pipe(7).
 */
int unipc_pipeline_spawn(const unipc_command *const *commands, size_t count, unipc_pipeline **pipeline);

/**
 * Waits until every stage has ended.
 *
 * @param timeout   nanoseconds for all of them; UNIPC_FOREVER; zero or less never waits
 * @param statuses  receives how each has ended, as a shell has it in $?: the code, or 128 and the signal; -1: unknown; may be NULL if capacity is 0
 * @param capacity  how many there is room for; those beyond it are not told
 * @return          how many stages there are; -EAGAIN, -ETIMEDOUT: some run; -ECANCELED: the bound stop token; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_pipeline_wait(unipc_pipeline *pipeline, int64_t timeout, int *statuses, size_t capacity);

/**
 * Sends a signal to every stage that runs.
 *
 * @param signal  its number
 * @return        0; -EPERM; -EINVAL: no signal, NULL
 *
 * Threads: any. Signal-safe: no. Since 0.1. See pidfd_send_signal(2).
 */
int unipc_pipeline_send_signal(unipc_pipeline *pipeline, int signal);

/**
 * Closes the handle; NULL is fine. Nothing is done to the programs; see unipc_process_close.
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
void unipc_pipeline_close(unipc_pipeline *pipeline);

/* ---- Locks on files -------------------------------------------------------------------------------------- */

/**
 * file lock: a lock of the open file, on ranges of bytes. After fork the child shares it: the lock ends when both have closed, or either has unlocked.
 * It meets record locks.
 */
#define UNIPC_FILE_LOCK_OFD 0

/** file lock: a lock of the open file, on the whole of it, as flock(1) takes it. After fork as UNIPC_FILE_LOCK_OFD. Its upgrade lets others in between. */
#define UNIPC_FILE_LOCK_FLOCK 1

/**
 * file lock: a lock of the process, on ranges of bytes. When the process closes any descriptor of the file, whoever opened it, all its record locks on
 * the file are lost. A child made by fork has none. It does not keep threads apart. It meets OFD locks.
 */
#define UNIPC_FILE_LOCK_RECORD 2

/** file lock: one holder. */
#define UNIPC_FILE_LOCK_EXCLUSIVE 0

/** file lock: any number of holders, all of them shared. */
#define UNIPC_FILE_LOCK_SHARED 1

/**
 * A file, opened to be locked: against other processes that ask for the lock too, and against nobody else. The kernel drops the lock when its holder
 * dies. A lock file stays where it is: who unlinks it while another has it open leaves that one with a lock that nobody else will find.
 *
 * A handle costs a descriptor. Handles that are to keep each other out, in threads too, are opened each for itself; to lock twice through one handle
 * changes its lock. What loses the lock depends on the kind, see UNIPC_FILE_LOCK_OFD, UNIPC_FILE_LOCK_FLOCK and UNIPC_FILE_LOCK_RECORD.
 */
typedef struct unipc_file_lock unipc_file_lock;

/** Options of file locks. Begin with UNIPC_FILE_LOCK_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_file_lock_options {
  /** sizeof(unipc_file_lock_options) */
  size_t struct_size;
  /** create: the group, by name or number; NULL: the process's */
  const char *group;
  /** UNIPC_FILE_LOCK_OFD, UNIPC_FILE_LOCK_FLOCK or UNIPC_FILE_LOCK_RECORD */
  uint32_t kind;
  /** create: permissions, set whatever the umask says; 0: 0600 */
  uint32_t mode;
  /** 1 opens to read only: enough for a flock, and for shared locks of the other kinds */
  uint32_t read_only;
  /** open: 1 accepts files of users other than oneself and root */
  uint32_t any_owner;
} unipc_file_lock_options;

/** A lock that is in the way. Begin with UNIPC_FILE_LOCK_HOLDER_INIT. */
typedef struct unipc_file_lock_holder {
  /** sizeof(unipc_file_lock_holder) */
  size_t struct_size;
  /** the first byte that it is on */
  uint64_t start;
  /** how many bytes; 0: all from the start */
  uint64_t length;
  /** the process; 0: the kernel does not tell, as of OFD locks and of processes in another pid namespace */
  int32_t process;
  /** UNIPC_FILE_LOCK_EXCLUSIVE or UNIPC_FILE_LOCK_SHARED */
  uint32_t mode;
} unipc_file_lock_holder;

/** Sets struct_size and zeroes the rest, as UNIPC_FILE_LOCK_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_file_lock_options_init(unipc_file_lock_options *options);

/** Sets struct_size and zeroes the rest, as UNIPC_FILE_LOCK_HOLDER_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_file_lock_holder_init(unipc_file_lock_holder *holder);

/**
 * Opens a regular file that exists, to be locked. Symbolic links at the end of the path are not followed.
 *
 * @param path     at most 4095 bytes
 * @param options  kind, read_only, any_owner; NULL: defaults
 * @param lock     receives the handle, or NULL on failure; close it with unipc_file_lock_close
 * @return         0; -ENOENT; -EACCES; -EPERM: it belongs to another user; -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no regular file; -EINVAL: NULL, a
 *                 bad path or kind; -ENAMETOOLONG, -E2BIG, -EMFILE, -ENFILE
 *
 * Threads: any. Fork: the child's copy is the same holder, but for record locks. Signal-safe: no. Since 0.1. See open(2).
 */
int unipc_file_lock_open(const char *path, const unipc_file_lock_options *options, unipc_file_lock **lock);

/**
 * Opens a regular file to be locked, or makes an empty one if there is none.
 *
 * @param path     at most 4095 bytes
 * @param options  kind, mode, group, read_only, any_owner; NULL: defaults
 * @param lock     receives the handle, or NULL on failure; close it with unipc_file_lock_close
 * @return         as unipc_file_lock_open; -ENOENT: of the directory; -EROFS, -ENOSPC, -EDQUOT; -EINVAL: also a bad mode or group
 *
 * Threads: any. Fork: as unipc_file_lock_open. Signal-safe: no. Since 0.1. See open(2).
 */
int unipc_file_lock_open_or_create(const char *path, const unipc_file_lock_options *options,
    unipc_file_lock **lock);

/**
 * Takes over a descriptor of a file, to be locked; of a directory too, for a flock. It becomes close-on-exec. When it is refused it stays the caller's.
 *
 * @param kind  UNIPC_FILE_LOCK_OFD, UNIPC_FILE_LOCK_FLOCK or UNIPC_FILE_LOCK_RECORD
 * @param lock  receives the handle, or NULL on failure; close it with unipc_file_lock_close
 * @return      0; -EBADF: no open descriptor; -EINVAL: NULL, a bad kind
 *
 * Threads: any. Signal-safe: no. Since 0.1.
 */
int unipc_file_lock_from_fd(int fd, uint32_t kind, unipc_file_lock **lock);

/**
 * Locks a range. What this handle holds in it is converted; see unipc_file_lock_upgrade for that.
 *
 * @param mode     UNIPC_FILE_LOCK_EXCLUSIVE or UNIPC_FILE_LOCK_SHARED
 * @param start    the first byte; 0 for a flock
 * @param length   bytes; 0: all from the start, however the file grows
 * @param timeout  nanoseconds, or UNIPC_FOREVER. The kernel has no limit for these waits: any limit but UNIPC_FOREVER probes, from every 50 us to every
 *                 10 ms, as does a thread that has bound a stop token
 * @return         0; -EAGAIN, -ETIMEDOUT, -ECANCELED: another holds it; -EDEADLK: record locks whose holders wait for each other, with UNIPC_FOREVER;
 *                 -EBADF: exclusive, but open to read only; -ENOLCK: no room, or a file system without locks; -EINVAL: NULL, a bad mode, a range beyond
 *                 2^63 - 1 or of a flock
 *
 * Threads: any; those of one handle do not keep each other out. Signal-safe: no. Since 0.1. See fcntl_locking(2), flock(2).
 */
int unipc_file_lock_lock(const unipc_file_lock *lock, uint32_t mode, uint64_t start, uint64_t length,
    int64_t timeout);

/**
 * Makes a shared lock exclusive, and waits until the other sharers have gone. One that is exclusive already stays so.
 *
 * OFD and record locks stay shared meanwhile, and when it fails; two that upgrade at once wait for each other, so give it a limit. A flock is given back
 * first: others may have changed the file before the exclusive lock is there. When that fails, the shared lock is taken again.
 *
 * @param start    the first byte; 0 for a flock
 * @param length   bytes; 0: all from the start
 * @param timeout  nanoseconds, or UNIPC_FOREVER
 * @return         as unipc_file_lock_lock; -EPERM: not all of it is held, and nothing is locked (without /proc it cannot be told, and is locked); -ENOLCK:
 *                 also of a flock, another took it meanwhile, and nothing is held any more
 *
 * Threads: any. Signal-safe: no. Since 0.1. See flock(2).
 */
int unipc_file_lock_upgrade(const unipc_file_lock *lock, uint64_t start, uint64_t length, int64_t timeout);

/**
 * Makes an exclusive lock shared. It does not wait, and lets nobody write in between. One that is shared already stays so.
 *
 * @param start   the first byte; 0 for a flock
 * @param length  bytes; 0: all from the start
 * @return        0; -EPERM: not all of it is held, and nothing is locked, as unipc_file_lock_upgrade; -EINVAL: NULL, a range beyond 2^63 - 1 or of a flock;
 *                -ENOLCK
 *
 * Threads: any. Signal-safe: no. Since 0.1. See fcntl_locking(2), flock(2).
 */
int unipc_file_lock_downgrade(const unipc_file_lock *lock, uint64_t start, uint64_t length);

/**
 * Gives a range back, or a part of one. What is not held is no error: it is free.
 *
 * @param start   the first byte; 0 for a flock
 * @param length  bytes; 0: all from the start
 * @return        0; -EINVAL: NULL, a range beyond 2^63 - 1 or of a flock; -ENOLCK: no room for the parts that remain
 *
 * Threads: any. Fork: in the child it unlocks for the parent too, but for record locks. Signal-safe: no. Since 0.1. See fcntl_locking(2), flock(2).
 */
int unipc_file_lock_unlock(const unipc_file_lock *lock, uint64_t start, uint64_t length);

/**
 * A lock of others that keeps this handle from locking a range. It may be gone when this returns.
 *
 * @param mode    UNIPC_FILE_LOCK_EXCLUSIVE or UNIPC_FILE_LOCK_SHARED: what one would lock
 * @param start   the first byte; 0 for a flock
 * @param length  bytes; 0: all from the start
 * @param holder  receives who holds it, if somebody does; NULL: only whether
 * @return        1: there is one; 0: none; -EINVAL: NULL, a bad mode or range; UNIPC_UNAVAILABLE: a flock, without /proc/locks
 *
 * Threads: any. Signal-safe: no. Since 0.1. See fcntl_locking(2), proc_locks(5).
 */
int unipc_file_lock_find_holder(const unipc_file_lock *lock, uint32_t mode, uint64_t start, uint64_t length,
    unipc_file_lock_holder *holder);

/**
 * The descriptor, which stays the handle's: to read and write the file. Do not close it.
 *
 * @return  the descriptor; -EINVAL: NULL
 *
 * Threads: any. Signal-safe: yes. Since 0.1.
 */
int unipc_file_lock_fd(const unipc_file_lock *lock);

/**
 * Gives the descriptor away and closes the handle. Its locks stay until the descriptor is closed.
 *
 * @return  the descriptor, which is the caller's; -EINVAL: NULL
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
int unipc_file_lock_into_fd(unipc_file_lock *lock);

/**
 * Closes the handle; NULL is fine. What it holds is given back, unless another descriptor of the same open file is left, as in a child made by fork.
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
void unipc_file_lock_close(unipc_file_lock *lock);

/* ---- Files replaced, appended to, followed --------------------------------------------------------------- */

/** file replace: content and name are on the disk when the call returns. */
#define UNIPC_FILE_SYNC_ALL 0

/** file replace: the content is on the disk: after a crash of the machine it is the old or the new one. */
#define UNIPC_FILE_SYNC_CONTENT 1

/** file replace: nothing is waited for: after a crash of the machine the file may be empty. Readers see the old or the new content all the same. */
#define UNIPC_FILE_SYNC_NOTHING 2

/** The last byte of a line that its writer did not finish: the next unipc_file_append writes it, and a follower passes over such lines. */
#define UNIPC_FILE_TORN 24

/** file event: a whole record. */
#define UNIPC_FILE_RECORD 0

/** file event: another file has the name; what comes next is its beginning. */
#define UNIPC_FILE_REPLACED 1

/** file event: the file is shorter than what was read; what comes next is its beginning. */
#define UNIPC_FILE_TRUNCATED 2

/** file event: no file has the name any more; all of the old one has been received. */
#define UNIPC_FILE_DELETED 3

/**
 * Receives the records that are appended to a file: whole lines, in their order, without the newline. It sees the file replaced, truncated, deleted and made
 * again.
 *
 * A handle costs two descriptors, and at most the longest record and 64 KiB of memory. One thread at a time uses it. After fork one of the two processes goes on
 * with it: the other may be woken up to half a second late.
 */
typedef struct unipc_file_follower unipc_file_follower;

/** Options of unipc_file_replace. Begin with UNIPC_FILE_REPLACE_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_file_replace_options {
  /** sizeof(unipc_file_replace_options) */
  size_t struct_size;
  /** the group, by name or number; NULL: that of the old file, or the process's */
  const char *group;
  /** permissions, set whatever the umask says; 0: those of the old file, or 0600 */
  uint32_t mode;
  /** UNIPC_FILE_SYNC_ALL, UNIPC_FILE_SYNC_CONTENT or UNIPC_FILE_SYNC_NOTHING */
  uint32_t sync;
  /** 1: where owner and group of the old file cannot be kept, the new one may be the process's; 0: that is -EPERM */
  uint32_t take_ownership;
  /** 1 follows a symbolic link at the end of the path, and replaces what it points to; 0: a link is -ELOOP */
  uint32_t follow_links;
} unipc_file_replace_options;

/** Options of unipc_file_append. Begin with UNIPC_FILE_APPEND_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_file_append_options {
  /** sizeof(unipc_file_append_options) */
  size_t struct_size;
  /** the group of a file that is made, by name or number; NULL: the process's */
  const char *group;
  /** permissions of a file that is made, set whatever the umask says; 0: 0600 */
  uint32_t mode;
  /** 1 accepts files of users other than oneself and root */
  uint32_t any_owner;
  /** 1 waits until the record is on the disk, and with the first of a file its name */
  uint32_t sync;
  /** zero */
  uint32_t reserved;
} unipc_file_append_options;

/** Options of file followers. Begin with UNIPC_FILE_FOLLOWER_OPTIONS_INIT; zero in a field is its default. */
typedef struct unipc_file_follower_options {
  /** sizeof(unipc_file_follower_options) */
  size_t struct_size;
  /** begin at this byte, where an earlier follower has left off: the end of its last record */
  uint64_t start;
  /** the longest record in bytes; 0: 1 MiB */
  size_t largest;
  /** nanoseconds to wait for another process to create the file */
  int64_t wait_for_creator;
  /** 1: begin behind what is there already, at the first record that is not complete yet */
  uint32_t from_end;
  /** 1 accepts files of users other than oneself and root */
  uint32_t any_owner;
  /** 1 follows a symbolic link at the end of the path; that it points elsewhere is seen within half a second */
  uint32_t follow_links;
  /** zero */
  uint32_t reserved;
} unipc_file_follower_options;

/** What a follower has received. Begin with UNIPC_FILE_FOLLOWER_INFO_INIT. */
typedef struct unipc_file_follower_info {
  /** sizeof(unipc_file_follower_info) */
  size_t struct_size;
  /** length of the record; with -EMSGSIZE what the buffer needs, or 0 if the record was passed over */
  size_t size;
  /** where in the file the record begins */
  uint64_t offset;
  /** where the next one begins */
  uint64_t end;
  /** torn records that were passed over since the last one that was received */
  uint64_t torn;
  /** UNIPC_FILE_RECORD, UNIPC_FILE_REPLACED, UNIPC_FILE_TRUNCATED or UNIPC_FILE_DELETED */
  uint32_t event;
  /** zero */
  uint32_t reserved;
} unipc_file_follower_info;

/** Sets struct_size and zeroes the rest, as UNIPC_FILE_REPLACE_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_file_replace_options_init(unipc_file_replace_options *options);

/**
 * Replaces a file's content in one step, or makes the file. Who opens it has the old content or the new one, whole, whoever is killed meanwhile; who has the
 * old one open keeps it.
 *
 * Permissions, owner and group stay, unless asked for otherwise; ACLs, extended attributes and other hard links do not come along. A writer that is killed
 * leaves at most a file .NAME.unipc-0 beside it, which the next one removes.
 *
 * @param path     at most 4095 bytes
 * @param data     the content; NULL if length is 0
 * @param length   bytes
 * @param options  NULL: defaults
 * @return         0; -ENOENT, -ENOTDIR: of the directory; -EACCES, -EROFS, -ENOSPC, -EDQUOT, -EIO; -EFBIG: with RLIMIT_FSIZE, ignoring SIGXFSZ; -EPERM:
 *                 owner or group cannot be kept, or given; -ELOOP: a symbolic link; UNIPC_WRONG_KIND: no regular file; -EBUSY: 16 writers stand still in
 *                 the middle; -EINVAL: NULL, a bad path, mode or group; -ENAMETOOLONG, -E2BIG, -EMFILE, -ENFILE. The old content is still there; only what
 *                 the directory itself says comes after the step, and unipc_error_text tells.
 *
 * It does not wait for others. Threads: any. Signal-safe: no. Since 0.1. See rename(2), fsync(2).
 */
int unipc_file_replace(const char *path, const void *data, size_t length,
    const unipc_file_replace_options *options);

/** Sets struct_size and zeroes the rest, as UNIPC_FILE_APPEND_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_file_append_options_init(unipc_file_append_options *options);

/**
 * Appends a record, which is a line, to a file that others append to; the file is made if there is none. Readers see the record whole or not at all.
 *
 * Writers keep each other out by a flock of the file, as flock(1) takes it. A writer that is killed in the middle leaves a torn record, bytes without a
 * newline; the next one ends it with UNIPC_FILE_TORN and a newline, and its own record stands whole behind it. Each call opens the file and closes it, so
 * the file may be rotated by a rename at any time.
 *
 * @param path     at most 4095 bytes; a symbolic link at its end is not followed
 * @param record   bytes without a newline, which is added, and not ending with UNIPC_FILE_TORN; NULL if length is 0
 * @param length   bytes
 * @param options  NULL: defaults
 * @param timeout  nanoseconds to wait for other writers; UNIPC_FOREVER; zero or less never waits. The kernel has no limit for this wait: any limit but
 *                 UNIPC_FOREVER probes, from every 50 us to every 10 ms, as does a thread that has bound a stop token
 * @return         0; -EAGAIN, -ETIMEDOUT, -ECANCELED: another is appending, or was stopped at it; -ENOSPC, -EDQUOT, -EIO, -EFBIG: not appended, though a torn
 *                 part of it may stand there; -ENOENT: of the directory; -EACCES: it takes reading and writing; -EPERM: another user's; -ELOOP,
 *                 UNIPC_WRONG_KIND: no regular file; -EINVAL: NULL, a newline inside, a bad path, mode or group; -ENAMETOOLONG, -E2BIG, -EMFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See open(2), flock(2).
 */
int unipc_file_append(const char *path, const void *record, size_t length,
    const unipc_file_append_options *options, int64_t timeout);

/** Sets struct_size and zeroes the rest, as UNIPC_FILE_FOLLOWER_OPTIONS_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_file_follower_options_init(unipc_file_follower_options *options);

/** Sets struct_size and zeroes the rest, as UNIPC_FILE_FOLLOWER_INFO_INIT does. Threads: any. Signal-safe: yes. Since 0.1. */
void unipc_file_follower_info_init(unipc_file_follower_info *info);

/**
 * Opens a regular file to follow it. It takes the right to read it.
 *
 * @param path      at most 4095 bytes
 * @param options   NULL: defaults
 * @param follower  receives the handle, or NULL on failure; close it with unipc_file_follower_close
 * @return          0; -ENOENT: not there, also when the wait for it is over; -ECANCELED: the bound stop token; -EACCES; -EPERM: another user's; -ELOOP: a
 *                  symbolic link; UNIPC_WRONG_KIND: no regular file; -EINVAL: NULL, a bad path, both start and from_end; -ENAMETOOLONG, -E2BIG, -EMFILE
 *
 * Threads: any. Signal-safe: no. Since 0.1. See inotify(7).
 */
int unipc_file_follower_open(const char *path, const unipc_file_follower_options *options,
    unipc_file_follower **follower);

/**
 * Receives the next record, without its newline; and what happens to the file, if it can be told.
 *
 * Replacement and deletion come after the last record of the old file. A file that was truncated and has grown again by then goes unseen.
 *
 * @param buffer    where to
 * @param capacity  bytes
 * @param timeout   nanoseconds; UNIPC_FOREVER; zero or less never waits
 * @param info      receives what has come, and with -EMSGSIZE the size that the buffer needs. NULL: records alone are received, whatever happens to the file
 * @return          its length, 0 for an empty record, and for what is none; -EAGAIN, -ETIMEDOUT, -ECANCELED: no whole record has come; -EMSGSIZE: the buffer is
 *                  too small, and the record stays; or it was longer than the longest, and is passed over; -EINVAL: NULL. Where another file has
 *                  the name, what opening it says, as unipc_file_follower_open, until it can be opened
 *
 * Threads: one at a time. Signal-safe: no. Since 0.1. See inotify(7).
 */
ptrdiff_t unipc_file_follower_receive(unipc_file_follower *follower, void *buffer, size_t capacity,
    int64_t timeout, unipc_file_follower_info *info);

/**
 * The descriptor, which stays the handle's: readable until a call that does not wait says -EAGAIN. Do not read from it, and do not close it.
 * Receive every half second besides, as a call that waits does: it does not tell that the directory was renamed and made anew, that a link that is followed
 * points elsewhere, or of a store to a mapping.
 *
 * @return  the descriptor; UNIPC_UNAVAILABLE: inotify is not to be had, or does not tell, as on network file systems: then probe; -EINVAL: NULL
 *
 * Threads: one at a time. Signal-safe: no. Since 0.1. See inotify(7).
 */
int unipc_file_follower_fd(const unipc_file_follower *follower);

/**
 * Closes the handle; NULL is fine.
 *
 * Threads: none may use the handle meanwhile. Signal-safe: no. Since 0.1.
 */
void unipc_file_follower_close(unipc_file_follower *follower);

/* ---- Initialisers: the size, and zero -------------------------------------------------------------------- */

#define UNIPC_PIPE_OPTIONS_INIT { sizeof(unipc_pipe_options), 0 }
#define UNIPC_FIFO_OPTIONS_INIT { sizeof(unipc_fifo_options), 0, NULL, 0, 0, 0, 0, 0 }
#define UNIPC_UNIX_LISTEN_OPTIONS_INIT { sizeof(unipc_unix_listen_options), NULL, 0, 0 }
#define UNIPC_UNIX_CONNECT_OPTIONS_INIT { sizeof(unipc_unix_connect_options), 0, 0 }
#define UNIPC_CREDENTIALS_INIT { sizeof(unipc_credentials), 0, 0, 0, 0 }
#define UNIPC_TCP_OPTIONS_INIT { sizeof(unipc_tcp_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define UNIPC_TRANSFER_OPTIONS_INIT { sizeof(unipc_transfer_options), 0, 0, 0, 0, 0, 0 }
#define UNIPC_TRANSFER_RESULT_INIT { sizeof(unipc_transfer_result), 0, 0, 0 }
#define UNIPC_MESSAGE_INFO_INIT { sizeof(unipc_message_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define UNIPC_FRAMED_OPTIONS_INIT { sizeof(unipc_framed_options), 0 }
#define UNIPC_MQ_OPTIONS_INIT { sizeof(unipc_mq_options), 0, 0, NULL, 0, 0, 0, 0, 0 }
#define UNIPC_MQ_ATTRIBUTES_INIT { sizeof(unipc_mq_attributes), 0, 0, 0 }
#define UNIPC_SYSV_QUEUE_OPTIONS_INIT { sizeof(unipc_sysv_queue_options), 0, NULL, 0, 0, 0, 0, 0 }
#define UNIPC_SYSV_QUEUE_STATUS_INIT { sizeof(unipc_sysv_queue_status), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define UNIPC_DATAGRAM_OPTIONS_INIT { sizeof(unipc_datagram_options), NULL, 0, 0, 0, 0 }
#define UNIPC_UDP_OPTIONS_INIT { sizeof(unipc_udp_options), NULL, 0, 0, 0, 0, 0, 0, 0, 0 }
#define UNIPC_SEQPACKET_OPTIONS_INIT { sizeof(unipc_seqpacket_options), 0, 0, 0 }
#define UNIPC_MEMORY_OPTIONS_INIT { sizeof(unipc_memory_options), 0, NULL, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0 }
#define UNIPC_SYSV_MEMORY_STATUS_INIT { sizeof(unipc_sysv_memory_status), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define UNIPC_MUTEX_OPTIONS_INIT { sizeof(unipc_mutex_options), 0, 0 }
#define UNIPC_SEMAPHORE_OPTIONS_INIT { sizeof(unipc_semaphore_options), 0, 0 }
#define UNIPC_POSIX_SEMAPHORE_OPTIONS_INIT { sizeof(unipc_posix_semaphore_options), NULL, 0, 0, 0, 0, 0 }
#define UNIPC_POSIX_SEMAPHORE_STATUS_INIT { sizeof(unipc_posix_semaphore_status), 0, 0, 0, 0, 0 }
#define UNIPC_SYSV_SEMAPHORES_OPTIONS_INIT { sizeof(unipc_sysv_semaphores_options), 0, NULL, NULL, 0, 0, 0, 0, 0 }
#define UNIPC_SYSV_SEMAPHORES_STATUS_INIT { sizeof(unipc_sysv_semaphores_status), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define UNIPC_EVENT_OPTIONS_INIT { sizeof(unipc_event_options), 0, 0 }
#define UNIPC_EVENTFD_OPTIONS_INIT { sizeof(unipc_eventfd_options), 0, 0 }
#define UNIPC_TIMER_OPTIONS_INIT { sizeof(unipc_timer_options), 0 }
#define UNIPC_SIGNAL_INFO_INIT { sizeof(unipc_signal_info), 0, 0, 0, 0, 0, 0, 0, 0 }
#define UNIPC_SIGNALS_OPTIONS_INIT { sizeof(unipc_signals_options), 0 }
#define UNIPC_SIGNAL_DESCRIPTION_INIT { sizeof(unipc_signal_description), NULL, NULL, NULL, NULL, 0 }
#define UNIPC_EXIT_STATUS_INIT { sizeof(unipc_exit_status), 0, 0, 0, 0 }
#define UNIPC_COMMAND_INIT { sizeof(unipc_command), NULL, NULL, NULL, NULL, NULL, 0, 0 }
#define UNIPC_FILE_LOCK_OPTIONS_INIT { sizeof(unipc_file_lock_options), NULL, 0, 0, 0, 0 }
#define UNIPC_FILE_LOCK_HOLDER_INIT { sizeof(unipc_file_lock_holder), 0, 0, 0, 0 }
#define UNIPC_FILE_REPLACE_OPTIONS_INIT { sizeof(unipc_file_replace_options), NULL, 0, 0, 0, 0 }
#define UNIPC_FILE_APPEND_OPTIONS_INIT { sizeof(unipc_file_append_options), NULL, 0, 0, 0, 0 }
#define UNIPC_FILE_FOLLOWER_OPTIONS_INIT { sizeof(unipc_file_follower_options), 0, 0, 0, 0, 0, 0, 0 }
#define UNIPC_FILE_FOLLOWER_INFO_INIT { sizeof(unipc_file_follower_info), 0, 0, 0, 0, 0, 0 }

/* ---- Layout: objects in memory keep their size and alignment for ever ------------------------------------ */

#if defined(__cplusplus)
static_assert(sizeof(unipc_mutex) == 128, "size of unipc_mutex");
static_assert(alignof(unipc_mutex) == 8, "alignment of unipc_mutex");
static_assert(sizeof(unipc_semaphore) == 512, "size of unipc_semaphore");
static_assert(alignof(unipc_semaphore) == 8, "alignment of unipc_semaphore");
static_assert(sizeof(unipc_spinlock) == 128, "size of unipc_spinlock");
static_assert(alignof(unipc_spinlock) == 8, "alignment of unipc_spinlock");
static_assert(sizeof(unipc_event) == 128, "size of unipc_event");
static_assert(alignof(unipc_event) == 8, "alignment of unipc_event");
static_assert(sizeof(unipc_rwlock) == 1024, "size of unipc_rwlock");
static_assert(alignof(unipc_rwlock) == 8, "alignment of unipc_rwlock");
static_assert(sizeof(unipc_condvar) == 128, "size of unipc_condvar");
static_assert(alignof(unipc_condvar) == 8, "alignment of unipc_condvar");
static_assert(sizeof(unipc_barrier) == 512, "size of unipc_barrier");
static_assert(alignof(unipc_barrier) == 8, "alignment of unipc_barrier");
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(sizeof(unipc_mutex) == 128, "size of unipc_mutex");
_Static_assert(_Alignof(unipc_mutex) == 8, "alignment of unipc_mutex");
_Static_assert(sizeof(unipc_semaphore) == 512, "size of unipc_semaphore");
_Static_assert(_Alignof(unipc_semaphore) == 8, "alignment of unipc_semaphore");
_Static_assert(sizeof(unipc_spinlock) == 128, "size of unipc_spinlock");
_Static_assert(_Alignof(unipc_spinlock) == 8, "alignment of unipc_spinlock");
_Static_assert(sizeof(unipc_event) == 128, "size of unipc_event");
_Static_assert(_Alignof(unipc_event) == 8, "alignment of unipc_event");
_Static_assert(sizeof(unipc_rwlock) == 1024, "size of unipc_rwlock");
_Static_assert(_Alignof(unipc_rwlock) == 8, "alignment of unipc_rwlock");
_Static_assert(sizeof(unipc_condvar) == 128, "size of unipc_condvar");
_Static_assert(_Alignof(unipc_condvar) == 8, "alignment of unipc_condvar");
_Static_assert(sizeof(unipc_barrier) == 512, "size of unipc_barrier");
_Static_assert(_Alignof(unipc_barrier) == 8, "alignment of unipc_barrier");
#endif

#ifdef __cplusplus
}
#endif

#endif /* UNIPC_H */
