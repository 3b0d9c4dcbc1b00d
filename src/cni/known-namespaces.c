#include "known-namespaces.h"

#include <stdio.h>
#include <string.h>

#define FIRST_LINE "ambit-namespaces 1\n"
/* A namespace has at most 63 characters. */
#define LINE_BYTES 128
#define MAX_LINES 200000

enum known_namespace known_namespace(const char *path, const char *name) {
  char line[LINE_BYTES], plain[LINE_BYTES], enrolled[LINE_BYTES];
  enum known_namespace found = NAMESPACE_UNKNOWN;
  snprintf(plain, sizeof plain, "plain %.100s\n", name);
  snprintf(enrolled, sizeof enrolled, "enrolled %.100s\n", name);
  FILE *file = fopen(path, "re");
  if (file == NULL) return NAMESPACE_UNKNOWN;
  if (fgets(line, sizeof line, file) != NULL && strcmp(line, FIRST_LINE) == 0) {
    for (long i = 0; i < MAX_LINES && fgets(line, sizeof line, file) != NULL; i++) {
      if (strcmp(line, enrolled) == 0) found = NAMESPACE_ENROLLED;
      if (strcmp(line, plain) == 0 && found == NAMESPACE_UNKNOWN) found = NAMESPACE_PLAIN;
    }
  }
  fclose(file);
  return found;
}
