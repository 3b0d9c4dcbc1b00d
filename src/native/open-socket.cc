#include "open-socket.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "netns-scope.h"
#include "socket-settings.h"
#include "status.h"

namespace ambit {
namespace {

bool HasPortZero(const SocketAddress& address) { return ToText(address).port == 0; }

// Binds to the first of the ports that is free. Returns 0 when it did, or the errno of the last try.
int BindToAny(int fd, const SocketSettings& settings) {
  int failure = EADDRINUSE;
  for (const int port : settings.bind_ports) {
    const SocketAddress address = settings.bind->WithPort(port);
    if (bind(fd, address.raw(), address.length) == 0) {
      // Not before the bind, which shall fail for a port in use. Now a program may still listen on the port.
      const int on = 1;
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
      return 0;
    }
    failure = errno;
    if (failure != EADDRINUSE) break;
  }
  return failure;
}

int BindAndListen(int fd, int type, const SocketSettings& settings) {
  if (settings.bind && (settings.bind_ports.empty() || BindToAny(fd, settings) != 0)) {
    // A source address without a port: the port is chosen by connect(), so that one source address is not limited to
    // one range of ports over all destinations. Kernels before 4.2 do not know the option; bind() then picks the port.
    // UDP has no later moment that picks one for a socket that only receives.
    if (type == SOCK_STREAM && !settings.listen_backlog && HasPortZero(*settings.bind)) {
      const int on = 1;
      setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    }
    if (bind(fd, settings.bind->raw(), settings.bind->length) != 0) return Failure(Step::kBind, errno);
  }
  if (settings.listen_backlog && listen(fd, *settings.listen_backlog) != 0) return Failure(Step::kListen, errno);
  return 0;
}

int Open(int type, const SocketSettings& settings) {
  const NetnsScope scope(settings.netns_fd);
  if (scope.failure() != 0) return scope.failure();
  const int fd = socket(settings.family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Failure(Step::kSocket, errno);
  int failure = ApplySocketSettings(fd, settings);
  if (failure == 0) failure = BindAndListen(fd, type, settings);
  if (failure == 0) return fd;
  close(fd);
  return failure;
}

Napi::Value OpenFromJs(const Napi::CallbackInfo& info, int type) {
  OptionReader reader(info.Env(), info[0]);
  const SocketSettings settings = ReadSocketSettings(info.Env(), &reader);
  if (!reader.Check()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), Open(type, settings));
}

}  // namespace

Napi::Value OpenTcpSocket(const Napi::CallbackInfo& info) { return OpenFromJs(info, SOCK_STREAM); }

Napi::Value OpenUdpSocket(const Napi::CallbackInfo& info) { return OpenFromJs(info, SOCK_DGRAM); }

Napi::Value CloseFd(const Napi::CallbackInfo& info) {
  OptionReader reader(info.Env(), Napi::Object::New(info.Env()));
  if (!info[0].IsNumber()) reader.Reject("fd");
  if (!reader.Check()) return info.Env().Undefined();
  const int result = close(info[0].As<Napi::Number>().Int32Value());
  return Napi::Number::New(info.Env(), result == 0 ? 0 : Failure(Step::kClose, errno));
}

}  // namespace ambit
