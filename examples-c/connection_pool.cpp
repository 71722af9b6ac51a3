// A pool of five connections, counted by a semaphore in shared memory that knows its holders.
//
// Five processes acquire a connection, and the sixth waits. One holder is killed: with
// UNIPC_SEMAPHORE_RECOVER its place comes back by itself, and the sixth goes on. (A named semaphore cannot
// do that: its place would be lost for ever.)
//
// Run:     connection_pool_cpp
// Prints:  Connection acquired, five times; then what becomes of the sixth, and what is free at the end
#include "example.hpp"

#include <vector>

namespace {

struct pool {
  unipc::semaphore connections;
  unipc::semaphore reported; // a child has come as far as it was to
  unipc::semaphore finish;   // a holder may give its connection back
};

void acquired(pool &shared, const char *who) {
  std::cout << "Connection acquired" << who << std::endl;
  shared.reported.post();
  shared.finish.wait(example::patience);
  shared.connections.post();
}

void holder(pool &shared) {
  shared.connections.wait(example::patience);
  acquired(shared, "");
}

void sixth(pool &shared) {
  if (shared.connections.try_wait()) throw std::logic_error("the sixth was to find none free");
  std::cout << "The sixth waits" << std::endl;
  shared.reported.post();
  shared.connections.wait(example::patience);
  acquired(shared, " by the sixth, after a holder was killed");
}

} // namespace

int main() try {
  auto shared = unipc::shared<pool>::anonymous();
  unipc::semaphore_options options;
  options.value = 5;
  options.flags = UNIPC_SEMAPHORE_RECOVER;
  shared->connections.init(options); // the others begin at 0, as zero bytes do

  std::vector<example::child> children;
  for (int i = 0; i < 6; i++) {
    children.emplace_back([&] { i < 5 ? holder(*shared) : sixth(*shared); });
    shared->reported.wait(example::patience);
  }
  children.front().kill();
  shared->reported.wait(example::patience); // the sixth
  for (std::size_t i = 1; i < children.size(); i++) shared->finish.post();
  for (std::size_t i = 1; i < children.size(); i++) children[i].wait();
  std::cout << "Free at the end: " << shared->connections.value() << '\n';
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
