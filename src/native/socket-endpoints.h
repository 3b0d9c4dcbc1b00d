// The addresses of a socket: its own, and the destination it had before a REDIRECT rule changed it.
#pragma once

#include <napi.h>

#include "ip-address.h"

namespace ambit {

// Asks for IPv4 first, then IPv6. Returns 0 or a Failure() value.
int ReadOriginalDestination(int fd, TextAddress* out);

// localEndpoint(fd) -> {address, port} or a Failure() value.
Napi::Value LocalEndpoint(const Napi::CallbackInfo& info);

}  // namespace ambit
