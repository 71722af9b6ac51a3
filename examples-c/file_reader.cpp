// Reads the two lines that file_writer leaves. May be started first: it waits for the file, and for whole lines.
//
// Run:     file_reader_cpp PATH
// Prints:  Read: Hello from writer!
//          Read: Counter: 42
#include "example.hpp"

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::cerr << "usage: file_reader_cpp PATH\n";
    return 2;
  }
  unipc::file_follower_options options;
  options.wait_for_creator = std::chrono::nanoseconds(example::patience).count();
  auto file = unipc::file_follower::open(argv[1], options);
  for (int line = 0; line < 2; line++) {
    char text[128];
    auto length = file.receive({text, sizeof text}, example::patience);
    std::cout << "Read: " << std::string_view(text, length) << '\n';
  }
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
