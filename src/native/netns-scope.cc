#include "netns-scope.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "status.h"

namespace ambit {
namespace {

// The namespace the thread started in; closed with the thread.
struct HomeNetns {
  int fd = -1;
  ~HomeNetns() {
    if (fd >= 0) close(fd);
  }
};

thread_local HomeNetns home;

}  // namespace

NetnsScope::NetnsScope(int netns_fd) {
  if (netns_fd < 0) return;
  if (home.fd < 0) {
    home.fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home.fd < 0) {
      failure_ = Failure(Step::kOpenNetns, errno);
      return;
    }
  }
  if (setns(netns_fd, CLONE_NEWNET) != 0) {
    failure_ = Failure(Step::kEnterNetns, errno);
    return;
  }
  entered_ = true;
}

NetnsScope::~NetnsScope() {
  if (!entered_) return;
  if (setns(home.fd, CLONE_NEWNET) != 0) {
    std::perror("ambit: cannot return to the thread's own network namespace");
    std::abort();
  }
}

}  // namespace ambit
