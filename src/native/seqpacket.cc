#include "seqpacket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "js-options.h"
#include "status.h"

namespace ambit {
namespace {

// The receive buffer of both sides (facts ztunnel-wire 3.1).
constexpr size_t kReceiveBytes = 1024;
// One descriptor is expected; room for a few more lets the user close what a wrong peer sends.
constexpr size_t kMaxFds = 8;

int NewSocket() { return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

bool ToUnixAddress(const std::string& path, sockaddr_un* out) {
  *out = sockaddr_un{};
  out->sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(out->sun_path)) return false;
  std::memcpy(out->sun_path, path.data(), path.size());
  return true;
}

int Listen(const std::string& path, int backlog) {
  sockaddr_un address;
  if (!ToUnixAddress(path, &address)) return Failure(Step::kBind, ENAMETOOLONG);
  const int fd = NewSocket();
  if (fd < 0) return Failure(Step::kSocket, errno);
  int failure = 0;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) failure = Failure(Step::kBind, errno);
  if (failure == 0 && listen(fd, backlog) != 0) failure = Failure(Step::kListen, errno);
  if (failure == 0) return fd;
  close(fd);
  return failure;
}

int Connect(const std::string& path) {
  sockaddr_un address;
  if (!ToUnixAddress(path, &address)) return Failure(Step::kConnect, ENAMETOOLONG);
  const int fd = NewSocket();
  if (fd < 0) return Failure(Step::kSocket, errno);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  const int failure = Failure(Step::kConnect, errno);
  close(fd);
  return failure;
}

int Send(int fd, const uint8_t* bytes, size_t length, int passed_fd) {
  iovec part{const_cast<uint8_t*>(bytes), length};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (passed_fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &passed_fd, sizeof(int));
  }
  for (;;) {
    if (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return 0;
    if (errno != EINTR) return Failure(Step::kSend, errno);
  }
}

struct Packet {
  uint8_t bytes[kReceiveBytes];
  size_t length = 0;
  // More than kMaxFds cannot arrive: the control buffer has no room for them.
  int fds[kMaxFds + 1];
  size_t fd_count = 0;
};

void CollectFds(msghdr* message, Packet* packet) {
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < count; index++) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + index * sizeof(int), sizeof(int));
      if (packet->fd_count <= kMaxFds) {
        packet->fds[packet->fd_count++] = fd;
      } else {
        close(fd);
      }
    }
  }
}

int Receive(int fd, Packet* packet) {
  iovec part{packet->bytes, sizeof(packet->bytes)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t length;
  do {
    length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return Failure(Step::kReceive, errno);
  packet->length = static_cast<size_t>(length);
  CollectFds(&message, packet);
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) return 0;
  for (size_t index = 0; index < packet->fd_count; index++) close(packet->fds[index]);
  return Failure(Step::kTruncated, EMSGSIZE);
}

// Throws a TypeError and returns false unless the arguments have the types of a descriptor or a path.
bool CheckArguments(const Napi::CallbackInfo& info, bool first_is_path) {
  OptionReader reader(info.Env(), Napi::Object::New(info.Env()));
  if (first_is_path ? !info[0].IsString() : !info[0].IsNumber()) reader.Reject(first_is_path ? "path" : "fd");
  return reader.Check();
}

}  // namespace

Napi::Value SeqpacketListen(const Napi::CallbackInfo& info) {
  if (!CheckArguments(info, true)) return info.Env().Undefined();
  const int backlog = info[1].IsNumber() ? info[1].As<Napi::Number>().Int32Value() : 16;
  return Napi::Number::New(info.Env(), Listen(info[0].As<Napi::String>().Utf8Value(), backlog));
}

Napi::Value SeqpacketConnect(const Napi::CallbackInfo& info) {
  if (!CheckArguments(info, true)) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), Connect(info[0].As<Napi::String>().Utf8Value()));
}

Napi::Value SeqpacketSend(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  OptionReader reader(env, Napi::Object::New(env));
  if (!info[0].IsNumber()) reader.Reject("fd");
  if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    reader.Reject("bytes");
  }
  if (!info[2].IsNumber()) reader.Reject("passedFd");
  if (!reader.Check()) return env.Undefined();
  const Napi::Uint8Array bytes = info[1].As<Napi::Uint8Array>();
  return Napi::Number::New(env, Send(info[0].As<Napi::Number>().Int32Value(), bytes.Data(), bytes.ByteLength(),
                                     info[2].As<Napi::Number>().Int32Value()));
}

Napi::Value SeqpacketReceive(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!CheckArguments(info, false)) return env.Undefined();
  Packet packet;
  const int failure = Receive(info[0].As<Napi::Number>().Int32Value(), &packet);
  if (failure != 0) return Napi::Number::New(env, failure);
  Napi::Object result = Napi::Object::New(env);
  Napi::Array fds = Napi::Array::New(env, packet.fd_count);
  for (size_t index = 0; index < packet.fd_count; index++) fds.Set(static_cast<uint32_t>(index), packet.fds[index]);
  result.Set("bytes", Napi::Buffer<uint8_t>::Copy(env, packet.bytes, packet.length));
  result.Set("fds", fds);
  return result;
}

}  // namespace ambit
