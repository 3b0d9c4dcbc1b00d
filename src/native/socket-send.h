// Bytes to a connected stream socket by one system call.
#pragma once

#include <napi.h>

namespace ambit {

// sendNow(fd, bytes): how many bytes the kernel took, 0 when it takes none now, or a failure.
Napi::Value SendNow(const Napi::CallbackInfo& info);

}  // namespace ambit
