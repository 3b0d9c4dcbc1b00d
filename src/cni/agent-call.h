/* Asks the node agent to take a pod into the mesh: one HTTP request on a Unix socket, bounded in time and size. */
#ifndef AMBIT_CNI_AGENT_CALL_H
#define AMBIT_CNI_AGENT_CALL_H

#include <stddef.h>

/* How long connecting is tried again, and how long one request may take, in milliseconds. */
#define CONNECT_BUDGET_MS 4000
#define REQUEST_BUDGET_MS 5000

enum agent_answer {
  /* The agent is done with the pod: it is in the mesh, or does not belong there. */
  AGENT_DONE,
  /* The agent refused, with a text. */
  AGENT_REFUSED,
  /* No agent, no answer in time, or one that is not ready (503). */
  AGENT_ABSENT,
};

/*
 * Posts `body` to /cmdadd. Tries again for CONNECT_BUDGET_MS while nobody listens or the agent is not ready.
 * `reason` gets the agent's text, or why there is none.
 */
enum agent_answer agent_call(const char *socket_path, const char *body, size_t length, char *reason, size_t size);

#endif
