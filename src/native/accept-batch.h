// Accepts what waits on a listening socket.
#pragma once

#include <napi.h>

namespace ambit {

// acceptBatch(listenFd, maxCount, originalDst, out) -> number of records pushed to `out`, or a Failure() value when nothing was
// accepted (EAGAIN included) or when the error came after some (those are in `out` already). What was set on the listening
// socket holds for accepted ones as well: Linux copies it (tcp(7)).
Napi::Value AcceptBatch(const Napi::CallbackInfo& info);

// acceptOne(listenFd) -> descriptor or a Failure() value. For a listener of any family.
Napi::Value AcceptOne(const Napi::CallbackInfo& info);

}  // namespace ambit
