#include "pod-request.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define MAX_IPS 32

/* Go prints a byte slice, here a network mask, in base64 (RFC 4648 4). */
static void add_base64(struct text *out, const unsigned char *bytes, size_t length) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < length; i += 3) {
    unsigned long group = (unsigned long)bytes[i] << 16;
    if (i + 1 < length) group |= (unsigned long)bytes[i + 1] << 8;
    if (i + 2 < length) group |= bytes[i + 2];
    char quad[4] = {alphabet[group >> 18 & 63], alphabet[group >> 12 & 63], '=', '='};
    if (i + 1 < length) quad[2] = alphabet[group >> 6 & 63];
    if (i + 2 < length) quad[3] = alphabet[group & 63];
    text_add_bytes(out, quad, 4);
  }
}

static void add_mask(struct text *out, long prefix, size_t address_bytes) {
  unsigned char mask[16] = {0};
  for (long bit = 0; bit < prefix; bit++) mask[bit / 8] |= (unsigned char)(0x80 >> (bit % 8));
  text_add(out, "\"");
  add_base64(out, mask, address_bytes);
  text_add(out, "\"");
}

/* Splits "10.1.2.3/24"; false when it is no address with a prefix length. */
static bool split_address(char *text, long *prefix, size_t *address_bytes) {
  unsigned char bytes[16];
  char *slash = strchr(text, '/');
  if (slash == NULL) return false;
  *slash = 0;
  *address_bytes = strchr(text, ':') == NULL ? 4 : 16;
  if (inet_pton(*address_bytes == 4 ? AF_INET : AF_INET6, text, bytes) != 1) return false;
  struct json_span digits = {slash + 1, strlen(slash + 1)};
  return json_whole(digits, (long)*address_bytes * 8, prefix);
}

static bool add_ip(struct text *out, struct json_span ip) {
  struct json_span value;
  char address[80], gateway[80], number[24];
  long prefix, interface;
  size_t address_bytes;
  if (!json_is(ip, '{') || !json_member(ip, "address", &value)) return false;
  if (!json_string(value, address, sizeof address) || !split_address(address, &prefix, &address_bytes)) return false;
  text_add(out, "{\"Interface\":");
  if (json_member(ip, "interface", &value) && json_whole(value, 1 << 20, &interface)) {
    snprintf(number, sizeof number, "%ld", interface);
    text_add(out, number);
  } else {
    text_add(out, "null");
  }
  text_add(out, ",\"Address\":{\"IP\":");
  text_add_json(out, address);
  text_add(out, ",\"Mask\":");
  add_mask(out, prefix, address_bytes);
  text_add(out, "},\"Gateway\":");
  if (!json_member(ip, "gateway", &value) || !json_string(value, gateway, sizeof gateway)) gateway[0] = 0;
  text_add_json(out, gateway);
  text_add(out, "}");
  return true;
}

bool write_pod_request(struct text *out, const struct pod *pod, struct json_span result) {
  struct json_span ips, ip;
  size_t count = 0;
  text_add(out, "{\"Netns\":");
  text_add_json(out, pod->netns);
  text_add(out, ",\"PodName\":");
  text_add_json(out, pod->name);
  text_add(out, ",\"PodNamespace\":");
  text_add_json(out, pod->namespace_name);
  if (pod->uid[0] != 0) {
    text_add(out, ",\"PodUID\":");
    text_add_json(out, pod->uid);
  }
  text_add(out, ",\"IPs\":[");
  if (!json_is(result, '{') || !json_member(result, "ips", &ips) || !json_is(ips, '[')) return false;
  while (count < MAX_IPS && json_next(&ips, &ip)) {
    if (count++ > 0) text_add(out, ",");
    if (!add_ip(out, ip)) return false;
  }
  text_add(out, "]}");
  return count > 0 && !out->overflow;
}
