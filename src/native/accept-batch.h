// Accepts what waits on a listening socket.
#pragma once

#include <napi.h>

namespace ambit {

// acceptBatch(listenFd, maxCount, originalDst, streamOptions, out) -> number of records pushed to `out`, or a Failure()
// value when nothing was accepted (EAGAIN included) or when the error came after some (those are in `out` already).
Napi::Value AcceptBatch(const Napi::CallbackInfo& info);

}  // namespace ambit
