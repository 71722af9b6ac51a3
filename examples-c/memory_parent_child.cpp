// POSIX shared memory between a parent and its child: the child writes, the parent reads after the child has
// ended.
//
// Memory brings no order of its own; here the end of the child is the order. "temporary" removes the name
// when the parent closes.
//
// Run:     memory_parent_child_cpp [NAME]
// Prints:  Parent read: Hello from child process!
#include "example.hpp"

int main(int argc, char **argv) try {
  unipc::memory_options options;
  options.size = 4096;
  options.temporary = 1;
  auto memory = unipc::memory::create(example_name(argc, argv, "unipc-memory"), options);
  example::child child([&] { memory.write(0, std::string_view("Hello from child process!")); });
  child.wait();
  std::string message(100, '\0');
  memory.read(0, message);
  std::cout << "Parent read: " << message.c_str() << '\n'; // the rest of the memory is zero bytes
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
