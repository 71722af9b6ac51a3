// Writes a text into a mapped file, for mapped_file_reader, and waits until it is on the disk. The file outlives
// this program, and a restart of the machine.
//
// It gets its name after it was filled, so that no reader meets it empty. Other processes see a store at once;
// the flush is for the disk.
//
// Run:     mapped_file_writer_cpp PATH
// Prints:  nothing
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::cerr << "usage: mapped_file_writer_cpp PATH\n";
    return 2;
  }
  unipc::memory_options options;
  options.size = 4096;
  options.unpublished = 1;
  auto file = unipc::memory::create_file(argv[1], options);
  std::string_view message = "Hello from mmap!";
  message.copy(static_cast<char *>(file.address()), message.size()); // nobody else has it yet
  file.flush();
  file.publish();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
