// Memory of the process.
#pragma once

#include <napi.h>

namespace ambit {

// trimMemory() -> whether the C library gave free memory back to the system.
Napi::Value TrimMemory(const Napi::CallbackInfo& info);

}  // namespace ambit
