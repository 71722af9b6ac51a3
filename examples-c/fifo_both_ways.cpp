// Two FIFOs make a conversation: PATH.request carries the request, PATH.answer the answer. Messages end with
// their streams.
//
// Both sides open the two in the same order; in different orders each would wait for the other.
//
// Run:     fifo_both_ways_cpp [PATH]
// Prints:  Server received: What is six times seven?
//          Client received: 42
#include "example.hpp"

namespace {

// A FIFO that is there as long as this object.
class fifo {
public:
  explicit fifo(std::string path) : path_(std::move(path)) { unipc::create_fifo(path_); }
  fifo(const fifo &) = delete;
  fifo &operator=(const fifo &) = delete;
  ~fifo() {
    std::error_code ignored;
    unipc::unlink_fifo(path_, ignored);
  }

  void send(std::string_view message) const {
    unipc::stream::open_fifo_writer(path_, example::patience).write_all(message, example::patience);
  }
  std::string receive() const {
    auto reader = unipc::stream::open_fifo_reader(path_, example::patience);
    return example::read_all(reader);
  }

private:
  std::string path_;
};

} // namespace

int main(int argc, char **argv) try {
  std::string path = example_path(argc, argv, "unipc-both");
  fifo requests(path + ".request"), answers(path + ".answer");
  example::child client([&] {
    requests.send("What is six times seven?");
    std::cout << "Client received: " << answers.receive() << '\n';
  });
  std::cout << "Server received: " << requests.receive() << std::endl; // before the client may print
  answers.send("42");
  client.wait();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
