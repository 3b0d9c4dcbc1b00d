/*
 * A bounded JSON reader (RFC 8259) over text in memory, and a small writer into a fixed buffer.
 *
 * Invariants:
 * - nothing outside the given text is read, and nothing is allocated;
 * - values are spans of the original text, so a value can be passed on byte for byte;
 * - nesting deeper than JSON_MAX_DEPTH is refused, so the stack is bounded.
 */
#ifndef AMBIT_CNI_JSON_H
#define AMBIT_CNI_JSON_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_MAX_DEPTH 64

/* A piece of the text. Not terminated. */
struct json_span {
  const char *at;
  size_t length;
};

/* A fixed buffer that is written from the front. What does not fit sets `overflow` and is dropped. */
struct text {
  char *at;
  size_t length;
  size_t size;
  bool overflow;
};

/* Whether the whole text is one valid value; `value` becomes that value without the white space around it. */
bool json_parse(struct json_span whole, struct json_span *value);

/* Whether a valid value is of the kind that starts with the given character: `{`, `[` or `"`. */
bool json_is(struct json_span value, char first);

/* Finds a member of a valid object; of several with one name the last counts, as in Go. */
bool json_member(struct json_span object, const char *name, struct json_span *value);

/* The next element of a valid array. `rest` is the array at first; false at the end. */
bool json_next(struct json_span *rest, struct json_span *element);

/*
 * Decodes a valid string into `out` with a terminating zero. False when it is no string, does not fit, or holds a zero
 * character or half of a surrogate pair.
 */
bool json_string(struct json_span value, char *out, size_t size);

/* Reads a whole number from 0 to `max`; false when the value is none. */
bool json_whole(struct json_span value, long max, long *out);

void text_add(struct text *text, const char *piece);
void text_add_bytes(struct text *text, const char *bytes, size_t length);
/* Adds a JSON string with its quotes. Bytes outside ASCII become question marks: their encoding is not known. */
void text_add_json(struct text *text, const char *piece);

#endif
