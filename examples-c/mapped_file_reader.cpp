// Reads the text that mapped_file_writer leaves in a file, without the right to write. May be started first.
//
// read goes through the kernel: if somebody shortens the file meanwhile, it is an exception, where a load through
// the address would be SIGBUS.
//
// Run:     mapped_file_reader_cpp PATH
// Prints:  Content: Hello from mmap!
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::cerr << "usage: mapped_file_reader_cpp PATH\n";
    return 2;
  }
  unipc::memory_options options;
  options.access = UNIPC_READ_ONLY;
  options.wait_for_creator = PATIENCE;
  std::string message(100, '\0');
  options.size = message.size();
  auto file = unipc::memory::open_file(argv[1], options);
  file.read(0, message);
  std::cout << "Content: " << message.c_str() << '\n';
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
