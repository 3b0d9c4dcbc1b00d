// Bytes to a connected stream socket by one system call.
#pragma once

#include <napi.h>

namespace ambit {

// How many bytes the kernel took, 0 when it takes none now, or a failure.
int SendBytes(int fd, const void* bytes, size_t length);

// sendNow(fd, bytes): what SendBytes returns.
Napi::Value SendNow(const Napi::CallbackInfo& info);

}  // namespace ambit
