// Tells JavaScript when a descriptor is readable or writable: uv_poll as a class.
//
// Invariants:
// - the watch owns the descriptor from its construction until release(): close() closes it, and so does the end of the
//   environment (a worker thread that stops with open listeners leaves neither descriptors nor handles behind);
// - the object is not collected while it watches.
#pragma once

#include <napi.h>

namespace ambit {

struct PollHandle;

class FdWatch : public Napi::ObjectWrap<FdWatch> {
 public:
  static void Register(Napi::Env env, Napi::Object exports);

  // new FdWatch(fd, onEvent): onEvent gets a mask (1 readable, 2 writable) or a Failure() value.
  explicit FdWatch(const Napi::CallbackInfo& info);
  ~FdWatch() override;

  // Called from the poll handle.
  void OnEvent(int status, int events);
  void OnEnvironmentEnd() { poll_ = nullptr; }

 private:
  // watch(mask) -> 0 or a Failure() value; 0 stops watching and keeps the descriptor.
  Napi::Value Watch(const Napi::CallbackInfo& info);
  // Stops watching and closes the descriptor. Calling it twice is harmless.
  void Close(const Napi::CallbackInfo& info);
  // Stops watching; the descriptor is the caller's again.
  void Release(const Napi::CallbackInfo& info);

  void End(bool closes_fd);

  PollHandle* poll_ = nullptr;
  Napi::FunctionReference on_event_;
  Napi::AsyncContext context_;
};

}  // namespace ambit
