#include "connect-now.h"

#include <sys/socket.h>

#include <cerrno>

#include "ip-address.h"
#include "js-options.h"
#include "status.h"

namespace ambit {
namespace {

int Connect(int fd, const SocketAddress& destination) {
  int result = connect(fd, destination.raw(), destination.length);
  // Within one machine the answer came while the kernel sent the SYN; it counts from the end of that call on.
  if (result != 0 && errno == EINPROGRESS) result = connect(fd, destination.raw(), destination.length);
  if (result == 0 || errno == EISCONN) return 1;
  return errno == EALREADY || errno == EINPROGRESS ? 0 : Failure(Step::kConnect, errno);
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
  const int port = info[2].As<Napi::Number>().Int32Value();
  SocketAddress destination;
  if (!ParseAddress(address, port, address.find(':') == std::string::npos ? AF_INET : AF_INET6, &destination)) {
    reader.Reject("address");
    if (!reader.Check()) return env.Undefined();
  }
  return Napi::Number::New(env, Connect(info[0].As<Napi::Number>().Int32Value(), destination));
}

}  // namespace ambit
