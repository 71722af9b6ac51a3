// UDP on loopback: a question and its answer, and one message to every member of a group.
//
// The server knows the client by the address that comes with the message. Both members of the group are bound to the same port;
// each gets every message that is sent to the group.
//
// Run:     udp_loopback_cpp
// Prints:  what server, client and members receive
#include "example.hpp"

#include <array>

static std::string text_of(const std::array<char, 100> &text, std::size_t length) { return {text.data(), length}; }

static void converse() {
  auto server = unipc::datagram::open_udp(nullptr, 0);
  auto address = server.address();
  std::array<char, 100> text;
  example::child child([&] {
    auto client = unipc::datagram::open_udp(nullptr, 0);
    client.connect(address);
    client.send(std::string_view("Hello via UDP!"), example::patience);
    std::size_t n = client.receive(text, example::patience);
    std::cout << "Client received: " << text_of(text, n) << '\n';
  });
  std::string sender;
  std::size_t n = server.receive_from(text, sender, example::patience);
  std::cout << "Server received: " << text_of(text, n) << std::endl; // before the client prints
  server.send_to(sender, std::string_view("Hello client!"), example::patience);
  child.wait();
}

static unipc::datagram member(const char *group, std::uint32_t port) {
  unipc::udp_options options;
  options.reuse_address = 1;
  options.multicast_interface = "lo";
  auto datagram = unipc::datagram::open_udp("0.0.0.0", port, options);
  datagram.join(group, "lo");
  return datagram;
}

static void tell_everybody() {
  const char *group = "239.255.77.3";
  auto first = member(group, 0), second = member(group, first.port());
  first.send_to(group + (":" + std::to_string(first.port())), std::string_view("Hello everybody!"), example::patience);
  std::array<char, 100> text;
  std::size_t n = first.receive(text, example::patience);
  std::cout << "Member 1 received: " << text_of(text, n) << '\n';
  n = second.receive(text, example::patience);
  std::cout << "Member 2 received: " << text_of(text, n) << '\n';
}

int main() try {
  converse();
  tell_everybody();
  return 0;
} catch (const std::exception &error) {
  return example::report(error);
}
