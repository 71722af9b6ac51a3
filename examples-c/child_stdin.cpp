// A child whose standard input is a pipe. See child_stdin.c.
//
// Run:     child_stdin_cpp
// Prints:  Child read: Hello from parent! / Child: the end
#include "example.hpp"

int main() try {
  auto pipe = unipc::pipe();
  unipc::command command{"sh", "-c", "while read -r line; do echo \"Child read: $line\"; done; echo 'Child: the end'"};
  auto process = unipc::process::spawn(command.fd(0, pipe.reader.fd()).c());
  pipe.reader.close();
  pipe.writer.write_all(std::string_view("Hello from parent!\n"), example::patience);
  pipe.writer.close(); // the child meets the end
  return process.wait(example::patience).shell_status;
} catch (const std::exception &error) {
  return example::report(error);
}
