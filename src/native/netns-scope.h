// Puts the calling thread into another network namespace for the life of the object.
//
// Invariants:
// - the thread is back in its own namespace when the destructor returns; when the kernel refuses that, the process
//   aborts, because every later socket of the thread would be opened in the wrong pod;
// - the thread's own namespace is opened once per thread and kept.
#pragma once

namespace ambit {

class NetnsScope {
 public:
  // netns_fd: descriptor of the namespace to enter, or -1 to stay.
  explicit NetnsScope(int netns_fd);
  ~NetnsScope();
  NetnsScope(const NetnsScope&) = delete;
  NetnsScope& operator=(const NetnsScope&) = delete;

  // 0, or a Failure() value when the namespace was not entered.
  int failure() const { return failure_; }

 private:
  int failure_ = 0;
  bool entered_ = false;
};

}  // namespace ambit
