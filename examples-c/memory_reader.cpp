// Reads the counter that memory_writer has left, without the right to write, and removes the memory. May be
// started first.
//
// Run:     memory_reader_cpp NAME
// Prints:  Counter: 42
#include "example.hpp"

namespace {

struct shared_data { // as memory_writer has it
  std::int32_t counter;
  char message[256];
};

} // namespace

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::cerr << "usage: memory_reader_cpp NAME\n";
    return 2;
  }
  unipc::memory_options options;
  options.size = sizeof(shared_data); // no smaller object will do
  options.access = UNIPC_READ_ONLY;
  options.wait_for_creator = std::chrono::nanoseconds(example::patience).count();
  auto memory = unipc::memory::open(argv[1], options);
  std::cout << "Counter: " << static_cast<const shared_data *>(memory.address())->counter << '\n';
  unipc::memory::unlink(argv[1]);
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
