// Socket addresses to and from canonical text: an IPv4-mapped IPv6 address is written as the IPv4 address it holds.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

namespace ambit {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
  // The same address with another port.
  SocketAddress WithPort(int port) const;
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// An address and a port as JavaScript sees them. `address` is empty for families other than IPv4 and IPv6.
struct TextAddress {
  std::string address;
  int port = 0;
};

TextAddress ToText(const SocketAddress& address);

// Parses `text` for a socket of `family` (AF_INET or AF_INET6; IPv4 text becomes IPv4-mapped for the latter, and a zone is an
// interface of the calling thread's namespace).
bool ParseAddress(const std::string& text, int port, int family, SocketAddress* out);

}  // namespace ambit
