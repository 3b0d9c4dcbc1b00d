// What a failed call returns to JavaScript: a negative number that holds the step that failed and its errno. Nothing is
// thrown for a system error; src/native/from-errno.ts turns the number into an AmbitError.
#pragma once

namespace ambit {

// The order is shared with STEPS in src/native/from-errno.ts.
enum class Step : int {
  kOpenNetns = 1,
  kEnterNetns,
  kSocket,
  kMark,
  kTransparent,
  kFreebind,
  kV6Only,
  kReuse,
  kBind,
  kListen,
  kKeepAlive,
  kUserTimeout,
  kNoDelay,
  kAccept,
  kOriginalDestination,
  kFileLimit,
  kConnect,
  kSend,
  kReceive,
  kTruncated,
  kPoll,
  kLocalEndpoint,
  kClose,
};

constexpr int kErrnoBits = 12;

inline int Failure(Step step, int error) { return -((static_cast<int>(step) << kErrnoBits) | error); }

}  // namespace ambit
