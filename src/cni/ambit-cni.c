/*
 * ambit-cni: a chained CNI plugin (specification 0.3.0 to 1.1.0) that has the node agent take a new pod into the mesh
 * before its containers start. It changes nothing itself: the result of the plugins before it is passed on byte for byte.
 *
 * Invariants:
 * - exit status 0 means that the pod may start; every refusal is a CNI error object on standard output and status 1;
 * - a pod that belongs into the mesh never starts outside of it because the agent is away (fail closed);
 * - a pod outside the mesh is not held up by an agent that is away: excluded namespaces are never asked about, and the
 *   agent's own namespace and those known as plain are let through;
 * - only ADD can fail: DEL, CHECK, GC and STATUS have nothing to do, and an agent that is away must not take the node's
 *   network down.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent-call.h"
#include "json.h"
#include "known-namespaces.h"
#include "pod-request.h"

#define MAX_CONFIG_BYTES (1 << 20)
#define MAX_NAME_BYTES 254
#define DEFAULT_RUN_DIR "/var/run/istio-cni"
#define DEFAULT_STATE_DIR "/var/lib/ambit"
#define NEWEST_VERSION "1.1.0"

/* Error codes of the CNI specification, and one of our own. */
enum cni_code {
  CNI_INCOMPATIBLE_VERSION = 1,
  CNI_INVALID_ENVIRONMENT = 4,
  CNI_IO_FAILURE = 5,
  CNI_CANNOT_DECODE = 6,
  CNI_INVALID_CONFIG = 7,
  CNI_TRY_AGAIN = 11,
  CNI_AGENT_REFUSED = 100,
};

struct config {
  struct json_span whole;
  char version[16];
  struct json_span result;
  char run_dir[512];
  char state_dir[512];
  char agent_namespace[MAX_NAME_BYTES];
};

static const char *const VERSIONS[] = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
#define VERSION_COUNT (sizeof VERSIONS / sizeof VERSIONS[0])

static char config_bytes[MAX_CONFIG_BYTES + 1];

static int print(struct json_span text) {
  size_t written = fwrite(text.at, 1, text.length, stdout);
  return written == text.length && fflush(stdout) == 0 ? 0 : 1;
}

/* Prints a CNI error object; returns the exit status. */
static int fail(const char *version, enum cni_code code, const char *message, const char *details) {
  static char bytes[16384];
  char number[16];
  struct text out = {bytes, 0, sizeof bytes, false};
  snprintf(number, sizeof number, "%d", code);
  text_add(&out, "{\"cniVersion\":");
  text_add_json(&out, version);
  text_add(&out, ",\"code\":");
  text_add(&out, number);
  text_add(&out, ",\"msg\":");
  text_add_json(&out, message);
  text_add(&out, ",\"details\":");
  text_add_json(&out, details);
  text_add(&out, "}\n");
  print((struct json_span){bytes, out.length});
  return 1;
}

static bool supports(const char *version) {
  for (size_t i = 0; i < VERSION_COUNT; i++) {
    if (strcmp(VERSIONS[i], version) == 0) return true;
  }
  return false;
}

/* The text of a member, or the default when it is absent or no text that fits. */
static void text_member(struct json_span object, const char *name, char *out, size_t size, const char *fallback) {
  struct json_span value;
  if (json_member(object, name, &value) && json_string(value, out, size) && out[0] != 0) return;
  snprintf(out, size, "%s", fallback);
}

/* Reads standard input to its end; false when it is longer than any configuration. */
static bool read_config(struct json_span *text) {
  size_t length = fread(config_bytes, 1, sizeof config_bytes, stdin);
  *text = (struct json_span){config_bytes, length};
  return length < sizeof config_bytes && !ferror(stdin);
}

/* Parses the configuration; returns 0, or the exit status after the error was printed. */
static int load_config(struct config *config) {
  struct json_span text, version;
  if (!read_config(&text)) {
    return fail(NEWEST_VERSION, CNI_IO_FAILURE, "ambit-cni: cannot read the network configuration",
                "standard input is broken or longer than 1 MiB: look at the files in the CNI configuration folder");
  }
  if (!json_parse(text, &config->whole) || !json_is(config->whole, '{')) {
    return fail(NEWEST_VERSION, CNI_CANNOT_DECODE, "ambit-cni: the network configuration is no JSON object",
                "the container runtime passes it on standard input: look at the files in the CNI configuration folder");
  }
  text_member(config->whole, "cniVersion", config->version, sizeof config->version, "0.2.0");
  text_member(config->whole, "cni_agent_run_dir", config->run_dir, sizeof config->run_dir, DEFAULT_RUN_DIR);
  text_member(config->whole, "state_dir", config->state_dir, sizeof config->state_dir, DEFAULT_STATE_DIR);
  text_member(config->whole, "pod_namespace", config->agent_namespace, sizeof config->agent_namespace, "");
  config->result = (struct json_span){NULL, 0};
  if (json_member(config->whole, "prevResult", &version)) config->result = version;
  if (supports(config->version)) return 0;
  return fail(NEWEST_VERSION, CNI_INCOMPATIBLE_VERSION, "ambit-cni: cniVersion of the network configuration is not supported",
              "chained plugins exist from 0.3.0 on, this one knows versions up to 1.1.0: change cniVersion in the CNI "
              "configuration folder");
}

/* Finds NAME in CNI_ARGS ("K1=V1;K2=V2"); empty when it is not there or too long for a Kubernetes name. */
static void argument(const char *name, char *out, size_t size) {
  const char *at = getenv("CNI_ARGS");
  size_t length = strlen(name);
  out[0] = 0;
  while (at != NULL && *at != 0) {
    size_t pair = strcspn(at, ";");
    if (pair > length && strncmp(at, name, length) == 0 && at[length] == '=' && pair - length - 1 < size) {
      memcpy(out, at + length + 1, pair - length - 1);
      out[pair - length - 1] = 0;
    }
    at += pair;
    if (*at == ';') at++;
  }
}

/* Names come from the runtime; only what Kubernetes allows as a name is used as one. */
static bool is_name(const char *text) {
  if (text[0] == 0) return false;
  for (; *text != 0; text++) {
    if (!isalnum((unsigned char)*text) && *text != '-' && *text != '.') return false;
  }
  return true;
}

static bool is_excluded(const struct config *config, const char *namespace_name) {
  struct json_span list, entry;
  char name[MAX_NAME_BYTES];
  if (!json_member(config->whole, "exclude_namespaces", &list)) return strcmp(namespace_name, "kube-system") == 0;
  while (json_next(&list, &entry)) {
    if (json_string(entry, name, sizeof name) && strcmp(name, namespace_name) == 0) return true;
  }
  return false;
}

/* What happens to a pod when the agent cannot be asked. */
static int without_agent(const struct config *config, const struct pod *pod, const char *reason) {
  char path[600], message[512], details[2048];
  snprintf(path, sizeof path, "%s/namespaces", config->state_dir);
  enum known_namespace known = known_namespace(path, pod->namespace_name);
  if (known == NAMESPACE_PLAIN || strcmp(pod->namespace_name, config->agent_namespace) == 0) {
    fprintf(stderr, "ambit-cni: pod %s/%s starts without the node agent (%s): its namespace is not in the mesh\n",
            pod->namespace_name, pod->name, reason);
    return print(config->result);
  }
  snprintf(message, sizeof message, "ambit-cni: pod %s/%s waits for the node agent, which cannot be reached",
           pod->namespace_name, pod->name);
  snprintf(details, sizeof details,
           "%s. The namespace is %s, so the pod must not start outside of it. The kubelet tries again by itself: look at "
           "the ambit agent pod of this node, and its log",
           reason, known == NAMESPACE_ENROLLED ? "in the mesh" : "not known to be outside the mesh");
  return fail(config->version, CNI_TRY_AGAIN, message, details);
}

static int add_pod(const struct config *config, const struct pod *pod) {
  static char body[65536];
  char path[600], reason[1024] = "", message[512];
  struct text request = {body, 0, sizeof body, false};
  if (is_excluded(config, pod->namespace_name)) return print(config->result);
  if (!write_pod_request(&request, pod, config->result)) {
    return fail(config->version, CNI_INVALID_CONFIG, "ambit-cni: prevResult names no IP address of the pod",
                "ambit-cni has to stand behind the plugin that gives the pod its address: look at the order of plugins "
                "in the CNI configuration folder");
  }
  snprintf(path, sizeof path, "%s/pluginevent.sock", config->run_dir);
  switch (agent_call(path, body, request.length, reason, sizeof reason)) {
    case AGENT_DONE:
      return print(config->result);
    case AGENT_REFUSED:
      snprintf(message, sizeof message, "ambit-cni: the node agent could not take pod %s/%s into the mesh",
               pod->namespace_name, pod->name);
      return fail(config->version, CNI_AGENT_REFUSED, message, reason);
    default:
      return without_agent(config, pod, reason);
  }
}

static int command_add(void) {
  struct config config;
  char name[MAX_NAME_BYTES], namespace_name[MAX_NAME_BYTES], uid[MAX_NAME_BYTES];
  int status = load_config(&config);
  if (status != 0) return status;
  if (!json_is(config.result, '{')) {
    return fail(config.version, CNI_INVALID_CONFIG, "ambit-cni: prevResult is missing",
                "ambit-cni is a chained plugin: it has to stand behind another one in a .conflist file");
  }
  const char *netns = getenv("CNI_NETNS");
  argument("K8S_POD_NAME", name, sizeof name);
  argument("K8S_POD_NAMESPACE", namespace_name, sizeof namespace_name);
  argument("K8S_POD_UID", uid, sizeof uid);
  // Containers that are no pods have no place in the mesh.
  if (name[0] == 0 && namespace_name[0] == 0) return print(config.result);
  if (!is_name(name) || !is_name(namespace_name) || (uid[0] != 0 && !is_name(uid))) {
    return fail(config.version, CNI_INVALID_ENVIRONMENT, "ambit-cni: CNI_ARGS names no pod",
                "K8S_POD_NAME and K8S_POD_NAMESPACE must be names as Kubernetes allows them; the container runtime sets "
                "them");
  }
  if (netns == NULL || netns[0] == 0) {
    return fail(config.version, CNI_INVALID_ENVIRONMENT, "ambit-cni: CNI_NETNS is missing",
                "the container runtime has to name the network namespace of the pod");
  }
  struct pod pod = {netns, name, namespace_name, uid};
  return add_pod(&config, &pod);
}

static int command_version(void) {
  struct json_span text, whole;
  char bytes[512], version[16] = NEWEST_VERSION;
  struct text out = {bytes, 0, sizeof bytes, false};
  if (read_config(&text) && json_parse(text, &whole) && json_is(whole, '{')) {
    text_member(whole, "cniVersion", version, sizeof version, NEWEST_VERSION);
  }
  text_add(&out, "{\"cniVersion\":");
  text_add_json(&out, version);
  text_add(&out, ",\"supportedVersions\":[");
  for (size_t i = 0; i < VERSION_COUNT; i++) {
    if (i > 0) text_add(&out, ",");
    text_add_json(&out, VERSIONS[i]);
  }
  text_add(&out, "]}\n");
  return print((struct json_span){bytes, out.length});
}

int main(void) {
  const char *command = getenv("CNI_COMMAND");
  if (command == NULL) {
    fprintf(stderr, "ambit-cni is run by the container runtime (CNI specification 0.3.0 to %s)\n", NEWEST_VERSION);
    return fail(NEWEST_VERSION, CNI_INVALID_ENVIRONMENT, "ambit-cni: CNI_COMMAND is missing",
                "the container runtime runs this program; it is nothing to type");
  }
  if (strcmp(command, "ADD") == 0) return command_add();
  if (strcmp(command, "VERSION") == 0) return command_version();
  for (const char *const *idle = (const char *const[]){"DEL", "CHECK", "GC", "STATUS", NULL}; *idle != NULL; idle++) {
    if (strcmp(command, *idle) == 0) return 0;
  }
  return fail(NEWEST_VERSION, CNI_INVALID_ENVIRONMENT, "ambit-cni: CNI_COMMAND is not known",
              "the commands are ADD, DEL, CHECK, STATUS, GC and VERSION");
}
