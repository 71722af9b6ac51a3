// Two pipes make a conversation: one carries the request, the other the answer. A message ends with its
// stream.
//
// Run:     two_pipes_cpp
// Prints:  Child received: What is six times seven?
//          Parent received: 42
#include "example.hpp"

int main() try {
  auto requests = unipc::pipe();
  auto answers = unipc::pipe();
  example::child child([&] {
    requests.writer.close();
    answers.reader.close();
    std::cout << "Child received: " << example::read_all(requests.reader) << std::endl;
    answers.writer.write_all(std::string_view("42"), example::patience);
  });
  requests.reader.close();
  answers.writer.close();
  requests.writer.write_all(std::string_view("What is six times seven?"), example::patience);
  requests.writer.close(); // the request ends here
  std::cout << "Parent received: " << example::read_all(answers.reader) << '\n';
  child.wait();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
