// connectNow(fd, address, port): connects a non-blocking socket. 1 once it is connected, 0 while that is under way (ask again
// when the descriptor is writable), or a Failure() value.
#pragma once

#include <napi.h>

namespace ambit {

Napi::Value ConnectNow(const Napi::CallbackInfo& info);

}  // namespace ambit
