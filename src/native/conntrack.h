// Connection tracking of a network namespace, over netlink (linux/netfilter/nfnetlink_conntrack.h).
#pragma once

#include <napi.h>

namespace ambit {

// dropRedirected(netnsFd, ports) -> how many entries were dropped, or a Failure() value. An entry is dropped when its
// replies come from one of the ports, and its first packet was sent to another one: REDIRECT changed it.
Napi::Value DropRedirected(const Napi::CallbackInfo& info);

}  // namespace ambit
