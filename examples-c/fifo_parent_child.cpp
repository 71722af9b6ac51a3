// A FIFO is a pipe with a name in the file system. Here a child writes to it and its parent reads, until the
// stream ends.
//
// Opening waits for the other side, within a limit: a child that dies before it opens costs the parent an
// error, not its life.
//
// Run:     fifo_parent_child_cpp [PATH]
// Prints:  Received: Hello via FIFO!
#include "example.hpp"

namespace {

// A FIFO that is there as long as this object.
class fifo {
public:
  explicit fifo(std::string path) : path_(std::move(path)) { unipc::create_fifo(path_); }
  fifo(const fifo &) = delete;
  fifo &operator=(const fifo &) = delete;
  ~fifo() {
    std::error_code ignored; // somebody else has removed it: so be it
    unipc::unlink_fifo(path_, ignored);
  }

private:
  std::string path_;
};

} // namespace

int main(int argc, char **argv) try {
  std::string path = example_path(argc, argv, "unipc-fifo");
  fifo lifetime(path);
  example::child child([&] {
    auto writer = unipc::stream::open_fifo_writer(path, example::patience);
    writer.write_all(std::string_view("Hello via FIFO!"), example::patience);
  });
  auto reader = unipc::stream::open_fifo_reader(path, example::patience);
  std::cout << "Received: " << example::read_all(reader) << '\n';
  child.wait();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
