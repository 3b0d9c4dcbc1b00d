#include "process-limits.h"

#include <sys/resource.h>

#include <cerrno>

#include "status.h"

namespace ambit {

Napi::Value RaiseFileLimit(const Napi::CallbackInfo& info) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return Napi::Number::New(info.Env(), Failure(Step::kFileLimit, errno));
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return Napi::Number::New(info.Env(), Failure(Step::kFileLimit, errno));
  return Napi::Number::New(info.Env(), static_cast<double>(limit.rlim_cur));
}

}  // namespace ambit
