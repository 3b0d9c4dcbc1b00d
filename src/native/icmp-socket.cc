#include "icmp-socket.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "ip-address.h"
#include "js-options.h"
#include "netns-scope.h"
#include "socket-settings.h"
#include "status.h"

namespace ambit {
namespace {

constexpr int kMaxReceiveBytes = 65536;

bool NeverFragment(int fd, int family) {
  const int probe = family == AF_INET6 ? IPV6_PMTUDISC_PROBE : IP_PMTUDISC_PROBE;
  return family == AF_INET6 ? setsockopt(fd, SOL_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof(probe)) == 0
                            : setsockopt(fd, SOL_IP, IP_MTU_DISCOVER, &probe, sizeof(probe)) == 0;
}

// The MTU of the interface that has the socket's own address. Called in the socket's namespace.
int LinkMtu(int fd, int* mtu) {
  SocketAddress local;
  if (getsockname(fd, local.raw(), &local.length) != 0) return Failure(Step::kLocalEndpoint, errno);
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return Failure(Step::kLocalEndpoint, errno);
  const std::string wanted = ToText(local).address;
  ifreq request{};
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != local.storage.ss_family) continue;
    SocketAddress address;
    address.length = local.storage.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    std::memcpy(&address.storage, one->ifa_addr, address.length);
    if (ToText(address).address == wanted) std::strncpy(request.ifr_name, one->ifa_name, IFNAMSIZ - 1);
  }
  freeifaddrs(list);
  if (request.ifr_name[0] == '\0') return Failure(Step::kLocalEndpoint, EADDRNOTAVAIL);
  if (ioctl(fd, SIOCGIFMTU, &request) != 0) return Failure(Step::kLocalEndpoint, errno);
  *mtu = request.ifr_mtu;
  return 0;
}

int Prepare(int fd, const SocketSettings& settings, const SocketAddress& destination, int* mtu) {
  const int mark = settings.mark.value_or(0);
  if (settings.mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0) return Failure(Step::kMark, errno);
  if (!NeverFragment(fd, settings.family)) return Failure(Step::kSocket, errno);
  if (connect(fd, destination.raw(), destination.length) != 0) return Failure(Step::kConnect, errno);
  return LinkMtu(fd, mtu);
}

// Returns the descriptor or a Failure() value.
int Open(const SocketSettings& settings, const SocketAddress& destination, int* mtu) {
  const NetnsScope scope(settings.netns_fd);
  if (scope.failure() != 0) return scope.failure();
  const int protocol = settings.family == AF_INET6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
  const int fd = socket(settings.family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return Failure(Step::kSocket, errno);
  const int failure = Prepare(fd, settings, destination, mtu);
  if (failure == 0) return fd;
  close(fd);
  return failure;
}

}  // namespace

Napi::Value OpenIcmpSocket(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  OptionReader reader(env, info[0]);
  const SocketSettings settings = ReadSocketSettings(env, &reader);
  const auto text = reader.Text("destination");
  SocketAddress destination;
  if (!text || !ParseAddress(*text, 0, settings.family, &destination)) reader.Reject("destination");
  if (!reader.Check()) return env.Undefined();
  int mtu = 0;
  const int fd = Open(settings, destination, &mtu);
  if (fd < 0) return Napi::Number::New(env, fd);
  Napi::Object result = Napi::Object::New(env);
  result.Set("fd", fd);
  result.Set("linkMtuBytes", mtu);
  return result;
}

Napi::Value PathMtu(const Napi::CallbackInfo& info) {
  OptionReader reader(info.Env(), Napi::Object::New(info.Env()));
  if (!info[0].IsNumber()) reader.Reject("fd");
  if (!reader.Check()) return info.Env().Undefined();
  const int fd = info[0].As<Napi::Number>().Int32Value();
  int mtu = 0;
  socklen_t length = sizeof(mtu);
  if (getsockopt(fd, SOL_IP, IP_MTU, &mtu, &length) == 0) return Napi::Number::New(info.Env(), mtu);
  length = sizeof(mtu);
  if (getsockopt(fd, SOL_IPV6, IPV6_MTU, &mtu, &length) == 0) return Napi::Number::New(info.Env(), mtu);
  return Napi::Number::New(info.Env(), Failure(Step::kLocalEndpoint, errno));
}

Napi::Value ReceiveNow(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  OptionReader reader(env, Napi::Object::New(env));
  if (!info[0].IsNumber()) reader.Reject("fd");
  if (!info[1].IsNumber()) reader.Reject("maxBytes");
  if (!reader.Check()) return env.Undefined();
  const int wanted = info[1].As<Napi::Number>().Int32Value();
  if (wanted < 0 || wanted > kMaxReceiveBytes) return Napi::Number::New(env, Failure(Step::kReceive, EINVAL));
  std::vector<uint8_t> bytes(static_cast<size_t>(wanted));
  const ssize_t length = recv(info[0].As<Napi::Number>().Int32Value(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (length < 0) return Napi::Number::New(env, Failure(Step::kReceive, errno));
  return Napi::Buffer<uint8_t>::Copy(env, bytes.data(), static_cast<size_t>(length));
}

}  // namespace ambit
