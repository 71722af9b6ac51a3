// A Unix socket in one program: the parent serves, its child is the client.
//
// The parent listens before it forks, so the child never comes too early. A stream keeps no boundaries: the
// messages are framed.
//
// Run:     unix_parent_child_cpp [PATH]
// Prints:  Server received: Hello from client!
//          Client received: Hello from server!
#include "example.hpp"

int main(int argc, char **argv) try {
  std::string path = example_path(argc, argv, "unipc-socket");
  auto listener = unipc::listener::open_unix(path);
  example::child child([&] {
    listener.close(); // in a child this removes no path
    auto server = unipc::framed::create(unipc::stream::connect_unix(path, example::patience));
    server.send(std::string_view("Hello from client!"), example::patience);
    std::cout << "Client received: " << example::receive(server) << '\n';
  });
  auto client = unipc::framed::create(listener.accept(example::patience));
  std::cout << "Server received: " << example::receive(client) << std::endl; // before the client may print
  client.send(std::string_view("Hello from server!"), example::patience);
  child.wait();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
