#include "js-options.h"

#include <cmath>

namespace ambit {

OptionReader::OptionReader(Napi::Env env, const Napi::Value& value) : env_(env) {
  if (value.IsObject()) {
    object_ = value.As<Napi::Object>();
  } else {
    object_ = Napi::Object::New(env);
    Reject("options");
  }
}

Napi::Value OptionReader::Get(const char* name) { return object_.Get(name); }

void OptionReader::Reject(const char* name) {
  if (wrong_.empty()) wrong_ = name;
}

std::optional<int> OptionReader::Int(const char* name) {
  const Napi::Value value = Get(name);
  if (value.IsUndefined()) return std::nullopt;
  if (!value.IsNumber() || value.As<Napi::Number>().DoubleValue() != value.As<Napi::Number>().Int32Value()) {
    Reject(name);
    return std::nullopt;
  }
  return value.As<Napi::Number>().Int32Value();
}

std::optional<bool> OptionReader::Bool(const char* name) {
  const Napi::Value value = Get(name);
  if (value.IsUndefined()) return std::nullopt;
  if (!value.IsBoolean()) {
    Reject(name);
    return std::nullopt;
  }
  return value.As<Napi::Boolean>().Value();
}

std::optional<std::string> OptionReader::Text(const char* name) {
  const Napi::Value value = Get(name);
  if (value.IsUndefined()) return std::nullopt;
  if (!value.IsString()) {
    Reject(name);
    return std::nullopt;
  }
  return value.As<Napi::String>().Utf8Value();
}

std::optional<Napi::Object> OptionReader::Object(const char* name) {
  const Napi::Value value = Get(name);
  if (value.IsUndefined()) return std::nullopt;
  if (!value.IsObject()) {
    Reject(name);
    return std::nullopt;
  }
  return value.As<Napi::Object>();
}

bool OptionReader::Check() {
  if (wrong_.empty()) return true;
  Napi::TypeError::New(env_, "ambit addon: wrong value for " + wrong_).ThrowAsJavaScriptException();
  return false;
}

}  // namespace ambit
