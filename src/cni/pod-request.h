/* The body of POST /cmdadd (facts ztunnel-wire 3.5): Go's JSON of what a CNI result says about a pod. */
#ifndef AMBIT_CNI_POD_REQUEST_H
#define AMBIT_CNI_POD_REQUEST_H

#include "json.h"

struct pod {
  const char *netns;
  const char *name;
  const char *namespace_name;
  /* Empty when the runtime does not say it. */
  const char *uid;
};

/* Writes the body. False when the result names no address that can be read; the text is then of no use. */
bool write_pod_request(struct text *out, const struct pod *pod, struct json_span result);

#endif
