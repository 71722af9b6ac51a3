// An anonymous pipe carries bytes from a parent to its child. The message ends with the stream.
//
// Each side closes the end that it does not use: the child would otherwise hold a writing end itself and
// never meet the end.
//
// Run:     pipe_parent_child_cpp [LABEL]
// Prints:  Child received: Hello from parent!    with its label, if there is one, instead of "Child received"
#include "example.hpp"

int main(int argc, char **argv) try {
  std::string label = argc > 1 ? argv[1] : "Child received";
  auto pipe = unipc::pipe();
  example::child child([&] {
    pipe.writer.close();
    std::cout << label << ": " << example::read_all(pipe.reader) << '\n';
  });
  pipe.reader.close();
  pipe.writer.write_all(std::string_view("Hello from parent!"), example::patience);
  pipe.writer.close(); // the child meets the end
  child.wait();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
