// Opens sockets, if asked in another network namespace.
#pragma once

#include <napi.h>

namespace ambit {

// openTcpSocket(options) -> descriptor or a Failure() value. With `listenBacklog` the socket listens.
Napi::Value OpenTcpSocket(const Napi::CallbackInfo& info);
// openUdpSocket(options) -> descriptor or a Failure() value.
Napi::Value OpenUdpSocket(const Napi::CallbackInfo& info);

// closeFd(fd) -> 0 or a Failure() value. Descriptors of the addon are closed here and not by node:fs, which in worker
// threads keeps a list of those it opened itself.
Napi::Value CloseFd(const Napi::CallbackInfo& info);

}  // namespace ambit
