// Memory of the process.
#pragma once

#include <napi.h>

namespace ambit {

// trimMemory() -> whether the C library gave free memory back to the system.
Napi::Value TrimMemory(const Napi::CallbackInfo& info);

// releaseProgram() -> whether pages of the program's own file no longer count for this process: what it still runs or reads
// is mapped again from the page cache when it is reached.
Napi::Value ReleaseProgram(const Napi::CallbackInfo& info);

}  // namespace ambit
