#include "conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include "js-options.h"
#include "netns-scope.h"
#include "status.h"

namespace ambit {
namespace {

using Bytes = std::vector<char>;

// An answer of the kernel fits (NLMSG_GOODSIZE and dumps of up to 32 KiB).
constexpr size_t kBufferBytes = 64 * 1024;
// The kernel answers at once; a socket that it never answers must not hold the agent up.
constexpr int kMaxForeignPackets = 1000;
constexpr timeval kReceiveTimeout = {.tv_sec = 2, .tv_usec = 0};
// Each data structure of netlink begins at a multiple of four bytes.
constexpr size_t kHeaderBytes = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg));

// Attributes one after the other; none of them is read past the end.
struct Attributes {
  const char* data;
  size_t length;

  // The first attribute of the type; null when there is none.
  const nlattr* Find(int type) const {
    size_t at = 0;
    while (at + NLA_HDRLEN <= length) {
      const auto* attribute = reinterpret_cast<const nlattr*>(data + at);
      if (attribute->nla_len < NLA_HDRLEN || at + attribute->nla_len > length) return nullptr;
      if ((attribute->nla_type & NLA_TYPE_MASK) == type) return attribute;
      at += NLA_ALIGN(attribute->nla_len);
    }
    return nullptr;
  }

  Attributes Nested(int type) const {
    const nlattr* found = Find(type);
    if (found == nullptr) return {nullptr, 0};
    return {reinterpret_cast<const char*>(found) + NLA_HDRLEN, static_cast<size_t>(found->nla_len - NLA_HDRLEN)};
  }

  // A port, or 0.
  uint16_t Port(int type) const {
    const Attributes value = Nested(type);
    uint16_t port = 0;
    if (value.length >= sizeof(port)) std::memcpy(&port, value.data, sizeof(port));
    return ntohs(port);
  }
};

Bytes Request(int type, int flags, uint8_t family) {
  Bytes message(kHeaderBytes);
  auto* header = reinterpret_cast<nlmsghdr*>(message.data());
  header->nlmsg_len = message.size();
  header->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | type;
  header->nlmsg_flags = NLM_F_REQUEST | flags;
  auto* general = reinterpret_cast<nfgenmsg*>(message.data() + NLMSG_HDRLEN);
  general->nfgen_family = family;
  general->version = NFNETLINK_V0;
  return message;
}

void Append(Bytes* message, const nlattr* attribute) {
  if (attribute == nullptr) return;
  const auto* from = reinterpret_cast<const char*>(attribute);
  message->insert(message->end(), from, from + attribute->nla_len);
  message->resize(NLMSG_ALIGN(message->size()));
  reinterpret_cast<nlmsghdr*>(message->data())->nlmsg_len = message->size();
}

// The request that drops the entry of a message, or nothing when the entry is not one of ours.
Bytes DropRequest(const nlmsghdr* message, const std::vector<uint16_t>& ports) {
  if (message->nlmsg_len < kHeaderBytes) return {};
  const auto* start = reinterpret_cast<const char*>(message);
  const Attributes entry = {start + kHeaderBytes, message->nlmsg_len - kHeaderBytes};
  const uint16_t to = entry.Nested(CTA_TUPLE_ORIG).Nested(CTA_TUPLE_PROTO).Port(CTA_PROTO_DST_PORT);
  const uint16_t answers = entry.Nested(CTA_TUPLE_REPLY).Nested(CTA_TUPLE_PROTO).Port(CTA_PROTO_SRC_PORT);
  if (answers == to || std::find(ports.begin(), ports.end(), answers) == ports.end()) return {};
  const auto* general = reinterpret_cast<const nfgenmsg*>(start + NLMSG_HDRLEN);
  Bytes request = Request(IPCTNL_MSG_CT_DELETE, 0, general->nfgen_family);
  // The id keeps a later connection with the same addresses from being hit.
  for (const int type : {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID}) Append(&request, entry.Find(type));
  return request;
}

int Send(int fd, const Bytes& message) {
  return send(fd, message.data(), message.size(), 0) < 0 ? Failure(Step::kSend, errno) : 0;
}

// Takes what is wanted out of one packet of the dump. Returns 0 to go on, 1 at the end, or a Failure() value.
int ReadPacket(const char* packet, size_t length, const std::vector<uint16_t>& ports, std::vector<Bytes>* requests) {
  // Signed: the last message may end before its alignment, which is taken off all the same.
  auto left = static_cast<int>(length);
  auto* message = reinterpret_cast<const nlmsghdr*>(packet);
  for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
    if (message->nlmsg_type == NLMSG_DONE) return 1;
    if (message->nlmsg_type == NLMSG_ERROR) {
      if (message->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) return Failure(Step::kReceive, EBADMSG);
      const auto* error = reinterpret_cast<const nlmsgerr*>(reinterpret_cast<const char*>(message) + NLMSG_HDRLEN);
      return Failure(Step::kReceive, -error->error);
    }
    Bytes request = DropRequest(message, ports);
    if (!request.empty()) requests->push_back(std::move(request));
  }
  return 0;
}

int Collect(int fd, const std::vector<uint16_t>& ports, std::vector<Bytes>* requests) {
  const int sent = Send(fd, Request(IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC));
  if (sent != 0) return sent;
  alignas(nlmsghdr) char buffer[kBufferBytes];
  for (int foreign = 0; foreign <= kMaxForeignPackets;) {
    sockaddr_nl sender = {};
    socklen_t sender_length = sizeof(sender);
    const ssize_t length = recvfrom(fd, buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr*>(&sender), &sender_length);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return Failure(Step::kReceive, errno);
    // Other processes may write to the socket, too, but not for ever; 0 is the kernel.
    if (sender.nl_pid != 0) {
      foreign++;
      continue;
    }
    const int result = ReadPacket(buffer, static_cast<size_t>(length), ports, requests);
    if (result != 0) return result < 0 ? result : 0;
  }
  return Failure(Step::kReceive, EBADMSG);
}

int DropAll(int fd, const std::vector<uint16_t>& ports) {
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kReceiveTimeout, sizeof(kReceiveTimeout));
  std::vector<Bytes> requests;
  const int failure = Collect(fd, ports, &requests);
  if (failure != 0) return failure;
  // Without a wish for answers the kernel only tells of entries that have ended meanwhile, which is no matter.
  for (const Bytes& request : requests) {
    const int sent = Send(fd, request);
    if (sent != 0) return sent;
  }
  return static_cast<int>(requests.size());
}

int DropIn(int netns_fd, const std::vector<uint16_t>& ports) {
  const NetnsScope scope(netns_fd);
  if (scope.failure() != 0) return scope.failure();
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) return Failure(Step::kSocket, errno);
  const int result = DropAll(fd, ports);
  close(fd);
  return result;
}

}  // namespace

Napi::Value DropRedirected(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  OptionReader reader(env, Napi::Object::New(env));
  if (!info[0].IsNumber()) reader.Reject("netnsFd");
  if (!info[1].IsArray()) reader.Reject("ports");
  if (!reader.Check()) return env.Undefined();
  const Napi::Array list = info[1].As<Napi::Array>();
  std::vector<uint16_t> ports;
  for (uint32_t index = 0; index < list.Length(); index++) {
    ports.push_back(static_cast<uint16_t>(list.Get(index).ToNumber().Uint32Value()));
  }
  return Napi::Number::New(env, DropIn(info[0].As<Napi::Number>().Int32Value(), ports));
}

}  // namespace ambit
