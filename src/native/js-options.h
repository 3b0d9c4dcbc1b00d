// Reads an options object. A value of the wrong type is a programming error: it is remembered and thrown as a TypeError
// that names the option.
#pragma once

#include <napi.h>

#include <optional>
#include <string>

namespace ambit {

class OptionReader {
 public:
  OptionReader(Napi::Env env, const Napi::Value& value);

  std::optional<int> Int(const char* name);
  std::optional<bool> Bool(const char* name);
  std::optional<std::string> Text(const char* name);
  std::optional<Napi::Object> Object(const char* name);

  // Marks an option as wrong.
  void Reject(const char* name);
  // Whether everything read so far was right; throws the TypeError when not.
  bool Check();

 private:
  Napi::Value Get(const char* name);

  Napi::Env env_;
  Napi::Object object_;
  std::string wrong_;
};

}  // namespace ambit
