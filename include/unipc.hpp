// unipc for C++17: the functions of unipc.h as types. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Handles (stream, listener, framed, mq, sysv_queue, memory, posix_semaphore, poller, ring, stop) own what they name: they move, never copy, and close at the end of
// their scope. Objects that live in shared memory (mutex, semaphore) are trivial: they are members of a struct of yours, and memory
// full of zero bytes is where their life begins. `shared<T>` joins the two: T, in memory that several processes see.
//
// Every call that can fail has two forms. The one that ends in `std::error_code &` reports there and throws nothing; the one without
// throws `unipc::error`. With -fno-exceptions only the first exists. Times are std::chrono durations, or `unipc::forever`; zero and less
// never wait. What the kernel reported compares with std::errc (`error == std::errc::timed_out`), what only unipc can say with unipc::errc.
#ifndef UNIPC_HPP
#define UNIPC_HPP

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
