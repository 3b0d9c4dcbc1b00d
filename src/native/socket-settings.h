// The options of a socket, read from JavaScript once and applied in one place.
#pragma once

#include <optional>
#include <vector>

#include "ip-address.h"
#include "js-options.h"

namespace ambit {

enum class Transparent { kNo, kBestEffort, kRequired };

struct KeepAlive {
  int idle_sec;
  int interval_sec;
  int probes;
};

// Options of an established TCP stream.
struct StreamSettings {
  bool no_delay = false;
  std::optional<KeepAlive> keep_alive;
  std::optional<int> user_timeout_ms;
};

// Options of a new socket.
struct SocketSettings {
  int netns_fd = -1;
  int family = AF_INET;
  std::optional<int> mark;
  Transparent transparent = Transparent::kNo;
  bool freebind = false;
  bool v6_only = false;
  bool reuse_port = false;
  std::optional<SocketAddress> bind;
  // Tried in their order before the port of `bind`.
  std::vector<int> bind_ports;
  std::optional<int> listen_backlog;
  StreamSettings stream;
};

StreamSettings ReadStreamSettings(Napi::Env env, OptionReader* reader);
SocketSettings ReadSocketSettings(Napi::Env env, OptionReader* reader);

// Both return 0 or a Failure() value.
int ApplyStreamSettings(int fd, const StreamSettings& settings);
int ApplySocketSettings(int fd, const SocketSettings& settings);

// setSocketOptions(fd, {noDelay, keepAlive, userTimeoutMs, mark}) -> 0 or a Failure() value.
Napi::Value SetSocketOptions(const Napi::CallbackInfo& info);

// resetOnClose(fd) -> 0 or a Failure() value: closing the socket resets its connection, whatever waits (SO_LINGER of 0 s).
Napi::Value ResetOnClose(const Napi::CallbackInfo& info);

}  // namespace ambit
