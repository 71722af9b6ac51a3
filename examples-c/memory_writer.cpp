// Leaves a counter and a message in POSIX shared memory, for memory_reader. The memory outlives this program.
//
// It gets its name after it was filled, so that no reader meets it empty or without its size.
//
// Run:     memory_writer_cpp NAME
// Prints:  nothing
#include "example.hpp"

namespace {

struct shared_data { // as memory_reader has it
  std::int32_t counter;
  char message[256];
};

} // namespace

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::cerr << "usage: memory_writer_cpp NAME\n";
    return 2;
  }
  unipc::memory_options options;
  options.unpublished = 1;
  auto data = unipc::shared<shared_data>::create(argv[1], options);
  data->counter = 42;
  std::snprintf(data->message, sizeof data->message, "Hello from shared memory!");
  data.bytes().publish();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
