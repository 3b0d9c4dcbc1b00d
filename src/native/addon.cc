// The exports of build/Release/ambit.node; src/native/addon.ts declares their types.
#include <napi.h>

#include "accept-batch.h"
#include "connect-now.h"
#include "conntrack.h"
#include "fd-watch.h"
#include "icmp-socket.h"
#include "open-socket.h"
#include "process-limits.h"
#include "process-memory.h"
#include "record-keys.h"
#include "seqpacket.h"
#include "socket-endpoints.h"
#include "socket-send.h"
#include "socket-settings.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("openTcpSocket", Napi::Function::New<ambit::OpenTcpSocket>(env, "openTcpSocket"));
  exports.Set("openUdpSocket", Napi::Function::New<ambit::OpenUdpSocket>(env, "openUdpSocket"));
  exports.Set("closeFd", Napi::Function::New<ambit::CloseFd>(env, "closeFd"));
  exports.Set("acceptBatch", Napi::Function::New<ambit::AcceptBatch>(env, "acceptBatch"));
  exports.Set("acceptOne", Napi::Function::New<ambit::AcceptOne>(env, "acceptOne"));
  exports.Set("localEndpoint", Napi::Function::New<ambit::LocalEndpoint>(env, "localEndpoint"));
  exports.Set("connectNow", Napi::Function::New<ambit::ConnectNow>(env, "connectNow"));
  exports.Set("sendNow", Napi::Function::New<ambit::SendNow>(env, "sendNow"));
  exports.Set("resetOnClose", Napi::Function::New<ambit::ResetOnClose>(env, "resetOnClose"));
  exports.Set("setSocketOptions", Napi::Function::New<ambit::SetSocketOptions>(env, "setSocketOptions"));
  exports.Set("raiseFileLimit", Napi::Function::New<ambit::RaiseFileLimit>(env, "raiseFileLimit"));
  exports.Set("releaseProgram", Napi::Function::New<ambit::ReleaseProgram>(env, "releaseProgram"));
  exports.Set("trimMemory", Napi::Function::New<ambit::TrimMemory>(env, "trimMemory"));
  exports.Set("seqpacketListen", Napi::Function::New<ambit::SeqpacketListen>(env, "seqpacketListen"));
  exports.Set("seqpacketConnect", Napi::Function::New<ambit::SeqpacketConnect>(env, "seqpacketConnect"));
  exports.Set("seqpacketSend", Napi::Function::New<ambit::SeqpacketSend>(env, "seqpacketSend"));
  exports.Set("seqpacketReceive", Napi::Function::New<ambit::SeqpacketReceive>(env, "seqpacketReceive"));
  exports.Set("dropRedirected", Napi::Function::New<ambit::DropRedirected>(env, "dropRedirected"));
  exports.Set("openIcmpSocket", Napi::Function::New<ambit::OpenIcmpSocket>(env, "openIcmpSocket"));
  exports.Set("pathMtu", Napi::Function::New<ambit::PathMtu>(env, "pathMtu"));
  exports.Set("receiveNow", Napi::Function::New<ambit::ReceiveNow>(env, "receiveNow"));
  ambit::FdWatch::Register(env, exports);
  ambit::RecordKeys::Register(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(ambit, Init)
