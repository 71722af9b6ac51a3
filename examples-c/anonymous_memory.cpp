// Memory without a name, shared with a child by fork. The parent stores a value while the child runs.
//
// A semaphore beside the value tells the child when it stands there; its zero bytes are a valid semaphore
// without a unit.
//
// Run:     anonymous_memory_cpp
// Prints:  Child reads: 42
#include "example.hpp"

namespace {

struct shared_value {
  unipc::semaphore stored;
  int value;
};

} // namespace

int main() try {
  auto shared = unipc::shared<shared_value>::anonymous();
  example::child child([&] {
    shared->stored.wait(example::patience);
    std::cout << "Child reads: " << shared->value << '\n';
  });
  shared->value = 42;
  shared->stored.post();
  child.wait();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
