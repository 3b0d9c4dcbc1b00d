#include "connect-now.h"

#include <ifaddrs.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "ip-address.h"
#include "js-options.h"
#include "netns-scope.h"
#include "status.h"

namespace ambit {
namespace {

// The first interface of the thread's network namespace that has a link-local address; 0 when there is none.
uint32_t FirstLinkLocalInterface() {
  uint32_t index = 0;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return 0;
  for (const ifaddrs* one = all; one != nullptr && index == 0; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET6) continue;
    const auto* own = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
    if (IN6_IS_ADDR_LINKLOCAL(&own->sin6_addr)) index = own->sin6_scope_id;
  }
  freeifaddrs(all);
  return index;
}

// A link-local destination without a zone is meant for the first interface that has such an address, where the socket is.
void GiveScope(int fd, SocketAddress* destination) {
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&destination->storage);
  if (v6->sin6_family != AF_INET6 || v6->sin6_scope_id != 0 || !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) return;
  // A process that may not ask, or not enter, could not open a socket elsewhere either: it is in the thread's namespace.
  const int netns_fd = ioctl(fd, SIOCGSKNS);
  {
    const NetnsScope scope(netns_fd);
    v6->sin6_scope_id = FirstLinkLocalInterface();
  }
  if (netns_fd >= 0) close(netns_fd);
}

// What is known against a connection that is under way: an ICMP answer to its SYN leaves it so.
int PendingError(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

int Connect(int fd, const SocketAddress& destination) {
  int result = connect(fd, destination.raw(), destination.length);
  // Within one machine the answer came while the kernel sent the SYN; it counts from the end of that call on.
  if (result != 0 && errno == EINPROGRESS) result = connect(fd, destination.raw(), destination.length);
  if (result == 0 || errno == EISCONN) return 1;
  const int error = errno == EALREADY || errno == EINPROGRESS ? PendingError(fd) : errno;
  return error == 0 ? 0 : Failure(Step::kConnect, error);
}

}  // namespace

Napi::Value ConnectNow(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  OptionReader reader(env, Napi::Object::New(env));
  if (!info[0].IsNumber()) reader.Reject("fd");
  if (!info[1].IsString()) reader.Reject("address");
  if (!info[2].IsNumber()) reader.Reject("port");
  if (!reader.Check()) return env.Undefined();
  const std::string address = info[1].As<Napi::String>().Utf8Value();
  const int family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  const int port = info[2].As<Napi::Number>().Int32Value();
  SocketAddress destination;
  if (info[2].As<Napi::Number>().DoubleValue() != port || !ParseAddress(address, port, family, &destination)) {
    return Napi::Number::New(env, Failure(Step::kConnect, EINVAL));
  }
  const int fd = info[0].As<Napi::Number>().Int32Value();
  GiveScope(fd, &destination);
  return Napi::Number::New(env, Connect(fd, destination));
}

}  // namespace ambit
