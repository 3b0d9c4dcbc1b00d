#include "record-keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include "socket-send.h"
#include "status.h"

namespace ambit {
namespace {

constexpr size_t kHeaderBytes = 5;
constexpr size_t kTagBytes = 16;
constexpr size_t kIvBytes = 12;
constexpr size_t kMaxPlainBytes = 16384;
constexpr size_t kMaxSealedBytes = kMaxPlainBytes + 256;
constexpr size_t kMaxKeyBytes = 32;
constexpr uint8_t kHandshake = 22;
constexpr uint8_t kApplicationData = 23;

// Alerts of RFC 8446 6: what Open returns for a record that ends the connection.
constexpr int kUnexpectedMessage = 10;
constexpr int kBadRecordMac = 20;
constexpr int kRecordOverflow = 22;
constexpr int kInternalError = 80;

// HKDF-Expand-Label without context (RFC 8446 7.1), for lengths up to that of the hash.
bool ExpandLabel(const EVP_MD* hash, const uint8_t* secret, size_t hash_bytes, std::string_view label, uint8_t* out,
                 size_t length) {
  uint8_t info[64];
  size_t at = 0;
  constexpr std::string_view kPrefix = "tls13 ";
  info[at++] = 0;
  info[at++] = static_cast<uint8_t>(length);
  info[at++] = static_cast<uint8_t>(kPrefix.size() + label.size());
  at = std::copy(kPrefix.begin(), kPrefix.end(), info + at) - info;
  at = std::copy(label.begin(), label.end(), info + at) - info;
  info[at++] = 0;
  info[at++] = 1;
  uint8_t block[EVP_MAX_MD_SIZE];
  if (HMAC(hash, secret, static_cast<int>(hash_bytes), info, at, block, nullptr) == nullptr) return false;
  std::copy_n(block, length, out);
  OPENSSL_cleanse(block, sizeof block);
  return true;
}

struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;
};

bool ReadBytes(napi_env env, napi_value value, Bytes* out) {
  void* data = nullptr;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env, value, &type, &out->length, &data, nullptr, nullptr) != napi_ok) return false;
  out->data = static_cast<uint8_t*>(data);
  return type == napi_uint8_array;
}

// Records of the call under way: one for all connections of a thread. Grows without being filled, unlike a vector.
class SealedRecords {
 public:
  void Clear() { size_ = 0; }
  const uint8_t* data() const { return bytes_.get(); }
  size_t size() const { return size_; }

  uint8_t* Append(size_t length) {
    if (size_ + length > capacity_) {
      capacity_ = std::max(size_ + length, 2 * capacity_);
      std::unique_ptr<uint8_t[]> larger(new uint8_t[capacity_]);
      std::copy_n(bytes_.get(), size_, larger.get());
      bytes_ = std::move(larger);
    }
    uint8_t* const place = bytes_.get() + size_;
    size_ += length;
    return place;
  }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

thread_local SealedRecords sealed;

}  // namespace

struct RecordKeys::State {
  const EVP_CIPHER* cipher;
  const EVP_MD* hash;
  size_t key_bytes;
  size_t hash_bytes;
  bool writes;
  uint64_t max_records;
  uint64_t sequence = 0;
  // Not where OpenSSL refused a key: the one before must not protect anything more.
  bool is_usable = false;
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  uint8_t iv[kIvBytes] = {};
  uint8_t secret[EVP_MAX_MD_SIZE] = {};

  ~State() {
    EVP_CIPHER_CTX_free(context);
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(iv, sizeof iv);
  }

  bool UseSecret() {
    uint8_t key[kMaxKeyBytes];
    const bool is_ready = context != nullptr && ExpandLabel(hash, secret, hash_bytes, "key", key, key_bytes) &&
                          ExpandLabel(hash, secret, hash_bytes, "iv", iv, kIvBytes) &&
                          EVP_CipherInit_ex(context, cipher, nullptr, key, nullptr, writes ? 1 : 0) == 1;
    OPENSSL_cleanse(key, sizeof key);
    sequence = 0;
    is_usable = is_ready;
    return is_ready;
  }

  // The keys that follow a KeyUpdate (RFC 8446 7.2).
  bool NextSecret() {
    uint8_t next[EVP_MAX_MD_SIZE];
    const bool is_made = ExpandLabel(hash, secret, hash_bytes, "traffic upd", next, hash_bytes);
    if (is_made) std::copy_n(next, hash_bytes, secret);
    OPENSSL_cleanse(next, sizeof next);
    return is_made && UseSecret();
  }

  bool BeginRecord(const uint8_t* header) {
    uint8_t nonce[kIvBytes];
    std::copy_n(iv, kIvBytes, nonce);
    for (size_t index = 0; index < 8; index++) nonce[kIvBytes - 1 - index] ^= static_cast<uint8_t>(sequence >> (8 * index));
    int ignored;
    return is_usable && EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce, -1) == 1 &&
           EVP_CipherUpdate(context, nullptr, &ignored, header, kHeaderBytes) == 1;
  }

  bool SealRecord(uint8_t type, const uint8_t* plain, size_t length) {
    const size_t inner = length + 1;
    uint8_t* out = sealed.Append(kHeaderBytes + inner + kTagBytes);
    const size_t fragment = inner + kTagBytes;
    const uint8_t header[kHeaderBytes] = {kApplicationData, 3, 3, static_cast<uint8_t>(fragment >> 8),
                                          static_cast<uint8_t>(fragment)};
    std::copy_n(header, kHeaderBytes, out);
    out += kHeaderBytes;
    int written = 0;
    int ignored = 0;
    const bool is_begun = BeginRecord(header);
    sequence++;
    return is_begun &&
           (length == 0 || EVP_CipherUpdate(context, out, &written, plain, static_cast<int>(length)) == 1) &&
           EVP_CipherUpdate(context, out + length, &ignored, &type, 1) == 1 &&
           EVP_CipherFinal_ex(context, out + inner, &ignored) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, out + inner) == 1;
  }

  bool SealUpdate() {
    constexpr uint8_t kUpdateNotRequested[] = {24, 0, 0, 1, 0};
    return SealRecord(kHandshake, kUpdateNotRequested, sizeof kUpdateNotRequested) && NextSecret();
  }

  // Into `sealed`, as many records as it takes; a key that sealed enough is followed by the next one (RFC 8446 5.5).
  bool SealAll(uint8_t type, const Bytes& plain) {
    sealed.Clear();
    size_t at = 0;
    do {
      const size_t length = std::min(plain.length - at, kMaxPlainBytes);
      if (sequence >= max_records && !SealUpdate()) return false;
      if (!SealRecord(type, plain.data + at, length)) return false;
      at += length;
    } while (at < plain.length);
    return true;
  }

  // Opens one record into `out`. Returns an alert or 0.
  int OpenRecord(const uint8_t* record, size_t fragment, uint8_t* out, size_t* length, uint8_t* type) {
    size_t inner = fragment - kTagBytes;
    int written = 0;
    int ignored = 0;
    const uint8_t* sealed_bytes = record + kHeaderBytes;
    void* tag = const_cast<uint8_t*>(sealed_bytes + inner);
    if (!BeginRecord(record)) return kInternalError;
    if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) != 1) return kInternalError;
    const bool is_intact = EVP_CipherUpdate(context, out, &written, sealed_bytes, static_cast<int>(inner)) == 1 &&
                           EVP_CipherFinal_ex(context, out + inner, &ignored) == 1;
    if (!is_intact) return kBadRecordMac;
    sequence++;
    while (inner > 0 && out[inner - 1] == 0) inner--;
    if (inner == 0) return kUnexpectedMessage;
    *length = inner - 1;
    *type = out[inner - 1];
    return *length > kMaxPlainBytes ? kRecordOverflow : 0;
  }
};

void RecordKeys::Register(Napi::Env env, Napi::Object exports) {
  exports.Set("RecordKeys", DefineClass(env, "RecordKeys",
                                        {
                                            InstanceMethod<&RecordKeys::Open>("open"),
                                            InstanceMethod<&RecordKeys::Seal>("seal"),
                                            InstanceMethod<&RecordKeys::SealAndSend>("sealAndSend"),
                                            InstanceMethod<&RecordKeys::Update>("update"),
                                        }));
}

RecordKeys::RecordKeys(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RecordKeys>(info), state_(nullptr) {
  const Napi::Env env = info.Env();
  int32_t key_bits = 0;
  Bytes secret;
  bool writes = false;
  int64_t sequence = 0;
  int64_t max_records = 0;
  const bool is_readable = napi_get_value_int32(env, info[0], &key_bits) == napi_ok && ReadBytes(env, info[1], &secret) &&
                           napi_get_value_bool(env, info[2], &writes) == napi_ok &&
                           napi_get_value_int64(env, info[3], &sequence) == napi_ok &&
                           napi_get_value_int64(env, info[4], &max_records) == napi_ok;
  const bool is_256 = key_bits == 256;
  const size_t hash_bytes = is_256 ? 48 : 32;
  if (!is_readable || (!is_256 && key_bits != 128) || secret.length != hash_bytes || sequence < 0 || max_records < 1) {
    Napi::TypeError::New(env, "RecordKeys: 128 or 256, a secret as long as its hash, a boolean, two counts").ThrowAsJavaScriptException();
    return;
  }
  state_ = new State{is_256 ? EVP_aes_256_gcm() : EVP_aes_128_gcm(),
                     is_256 ? EVP_sha384() : EVP_sha256(),
                     is_256 ? size_t{32} : size_t{16},
                     hash_bytes,
                     writes,
                     static_cast<uint64_t>(max_records)};
  std::copy_n(secret.data, hash_bytes, state_->secret);
  const bool is_ready = state_->UseSecret();
  state_->sequence = static_cast<uint64_t>(sequence);
  if (!is_ready) Napi::Error::New(env, "RecordKeys: OpenSSL refused the key").ThrowAsJavaScriptException();
}

RecordKeys::~RecordKeys() { delete state_; }

// open(bytes, out, result): 0 or an alert; in `result` how many bytes were read, how many of application data are at
// the beginning of `out`, and the type and length of the record behind them that is something else (0: none is).
Napi::Value RecordKeys::Open(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  Bytes input;
  Bytes output;
  void* result_data = nullptr;
  size_t result_length = 0;
  const bool is_readable =
      !state_->writes && ReadBytes(env, info[0], &input) && ReadBytes(env, info[1], &output) &&
      napi_get_typedarray_info(env, info[2], nullptr, &result_length, &result_data, nullptr, nullptr) == napi_ok &&
      result_length >= 4;
  auto* result = static_cast<int32_t*>(result_data);
  if (result_length >= 4) std::fill_n(result, 4, 0);
  if (!is_readable || output.length < input.length) return Napi::Number::New(env, kInternalError);
  size_t read = 0;
  size_t data_bytes = 0;
  uint8_t type = kApplicationData;
  size_t length = 0;
  int alert = 0;
  while (alert == 0 && input.length - read >= kHeaderBytes) {
    const uint8_t* record = input.data + read;
    const size_t fragment = (static_cast<size_t>(record[3]) << 8) | record[4];
    if (record[0] != kApplicationData) alert = kUnexpectedMessage;
    else if (fragment > kMaxSealedBytes) alert = kRecordOverflow;
    else if (fragment <= kTagBytes) alert = kBadRecordMac;
    else if (input.length - read < kHeaderBytes + fragment) break;
    else alert = state_->OpenRecord(record, fragment, output.data + data_bytes, &length, &type);
    if (alert != 0) break;
    read += kHeaderBytes + fragment;
    if (type != kApplicationData || length == 0) break;
    data_bytes += length;
  }
  const bool is_other = alert == 0 && read > 0 && (type != kApplicationData || length == 0);
  result[0] = static_cast<int32_t>(read);
  result[1] = static_cast<int32_t>(data_bytes);
  result[2] = is_other ? type : 0;
  result[3] = is_other ? static_cast<int32_t>(length) : 0;
  return Napi::Number::New(env, alert);
}

// seal(type, bytes): the records as a Buffer; undefined when they could not be sealed.
Napi::Value RecordKeys::Seal(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  int32_t type = 0;
  Bytes plain;
  const bool is_readable = state_->writes && napi_get_value_int32(env, info[0], &type) == napi_ok && ReadBytes(env, info[1], &plain);
  if (!is_readable || !state_->SealAll(static_cast<uint8_t>(type), plain)) return info.Env().Undefined();
  return Napi::Buffer<uint8_t>::Copy(env, sealed.data(), sealed.size());
}

// sealAndSend(fd, bytes): as application data; 0 when the kernel took all of it, a Buffer with what it did not take, or a failure.
Napi::Value RecordKeys::SealAndSend(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  int32_t fd = -1;
  Bytes plain;
  const bool is_readable = state_->writes && napi_get_value_int32(env, info[0], &fd) == napi_ok && ReadBytes(env, info[1], &plain);
  if (!is_readable || !state_->SealAll(kApplicationData, plain)) return Napi::Number::New(env, Failure(Step::kSend, EINVAL));
  const int sent = SendBytes(fd, sealed.data(), sealed.size());
  if (sent < 0) return Napi::Number::New(env, sent);
  const size_t left = sealed.size() - static_cast<size_t>(sent);
  if (left == 0) return Napi::Number::New(env, 0);
  return Napi::Buffer<uint8_t>::Copy(env, sealed.data() + sent, left);
}

// update(): for a direction that writes, the record that says so as a Buffer; for one that reads, whether it worked.
Napi::Value RecordKeys::Update(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  if (!state_->writes) return Napi::Boolean::New(env, state_->NextSecret());
  sealed.Clear();
  if (!state_->SealUpdate()) return info.Env().Undefined();
  return Napi::Buffer<uint8_t>::Copy(env, sealed.data(), sealed.size());
}

}  // namespace ambit
