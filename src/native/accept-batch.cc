#include "accept-batch.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "ip-address.h"
#include "js-options.h"
#include "socket-endpoints.h"
#include "status.h"

namespace ambit {
namespace {

// Errors of one connection that died while it waited: accept(2) asks to treat them like EAGAIN.
bool IsErrorOfOneConnection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

Napi::Object ToRecord(Napi::Env env, int fd, const SocketAddress& peer, bool original_dst) {
  Napi::Object record = Napi::Object::New(env);
  const TextAddress peer_text = ToText(peer);
  SocketAddress local;
  if (getsockname(fd, local.raw(), &local.length) != 0) local = SocketAddress{};
  const TextAddress local_text = ToText(local);
  record.Set("fd", fd);
  record.Set("peerAddress", peer_text.address);
  record.Set("peerPort", peer_text.port);
  record.Set("localAddress", local_text.address);
  record.Set("localPort", local_text.port);
  TextAddress original;
  if (original_dst && ReadOriginalDestination(fd, &original) == 0) {
    record.Set("originalAddress", original.address);
    record.Set("originalPort", original.port);
  }
  return record;
}

}  // namespace

Napi::Value AcceptBatch(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  OptionReader reader(env, Napi::Object::New(env));
  if (!info[0].IsNumber()) reader.Reject("listenFd");
  if (!info[1].IsNumber()) reader.Reject("maxCount");
  if (!info[2].IsBoolean()) reader.Reject("originalDst");
  if (!info[3].IsArray()) reader.Reject("out");
  if (!reader.Check()) return env.Undefined();

  const int listen_fd = info[0].As<Napi::Number>().Int32Value();
  const int max_count = info[1].As<Napi::Number>().Int32Value();
  const bool original_dst = info[2].As<Napi::Boolean>().Value();
  Napi::Array out = info[3].As<Napi::Array>();
  int count = 0;
  // Aborted connections count as tries, so that a flood of them cannot hold the thread.
  for (int tries = 0; tries < max_count; tries++) {
    SocketAddress peer;
    const int fd = accept4(listen_fd, peer.raw(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (IsErrorOfOneConnection(errno)) continue;
      if (count > 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      return Napi::Number::New(env, Failure(Step::kAccept, errno));
    }
    out.Set(out.Length(), ToRecord(env, fd, peer, original_dst));
    count++;
  }
  return Napi::Number::New(env, count);
}

Napi::Value AcceptOne(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  OptionReader reader(env, Napi::Object::New(env));
  if (!info[0].IsNumber()) reader.Reject("listenFd");
  if (!reader.Check()) return env.Undefined();
  const int fd = accept4(info[0].As<Napi::Number>().Int32Value(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return Napi::Number::New(env, fd >= 0 ? fd : Failure(Step::kAccept, errno));
}

}  // namespace ambit
