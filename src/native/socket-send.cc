#include "socket-send.h"

#include <sys/socket.h>

#include <cerrno>

#include "status.h"

namespace ambit {

int SendBytes(int fd, const void* bytes, size_t length) {
  for (;;) {
    const ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<int>(sent);
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) return 0;
    if (errno != EINTR) return Failure(Step::kSend, errno);
  }
}

Napi::Value SendNow(const Napi::CallbackInfo& info) {
  // Once per message of every connection: the plain C calls, and no check but those that memory depends on.
  const napi_env env = info.Env();
  int32_t fd = -1;
  void* bytes = nullptr;
  size_t length = 0;
  const bool readable = napi_get_value_int32(env, info[0], &fd) == napi_ok &&
                        napi_get_typedarray_info(env, info[1], nullptr, &length, &bytes, nullptr, nullptr) == napi_ok;
  return Napi::Number::New(env, readable ? SendBytes(fd, bytes, length) : Failure(Step::kSend, EINVAL));
}

}  // namespace ambit
