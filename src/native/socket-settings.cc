#include "socket-settings.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "status.h"

namespace ambit {
namespace {

bool Set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof(value)) == 0; }

int SetMark(int fd, int mark) { return Set(fd, SOL_SOCKET, SO_MARK, mark) ? 0 : Failure(Step::kMark, errno); }

std::optional<SocketAddress> ReadBind(Napi::Env env, OptionReader* reader, int family) {
  const auto object = reader->Object("bind");
  if (!object) return std::nullopt;
  OptionReader bind(env, *object);
  const auto address = bind.Text("address");
  const auto port = bind.Int("port");
  SocketAddress parsed;
  if (!address || !port || !ParseAddress(*address, *port, family, &parsed)) {
    reader->Reject("bind");
    return std::nullopt;
  }
  return parsed;
}

std::vector<int> ReadBindPorts(Napi::Env env, OptionReader* reader) {
  const auto list = reader->Object("bindPorts");
  if (!list) return {};
  std::vector<int> ports;
  if (!list->IsArray()) reader->Reject("bindPorts");
  const Napi::Array array(env, *list);
  for (uint32_t index = 0; list->IsArray() && index < array.Length(); index++) {
    const Napi::Value port = array.Get(index);
    if (port.IsNumber()) ports.push_back(port.As<Napi::Number>().Int32Value());
    else reader->Reject("bindPorts");
  }
  return ports;
}

Transparent ReadTransparent(OptionReader* reader) {
  const auto text = reader->Text("transparent");
  if (!text) return Transparent::kNo;
  if (*text == "required") return Transparent::kRequired;
  if (*text == "best-effort") return Transparent::kBestEffort;
  reader->Reject("transparent");
  return Transparent::kNo;
}

int ApplyTransparent(int fd, const SocketSettings& settings) {
  if (settings.transparent == Transparent::kNo) return 0;
  const bool set = settings.family == AF_INET6 ? Set(fd, SOL_IPV6, IPV6_TRANSPARENT, 1) : Set(fd, SOL_IP, IP_TRANSPARENT, 1);
  if (set || settings.transparent == Transparent::kBestEffort) return 0;
  return Failure(Step::kTransparent, errno);
}

}  // namespace

StreamSettings ReadStreamSettings(Napi::Env env, OptionReader* reader) {
  StreamSettings settings;
  settings.no_delay = reader->Bool("noDelay").value_or(false);
  settings.user_timeout_ms = reader->Int("userTimeoutMs");
  if (const auto object = reader->Object("keepAlive")) {
    OptionReader keep_alive(env, *object);
    const auto idle = keep_alive.Int("idleSec");
    const auto interval = keep_alive.Int("intervalSec");
    const auto probes = keep_alive.Int("probes");
    if (idle && interval && probes) {
      settings.keep_alive = KeepAlive{*idle, *interval, *probes};
    } else {
      reader->Reject("keepAlive");
    }
  }
  return settings;
}

SocketSettings ReadSocketSettings(Napi::Env env, OptionReader* reader) {
  SocketSettings settings;
  const int family = reader->Int("family").value_or(0);
  if (family != 4 && family != 6) reader->Reject("family");
  settings.family = family == 6 ? AF_INET6 : AF_INET;
  settings.netns_fd = reader->Int("netnsFd").value_or(-1);
  settings.mark = reader->Int("mark");
  settings.transparent = ReadTransparent(reader);
  settings.freebind = reader->Bool("freebind").value_or(false);
  settings.v6_only = reader->Bool("v6Only").value_or(false);
  settings.reuse_port = reader->Bool("reusePort").value_or(false);
  settings.bind = ReadBind(env, reader, settings.family);
  settings.bind_ports = ReadBindPorts(env, reader);
  settings.listen_backlog = reader->Int("listenBacklog");
  settings.stream = ReadStreamSettings(env, reader);
  return settings;
}

int ApplyStreamSettings(int fd, const StreamSettings& settings) {
  if (settings.no_delay && !Set(fd, IPPROTO_TCP, TCP_NODELAY, 1)) return Failure(Step::kNoDelay, errno);
  if (settings.keep_alive) {
    const KeepAlive& keep_alive = *settings.keep_alive;
    if (!Set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) || !Set(fd, IPPROTO_TCP, TCP_KEEPIDLE, keep_alive.idle_sec) ||
        !Set(fd, IPPROTO_TCP, TCP_KEEPINTVL, keep_alive.interval_sec) ||
        !Set(fd, IPPROTO_TCP, TCP_KEEPCNT, keep_alive.probes)) {
      return Failure(Step::kKeepAlive, errno);
    }
  }
  if (settings.user_timeout_ms && !Set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, *settings.user_timeout_ms)) {
    return Failure(Step::kUserTimeout, errno);
  }
  return 0;
}

int ApplySocketSettings(int fd, const SocketSettings& settings) {
  if (settings.mark) {
    if (const int failure = SetMark(fd, *settings.mark)) return failure;
  }
  if (const int failure = ApplyTransparent(fd, settings)) return failure;
  if (settings.freebind) {
    const bool set = settings.family == AF_INET6 ? Set(fd, SOL_IPV6, IPV6_FREEBIND, 1) : Set(fd, SOL_IP, IP_FREEBIND, 1);
    if (!set) return Failure(Step::kFreebind, errno);
  }
  // Said in both directions: the default depends on a sysctl of the pod's namespace.
  if (settings.family == AF_INET6 && !Set(fd, SOL_IPV6, IPV6_V6ONLY, settings.v6_only ? 1 : 0)) {
    return Failure(Step::kV6Only, errno);
  }
  if (settings.reuse_port && !Set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) return Failure(Step::kReuse, errno);
  if (settings.listen_backlog && !Set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return Failure(Step::kReuse, errno);
  return ApplyStreamSettings(fd, settings.stream);
}

Napi::Value SetSocketOptions(const Napi::CallbackInfo& info) {
  OptionReader reader(info.Env(), info[1]);
  if (!info[0].IsNumber()) reader.Reject("fd");
  const auto mark = reader.Int("mark");
  const StreamSettings settings = ReadStreamSettings(info.Env(), &reader);
  if (!reader.Check()) return info.Env().Undefined();
  const int fd = info[0].As<Napi::Number>().Int32Value();
  int result = mark ? SetMark(fd, *mark) : 0;
  if (result == 0) result = ApplyStreamSettings(fd, settings);
  return Napi::Number::New(info.Env(), result);
}

Napi::Value ResetOnClose(const Napi::CallbackInfo& info) {
  OptionReader reader(info.Env(), Napi::Object::New(info.Env()));
  if (!info[0].IsNumber()) reader.Reject("fd");
  if (!reader.Check()) return info.Env().Undefined();
  const linger now = {.l_onoff = 1, .l_linger = 0};
  const int fd = info[0].As<Napi::Number>().Int32Value();
  const int result = setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  return Napi::Number::New(info.Env(), result == 0 ? 0 : Failure(Step::kClose, errno));
}

}  // namespace ambit
