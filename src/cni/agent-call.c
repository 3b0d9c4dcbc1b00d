#define _GNU_SOURCE
#include "agent-call.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RETRY_DELAY_MS 100
#define MAX_ANSWER_BYTES 16384

static long now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void wait_ms(long delay_ms) {
  struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * 1000000};
  while (nanosleep(&delay, &delay) != 0 && errno == EINTR) continue;
}

/* Waits until the socket can be read or written; false at the deadline. */
static bool wait_for(int fd, short events, long deadline_ms) {
  for (;;) {
    long left_ms = deadline_ms - now_ms();
    struct pollfd entry = {fd, events, 0};
    if (left_ms <= 0) return false;
    int ready = poll(&entry, 1, (int)left_ms);
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

static int connect_agent(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static bool send_all(int fd, const char *bytes, size_t length, long deadline_ms) {
  while (length > 0) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent > 0) {
      bytes += sent;
      length -= (size_t)sent;
    } else if (sent < 0 && errno == EAGAIN) {
      if (!wait_for(fd, POLLOUT, deadline_ms)) return false;
    } else if (sent == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

/* Where the body starts, or NULL while the head is not complete. */
static const char *body_of(const char *answer) {
  const char *end = strstr(answer, "\r\n\r\n");
  return end == NULL ? NULL : end + 4;
}

/* Whether the answer has all the bytes that its Content-Length names. Without one it ends with the connection. */
static bool is_complete(const char *answer, size_t length) {
  const char *body = body_of(answer);
  if (body == NULL) return false;
  const char *field = strcasestr(answer, "\r\ncontent-length:");
  if (field == NULL || field >= body) return false;
  unsigned long wanted = strtoul(field + strlen("\r\ncontent-length:"), NULL, 10);
  return length - (size_t)(body - answer) >= wanted;
}

/* Reads the answer; false when there is none before the deadline. */
static bool receive(int fd, char *answer, size_t size, long deadline_ms) {
  size_t length = 0;
  answer[0] = 0;
  while (length + 1 < size && !is_complete(answer, length)) {
    ssize_t count = recv(fd, answer + length, size - 1 - length, 0);
    if (count > 0) {
      length += (size_t)count;
      answer[length] = 0;
    } else if (count == 0) {
      break;
    } else if (errno == EAGAIN) {
      if (!wait_for(fd, POLLIN, deadline_ms)) break;
    } else if (errno != EINTR) {
      break;
    }
  }
  return body_of(answer) != NULL;
}

static enum agent_answer judge(const char *answer, char *reason, size_t size) {
  int status = 0;
  const char *body = body_of(answer);
  if (sscanf(answer, "HTTP/1.%*1[01] %3d", &status) != 1) {
    snprintf(reason, size, "what listens on its socket does not speak HTTP");
    return AGENT_ABSENT;
  }
  if (status == 200) return AGENT_DONE;
  snprintf(reason, size, "%.900s (HTTP %d)", body[0] == 0 ? "no text" : body, status);
  return status == 503 ? AGENT_ABSENT : AGENT_REFUSED;
}

/* One try. `again` tells whether another one makes sense. */
static enum agent_answer call_once(const char *path, const char *body, size_t length, char *reason, size_t size,
                                   bool *again) {
  static char answer[MAX_ANSWER_BYTES];
  char head[256];
  *again = true;
  int fd = connect_agent(path);
  if (fd < 0) {
    snprintf(reason, size, "cannot connect to %.200s: %s", path, strerror(errno));
    return AGENT_ABSENT;
  }
  long deadline_ms = now_ms() + REQUEST_BUDGET_MS;
  // As version 1.0, so that the answer is never sent in chunks.
  int head_length = snprintf(head, sizeof head,
                             "POST /cmdadd HTTP/1.0\r\nHost: agent\r\nContent-Type: application/json\r\n"
                             "Content-Length: %zu\r\n\r\n",
                             length);
  bool answered = send_all(fd, head, (size_t)head_length, deadline_ms) && send_all(fd, body, length, deadline_ms) &&
                  receive(fd, answer, sizeof answer, deadline_ms);
  close(fd);
  if (answered) return judge(answer, reason, size);
  bool late = now_ms() >= deadline_ms;
  *again = !late;
  snprintf(reason, size, late ? "no answer within %d ms" : "it closed the connection without an answer",
           REQUEST_BUDGET_MS);
  return AGENT_ABSENT;
}

enum agent_answer agent_call(const char *socket_path, const char *body, size_t length, char *reason, size_t size) {
  long deadline_ms = now_ms() + CONNECT_BUDGET_MS;
  for (;;) {
    bool again;
    enum agent_answer answer = call_once(socket_path, body, length, reason, size, &again);
    if (answer != AGENT_ABSENT || !again || now_ms() + RETRY_DELAY_MS > deadline_ms) return answer;
    wait_ms(RETRY_DELAY_MS);
  }
}
