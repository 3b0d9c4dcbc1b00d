// Limits of the process.
#pragma once

#include <napi.h>

namespace ambit {

// raiseFileLimit() -> the new soft limit of open files (= the hard limit), or a Failure() value.
Napi::Value RaiseFileLimit(const Napi::CallbackInfo& info);

}  // namespace ambit
