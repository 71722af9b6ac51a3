// What a pipe does, measured: how much it holds, what happens when it is full, when its end comes, and when
// nobody reads any more.
//
// Run:     pipe_facts_cpp
// Prints:  one fact a line
#include "example.hpp"

#include <vector>

namespace {

using namespace std::chrono_literals;

const std::string block(4096, 'x');

std::string name_of(std::error_code code) { return unipc_error_name(-code.value()); }

void capacity(unipc::stream &writer) {
  std::size_t fitted = 0;
  std::error_code code;
  while (!code) fitted += writer.write(block, 0s, code); // never waits
  if (code != std::errc::resource_unavailable_try_again) throw unipc::error(code);
  std::cout << "Capacity: " << writer.capacity() << " bytes, and " << fitted << " fitted\n";
}

// A writer waits at a full pipe, and goes on when somebody reads.
void blocking(unipc::pipe_ends &pipe) {
  std::error_code code;
  pipe.writer.write(block, 20ms, code);
  std::cout << "Writing into the full pipe for 20 ms: " << name_of(code) << '\n';
  example::child writer([&] { pipe.writer.write_all(block, example::patience); });
  std::vector<char> bytes(block.size());
  pipe.reader.read_exact(bytes, example::patience);
  writer.wait();
  std::cout << "After " << bytes.size() << " bytes were read, the waiting writer went on\n";
}

// Reads what is there, and tells what came then.
std::string drain(unipc::stream &reader) {
  std::vector<char> bytes(block.size());
  std::error_code code;
  while (reader.read(bytes, 0s, code) > 0) {
  }
  return code ? name_of(code) : "the end";
}

// The end comes when the last writer has closed: a child holds a second writing end, as long as the parent
// holds on to a pipe.
void end_of_stream(unipc::pipe_ends &pipe) {
  auto hold = unipc::pipe();
  example::child second([&] {
    hold.writer.close();
    example::read_all(hold.reader);
  });
  pipe.writer.close();
  std::cout << "One of two writers has closed: " << drain(pipe.reader) << '\n';
  hold.writer.close(); // the child exits, and closes the last writing end
  second.wait();
  std::cout << "Both have closed: " << drain(pipe.reader) << '\n';
}

void no_reader() {
  auto pipe = unipc::pipe();
  pipe.reader.close();
  std::error_code code;
  pipe.writer.write(block, example::patience, code);
  std::cout << "Writing without a reader: " << name_of(code) << ", and no signal\n";
}

} // namespace

int main() try {
  auto pipe = unipc::pipe();
  capacity(pipe.writer);
  blocking(pipe);
  end_of_stream(pipe);
  no_reader();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
