// Raw ICMP sockets to one destination, which never fragment: for the path MTU.
#pragma once

#include <napi.h>

namespace ambit {

// openIcmpSocket({family, netnsFd, mark, destination}) -> {fd, linkMtuBytes} or a Failure() value.
Napi::Value OpenIcmpSocket(const Napi::CallbackInfo& info);
// pathMtu(fd) -> what the kernel knows of the way to the socket's destination, or a Failure() value.
Napi::Value PathMtu(const Napi::CallbackInfo& info);
// receiveNow(fd, maxBytes) -> a packet, cut at maxBytes, or a Failure() value.
Napi::Value ReceiveNow(const Napi::CallbackInfo& info);

}  // namespace ambit
