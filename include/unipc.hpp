// unipc for C++17: the functions of unipc.h as types. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The parts, each of which can be included alone:
//   unipc/basics.hpp           errors, timeouts, names, buffers, the stop token, take_descriptor
//   unipc/stream.hpp           stream, listener, framed: pipes, FIFOs, Unix and TCP sockets, messages on them
//   unipc/transfer.hpp         transfer, tee, vmsplice
//   unipc/message.hpp          mq, sysv_queue: message queues of POSIX and System V; sysv_key
//   unipc/socket.hpp           datagram, seqpacket, seqpacket_listener
//   unipc/memory.hpp           memory, shared<T>: POSIX, System V, files, memfds, anonymous
//   unipc/atomic.hpp           atomic_word<T>: words at places of a memory
//   unipc/sync.hpp             mutex, semaphore, posix_semaphore
//   unipc/locks.hpp            spinlock, rwlock, condvar, event, barrier
//   unipc/sysv_semaphores.hpp  sysv_semaphores; futex_wait, futex_wake
//   unipc/event.hpp            eventfd, timer, signals, signal_block, process, command, pipeline
//   unipc/poller.hpp           poller
//   unipc/ring.hpp             ring (io_uring)
//   unipc/file.hpp             file_lock, file_replace, file_append, file_follower
//
// Handles (stream, memory, poller and so on) own what they name: they move, never copy, and close at the end of their scope. Objects that live in shared
// memory (mutex, semaphore, rwlock, condvar, event, barrier, spinlock) are trivial: they are members of a struct of yours, and memory full of zero bytes
// is where their life begins. `shared<T>` joins the two: T, in memory that several processes see.
//
// Every call that can fail has two forms. The one that ends in `std::error_code &` reports there and throws nothing; the one without
// throws `unipc::error`. With -fno-exceptions only the first exists. Times are std::chrono durations, or `unipc::forever`; zero and less
// never wait. What the kernel reported compares with std::errc (`error == std::errc::timed_out`), what only unipc can say with unipc::errc.
#ifndef UNIPC_HPP
#define UNIPC_HPP

#include "unipc/atomic.hpp"
#include "unipc/basics.hpp"
#include "unipc/event.hpp"
#include "unipc/file.hpp"
#include "unipc/locks.hpp"
#include "unipc/memory.hpp"
#include "unipc/message.hpp"
#include "unipc/poller.hpp"
#include "unipc/ring.hpp"
#include "unipc/socket.hpp"
#include "unipc/stream.hpp"
#include "unipc/sync.hpp"
#include "unipc/sysv_semaphores.hpp"
#include "unipc/transfer.hpp"

#endif  // UNIPC_HPP
