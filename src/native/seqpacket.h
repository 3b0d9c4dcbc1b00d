// AF_UNIX SOCK_SEQPACKET with descriptor passing. Every call is non-blocking; readiness comes from FdWatch.
#pragma once

#include <napi.h>

namespace ambit {

// seqpacketListen(path, backlog) -> descriptor or a Failure() value. The path must not exist.
Napi::Value SeqpacketListen(const Napi::CallbackInfo& info);
// seqpacketConnect(path) -> descriptor or a Failure() value.
Napi::Value SeqpacketConnect(const Napi::CallbackInfo& info);
// seqpacketSend(fd, bytes, passedFd or -1) -> 0 or a Failure() value.
Napi::Value SeqpacketSend(const Napi::CallbackInfo& info);
// seqpacketReceive(fd) -> {bytes, fds} or a Failure() value. No bytes means that the peer is gone.
Napi::Value SeqpacketReceive(const Napi::CallbackInfo& info);

}  // namespace ambit
