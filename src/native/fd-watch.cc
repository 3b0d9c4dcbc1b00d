#include "fd-watch.h"

#include <unistd.h>
#include <uv.h>

#include "js-options.h"
#include "status.h"

namespace ambit {

// Lives until libuv has let go of the handle, which is later than the JavaScript object may live.
struct PollHandle {
  uv_poll_t poll{};
  int fd = -1;
  FdWatch* owner = nullptr;
  napi_async_cleanup_hook_handle hook = nullptr;

  static void OnPoll(uv_poll_t* poll, int status, int events) {
    auto* self = static_cast<PollHandle*>(poll->data);
    if (self->owner != nullptr) self->owner->OnEvent(status, events);
  }

  static void OnClosed(uv_handle_t* handle) {
    auto* self = static_cast<PollHandle*>(handle->data);
    // The hook stays until here: the end of the environment waits for handles that are closing.
    if (self->hook != nullptr) napi_remove_async_cleanup_hook(self->hook);
    delete self;
  }

  static void OnEnvironmentEnd(napi_async_cleanup_hook_handle, void* data) {
    auto* self = static_cast<PollHandle*>(data);
    if (self->owner != nullptr) self->owner->OnEnvironmentEnd();
    self->Close(true);
  }

  void Close(bool closes_fd) {
    owner = nullptr;
    auto* handle = reinterpret_cast<uv_handle_t*>(&poll);
    if (uv_is_closing(handle)) return;
    uv_poll_stop(&poll);
    uv_close(handle, OnClosed);
    if (closes_fd) close(fd);
  }
};

void FdWatch::Register(Napi::Env env, Napi::Object exports) {
  exports.Set("FdWatch", DefineClass(env, "FdWatch",
                                     {InstanceMethod<&FdWatch::Watch>("watch"), InstanceMethod<&FdWatch::Close>("close"),
                                      InstanceMethod<&FdWatch::Release>("release")}));
}

FdWatch::FdWatch(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<FdWatch>(info), context_(info.Env(), "ambit:FdWatch") {
  const Napi::Env env = info.Env();
  OptionReader reader(env, Napi::Object::New(env));
  if (!info[0].IsNumber()) reader.Reject("fd");
  if (!info[1].IsFunction()) reader.Reject("onEvent");
  if (!reader.Check()) return;
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
    Napi::Error::New(env, "ambit addon: this environment has no event loop").ThrowAsJavaScriptException();
    return;
  }
  auto* poll = new PollHandle();
  poll->fd = info[0].As<Napi::Number>().Int32Value();
  const int status = uv_poll_init(loop, &poll->poll, poll->fd);
  if (status != 0) {
    delete poll;
    Napi::Error::New(env, std::string("ambit addon: cannot watch the descriptor: ") + uv_strerror(status))
        .ThrowAsJavaScriptException();
    return;
  }
  poll->poll.data = poll;
  poll->owner = this;
  napi_add_async_cleanup_hook(env, PollHandle::OnEnvironmentEnd, poll, &poll->hook);
  poll_ = poll;
  on_event_ = Napi::Persistent(info[1].As<Napi::Function>());
  Ref();
}

FdWatch::~FdWatch() {
  if (poll_ != nullptr) poll_->owner = nullptr;
}

Napi::Value FdWatch::Watch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  OptionReader reader(env, Napi::Object::New(env));
  if (!info[0].IsNumber()) reader.Reject("mask");
  if (!reader.Check()) return env.Undefined();
  if (poll_ == nullptr) return Napi::Number::New(env, 0);
  const int mask = info[0].As<Napi::Number>().Int32Value() & (UV_READABLE | UV_WRITABLE);
  const int status = mask == 0 ? uv_poll_stop(&poll_->poll) : uv_poll_start(&poll_->poll, mask, PollHandle::OnPoll);
  return Napi::Number::New(env, status == 0 ? 0 : Failure(Step::kPoll, -status));
}

void FdWatch::Close(const Napi::CallbackInfo&) { End(true); }

void FdWatch::Release(const Napi::CallbackInfo&) { End(false); }

void FdWatch::End(bool closes_fd) {
  if (poll_ == nullptr) return;
  PollHandle* poll = poll_;
  poll_ = nullptr;
  poll->Close(closes_fd);
  Unref();
}

void FdWatch::OnEvent(int status, int events) {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  const int value = status < 0 ? Failure(Step::kPoll, -status) : events;
  on_event_.MakeCallback(Value(), {Napi::Number::New(env, value)}, context_);
  if (!env.IsExceptionPending()) return;
  const Napi::Error error = env.GetAndClearPendingException();
  // The same end as an exception in any other event callback: 'uncaughtException'.
  napi_fatal_exception(env, error.Value());
}

}  // namespace ambit
