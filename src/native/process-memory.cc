#include "process-memory.h"

#include <malloc.h>

#include <cstdlib>

namespace ambit {

#ifdef __GLIBC__
namespace {

// A chunk of this size that is freed makes glibc look at the end of its arena.
constexpr size_t kProbeBytes = 128 * 1024;
constexpr int kKeptBytes = 1024 * 1024;

// malloc_trim leaves the end of all arenas but the first alone: it goes back when something is freed while it is longer than
// the threshold, which bin/ambit sets high. Here it is low for a moment.
void TrimEndOfOwnArena() {
  const char* threshold = std::getenv("MALLOC_TRIM_THRESHOLD_");
  if (threshold != nullptr) mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  // Volatile: a compiler may leave out what is allocated for nothing.
  void* volatile probe = std::malloc(kProbeBytes);
  std::free(probe);
  if (threshold != nullptr) mallopt(M_TRIM_THRESHOLD, std::atoi(threshold));
}

}  // namespace

Napi::Value TrimMemory(const Napi::CallbackInfo& info) {
  TrimEndOfOwnArena();
  return Napi::Boolean::New(info.Env(), malloc_trim(0) == 1);
}
#else
// Other libraries give back by themselves, or cannot be asked.
Napi::Value TrimMemory(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), false); }
#endif

}  // namespace ambit
