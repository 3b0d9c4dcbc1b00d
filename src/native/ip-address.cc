#include "ip-address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <cstring>

namespace ambit {
namespace {

constexpr int kMappedPrefixBytes = 12;

TextAddress FromV4(const in_addr& address, in_port_t port) {
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &address, text, sizeof(text));
  return {text, ntohs(port)};
}

}  // namespace

SocketAddress SocketAddress::WithPort(int port) const {
  SocketAddress copy = *this;
  if (storage.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&copy.storage)->sin_port = htons(static_cast<in_port_t>(port));
  } else {
    reinterpret_cast<sockaddr_in6*>(&copy.storage)->sin6_port = htons(static_cast<in_port_t>(port));
  }
  return copy;
}

TextAddress ToText(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    return FromV4(v4->sin_addr, v4->sin_port);
  }
  if (address.storage.ss_family != AF_INET6) return {};
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
  if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
    in_addr mapped;
    std::memcpy(&mapped, v6->sin6_addr.s6_addr + kMappedPrefixBytes, sizeof(mapped));
    return FromV4(mapped, v6->sin6_port);
  }
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
  return {text, ntohs(v6->sin6_port)};
}

bool ParseAddress(const std::string& text, int port, int family, SocketAddress* out) {
  *out = SocketAddress{};
  if (port < 0 || port > 65535) return false;
  if (family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&out->storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<in_port_t>(port));
    out->length = sizeof(sockaddr_in);
    return inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out->storage);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(static_cast<in_port_t>(port));
  out->length = sizeof(sockaddr_in6);
  const size_t zone = text.find('%');
  if (zone != std::string::npos) {
    v6->sin6_scope_id = if_nametoindex(text.c_str() + zone + 1);
    return v6->sin6_scope_id != 0 && inet_pton(AF_INET6, text.substr(0, zone).c_str(), &v6->sin6_addr) == 1;
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) return true;
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) != 1) return false;
  v6->sin6_addr.s6_addr[10] = 0xff;
  v6->sin6_addr.s6_addr[11] = 0xff;
  std::memcpy(v6->sin6_addr.s6_addr + kMappedPrefixBytes, &v4, sizeof(v4));
  return true;
}

}  // namespace ambit
