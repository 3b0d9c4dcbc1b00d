#include "json.h"

#include <string.h>

struct cursor {
  const char *at;
  const char *end;
};

static void skip_space(struct cursor *c) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r')) c->at++;
}

static bool take(struct cursor *c, char wanted) {
  if (c->at >= c->end || *c->at != wanted) return false;
  c->at++;
  return true;
}

static bool take_word(struct cursor *c, const char *word) {
  size_t length = strlen(word);
  if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0) return false;
  c->at += length;
  return true;
}

static bool take_digits(struct cursor *c) {
  const char *start = c->at;
  while (c->at < c->end && *c->at >= '0' && *c->at <= '9') c->at++;
  return c->at > start;
}

static bool skip_number(struct cursor *c) {
  take(c, '-');
  if (!take(c, '0') && !take_digits(c)) return false;
  if (take(c, '.') && !take_digits(c)) return false;
  if (take(c, 'e') || take(c, 'E')) {
    if (!take(c, '+')) take(c, '-');
    if (!take_digits(c)) return false;
  }
  return true;
}

static int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

/* The code unit of the four digits behind "\u", or -1. */
static long take_code_unit(struct cursor *c) {
  long unit = 0;
  if (c->end - c->at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int value = hex_value(*c->at++);
    if (value < 0) return -1;
    unit = unit * 16 + value;
  }
  return unit;
}

static bool skip_string(struct cursor *c) {
  if (!take(c, '"')) return false;
  while (c->at < c->end) {
    unsigned char byte = (unsigned char)*c->at++;
    if (byte == '"') return true;
    if (byte < 0x20) return false;
    if (byte != '\\') continue;
    if (c->at >= c->end) return false;
    char escape = *c->at++;
    if (escape == 'u') {
      if (take_code_unit(c) < 0) return false;
    } else if (escape == 0 || strchr("\"\\/bfnrt", escape) == NULL) {
      return false;
    }
  }
  return false;
}

static bool skip_value(struct cursor *c, int depth);

/* Skips an object or an array; the opening character has been taken. */
static bool skip_container(struct cursor *c, char close, int depth) {
  if (depth >= JSON_MAX_DEPTH) return false;
  skip_space(c);
  if (take(c, close)) return true;
  do {
    if (close == '}') {
      skip_space(c);
      if (!skip_string(c)) return false;
      skip_space(c);
      if (!take(c, ':')) return false;
    }
    if (!skip_value(c, depth + 1)) return false;
  } while (take(c, ','));
  return take(c, close);
}

/* Skips one value and the white space around it. */
static bool skip_value(struct cursor *c, int depth) {
  bool valid;
  skip_space(c);
  if (c->at >= c->end) return false;
  switch (*c->at) {
    case '{':
      c->at++;
      valid = skip_container(c, '}', depth);
      break;
    case '[':
      c->at++;
      valid = skip_container(c, ']', depth);
      break;
    case '"':
      valid = skip_string(c);
      break;
    case 't':
      valid = take_word(c, "true");
      break;
    case 'f':
      valid = take_word(c, "false");
      break;
    case 'n':
      valid = take_word(c, "null");
      break;
    default:
      valid = skip_number(c);
  }
  skip_space(c);
  return valid;
}

/* Takes the next value and gives it without the white space around it. */
static bool take_value(struct cursor *c, struct json_span *value) {
  skip_space(c);
  const char *start = c->at;
  if (!skip_value(c, 0)) return false;
  const char *end = c->at;
  while (end > start && strchr(" \t\n\r", end[-1]) != NULL) end--;
  *value = (struct json_span){start, (size_t)(end - start)};
  return true;
}

bool json_parse(struct json_span whole, struct json_span *value) {
  struct cursor c = {whole.at, whole.at + whole.length};
  return take_value(&c, value) && c.at == c.end;
}

bool json_is(struct json_span value, char first) { return value.length > 0 && value.at[0] == first; }

bool json_member(struct json_span object, const char *name, struct json_span *value) {
  struct cursor c = {object.at, object.at + object.length};
  bool found = false;
  if (!take(&c, '{')) return false;
  do {
    struct json_span key, member;
    char decoded[64];
    skip_space(&c);
    if (c.at >= c.end || *c.at == '}') break;
    const char *start = c.at;
    if (!skip_string(&c)) break;
    key = (struct json_span){start, (size_t)(c.at - start)};
    skip_space(&c);
    if (!take(&c, ':') || !take_value(&c, &member)) break;
    if (json_string(key, decoded, sizeof decoded) && strcmp(decoded, name) == 0) {
      *value = member;
      found = true;
    }
  } while (take(&c, ','));
  return found;
}

bool json_next(struct json_span *rest, struct json_span *element) {
  struct cursor c = {rest->at, rest->at + rest->length};
  if (!take(&c, '[') && !take(&c, ',')) return false;
  skip_space(&c);
  if (!take_value(&c, element)) return false;
  *rest = (struct json_span){c.at, (size_t)(c.end - c.at)};
  return true;
}

static size_t encode_utf8(long point, char out[4]) {
  if (point < 0x80) {
    out[0] = (char)point;
    return 1;
  }
  if (point < 0x800) {
    out[0] = (char)(0xc0 | point >> 6);
    out[1] = (char)(0x80 | (point & 0x3f));
    return 2;
  }
  if (point < 0x10000) {
    out[0] = (char)(0xe0 | point >> 12);
    out[1] = (char)(0x80 | (point >> 6 & 0x3f));
    out[2] = (char)(0x80 | (point & 0x3f));
    return 3;
  }
  out[0] = (char)(0xf0 | point >> 18);
  out[1] = (char)(0x80 | (point >> 12 & 0x3f));
  out[2] = (char)(0x80 | (point >> 6 & 0x3f));
  out[3] = (char)(0x80 | (point & 0x3f));
  return 4;
}

/* The character behind "\u", which may take a second escape; -1 when it is half of a pair. */
static long take_code_point(struct cursor *c) {
  long unit = take_code_unit(c);
  if (unit < 0xd800 || unit > 0xdfff) return unit;
  if (unit > 0xdbff || !take_word(c, "\\u")) return -1;
  long low = take_code_unit(c);
  if (low < 0xdc00 || low > 0xdfff) return -1;
  return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

bool json_string(struct json_span value, char *out, size_t size) {
  static const char escapes[] = "b\bf\fn\nr\rt\t\"\"\\\\//";
  struct cursor c = {value.at, value.at + value.length};
  size_t length = 0;
  if (!take(&c, '"')) return false;
  while (c.at < c.end) {
    char bytes[4];
    size_t count = 1;
    bytes[0] = *c.at++;
    if (bytes[0] == '"') {
      out[length] = 0;
      return true;
    }
    if (bytes[0] == '\\') {
      if (c.at >= c.end) return false;
      char escape = *c.at++;
      if (escape == 'u') {
        long point = take_code_point(&c);
        if (point <= 0) return false;
        count = encode_utf8(point, bytes);
      } else {
        size_t i = 0;
        while (i < sizeof escapes - 1 && escapes[i] != escape) i += 2;
        if (i >= sizeof escapes - 1) return false;
        bytes[0] = escapes[i + 1];
      }
    } else if (bytes[0] == 0) {
      return false;
    }
    if (length + count >= size) return false;
    memcpy(out + length, bytes, count);
    length += count;
  }
  return false;
}

bool json_whole(struct json_span value, long max, long *out) {
  long number = 0;
  if (value.length == 0) return false;
  for (size_t i = 0; i < value.length; i++) {
    if (value.at[i] < '0' || value.at[i] > '9') return false;
    number = number * 10 + (value.at[i] - '0');
    if (number > max) return false;
  }
  *out = number;
  return true;
}

void text_add_bytes(struct text *text, const char *bytes, size_t length) {
  if (text->size - text->length <= length) {
    text->overflow = true;
    return;
  }
  memcpy(text->at + text->length, bytes, length);
  text->length += length;
  text->at[text->length] = 0;
}

void text_add(struct text *text, const char *piece) { text_add_bytes(text, piece, strlen(piece)); }

void text_add_json(struct text *text, const char *piece) {
  static const char hex[] = "0123456789abcdef";
  text_add(text, "\"");
  for (; *piece != 0; piece++) {
    unsigned char byte = (unsigned char)*piece;
    if (byte == '"' || byte == '\\') {
      char escaped[2] = {'\\', *piece};
      text_add_bytes(text, escaped, 2);
    } else if (byte < 0x20) {
      char escaped[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
      text_add_bytes(text, escaped, 6);
    } else {
      char plain = byte < 0x80 ? *piece : '?';
      text_add_bytes(text, &plain, 1);
    }
  }
  text_add(text, "\"");
}
