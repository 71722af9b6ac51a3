// Bytes that never pass through the process which sends them on: a file to a socket by sendfile, a pipe to a
// pipe by splice. The library takes the fastest way that a pair of descriptors allows, and says which it was.
//
// Run:     zero_copy_cpp [PATH]       (of a file that is made for it, and removed)
// Prints:  File to socket: 1000000 bytes by sendfile, all as they were
//          Pipe to pipe: 1000000 bytes by splice, all as they were
#include "example.hpp"

#include <memory>
#include <vector>

namespace {

std::vector<unsigned char> data() {
  std::vector<unsigned char> bytes(1000000);
  for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<unsigned char>(i * 7 + i / 251);
  return bytes;
}

void check_all(unipc::stream &stream) {
  std::vector<unsigned char> got(1 << 21);
  std::size_t count = 0;
  while (std::size_t n = stream.read(unipc::buffer(got.data() + count, got.size() - count), example::patience)) count += n;
  got.resize(count);
  if (got != data()) throw std::runtime_error("what arrived is not what was sent");
}

void report(const char *what, const unipc::transfer_result &result) {
  std::cout << what << ": " << result.bytes << " bytes by " << unipc_transfer_way_name(result.way)
            << ", all as they were" << std::endl;
}

void file_to_socket(const char *path) {
  auto close = [](FILE *file) { fclose(file); };
  std::unique_ptr<FILE, decltype(close)> file(fopen(path, "wxe+"), close);
  if (!file) throw std::system_error(errno, std::generic_category(), path);
  unlink(path);
  auto bytes = data();
  fwrite(bytes.data(), 1, bytes.size(), file.get());
  rewind(file.get()); // what stdio holds back is written, and the position is the beginning
  auto [near, far] = unipc::socketpair();
  example::child child([near = &near, far = &far] {
    near->close();
    check_all(*far);
  });
  far.close();
  auto result = unipc::transfer(fileno(file.get()), near.fd(), {}, example::patience);
  near.close(); // the end
  child.wait();
  report("File to socket", result);
}

void pipe_to_pipe() {
  auto from = unipc::pipe();
  auto to = unipc::pipe();
  example::child writer([&] { from.writer.write_all(data(), example::patience); });
  from.writer.close();
  example::child reader([&] {
    to.writer.close();
    check_all(to.reader);
  });
  auto result = unipc::transfer(from.reader.fd(), to.writer.fd(), {}, example::patience);
  to.writer.close(); // the end
  writer.wait();
  reader.wait();
  report("Pipe to pipe", result);
}

} // namespace

int main(int argc, char **argv) try {
  file_to_socket(example_path(argc, argv, "unipc-zero-copy"));
  pipe_to_pipe();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
