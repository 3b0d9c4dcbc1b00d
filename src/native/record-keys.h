// The record layer of TLS 1.3 (RFC 8446 5) for one direction of a connection whose handshake was done elsewhere: whole
// batches of records for one call, without a copy of their own and without an object for each.
//
// Invariant: no sequence number, and so no nonce, is used twice under a key.
#pragma once

#include <napi.h>

namespace ambit {

class RecordKeys : public Napi::ObjectWrap<RecordKeys> {
 public:
  static void Register(Napi::Env env, Napi::Object exports);

  // new RecordKeys(keyBits, secret, writes, sequence, maxRecords): see NativeRecordKeys in addon.ts.
  explicit RecordKeys(const Napi::CallbackInfo& info);
  ~RecordKeys() override;

  Napi::Value Open(const Napi::CallbackInfo& info);
  Napi::Value Seal(const Napi::CallbackInfo& info);
  Napi::Value SealAndSend(const Napi::CallbackInfo& info);
  Napi::Value Update(const Napi::CallbackInfo& info);

 private:
  struct State;
  State* state_;
};

}  // namespace ambit
