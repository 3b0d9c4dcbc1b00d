#include "socket-endpoints.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "js-options.h"
#include "status.h"

namespace ambit {
namespace {

// SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST; the kernel headers that define them clash with netinet/in.h.
constexpr int kOriginalDst = 80;

int ReadLocalEndpoint(int fd, TextAddress* out) {
  SocketAddress address;
  if (getsockname(fd, address.raw(), &address.length) != 0) return Failure(Step::kLocalEndpoint, errno);
  *out = ToText(address);
  return 0;
}

}  // namespace

int ReadOriginalDestination(int fd, TextAddress* out) {
  SocketAddress address;
  if (getsockopt(fd, SOL_IP, kOriginalDst, &address.storage, &address.length) != 0) {
    address = SocketAddress{};
    if (getsockopt(fd, SOL_IPV6, kOriginalDst, &address.storage, &address.length) != 0) {
      return Failure(Step::kOriginalDestination, errno);
    }
  }
  *out = ToText(address);
  return 0;
}

Napi::Value LocalEndpoint(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  OptionReader reader(env, Napi::Object::New(env));
  if (!info[0].IsNumber()) reader.Reject("fd");
  if (!reader.Check()) return env.Undefined();
  TextAddress text;
  const int failure = ReadLocalEndpoint(info[0].As<Napi::Number>().Int32Value(), &text);
  if (failure != 0) return Napi::Number::New(env, failure);
  Napi::Object result = Napi::Object::New(env);
  result.Set("address", text.address);
  result.Set("port", text.port);
  return result;
}

}  // namespace ambit
