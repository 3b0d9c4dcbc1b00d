#include "process-memory.h"

#include <malloc.h>

#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace ambit {

#ifdef __GLIBC__
namespace {

// A chunk of this size that is freed makes glibc look at the end of its arena.
constexpr size_t kProbeBytes = 128 * 1024;
constexpr int kKeptBytes = 1024 * 1024;

// malloc_trim leaves the end of all arenas but the first alone: it goes back when something is freed while it is longer than
// the threshold, which bin/ambit sets high. Here it is low for a moment.
void TrimEndOfOwnArena() {
  const char* threshold = std::getenv("MALLOC_TRIM_THRESHOLD_");
  if (threshold != nullptr) mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  // Volatile: a compiler may leave out what is allocated for nothing.
  void* volatile probe = std::malloc(kProbeBytes);
  std::free(probe);
  if (threshold != nullptr) mallopt(M_TRIM_THRESHOLD, std::atoi(threshold));
}

}  // namespace

Napi::Value TrimMemory(const Napi::CallbackInfo& info) {
  TrimEndOfOwnArena();
  return Napi::Boolean::New(info.Env(), malloc_trim(0) == 1);
}
#else
// Other libraries give back by themselves, or cannot be asked.
Napi::Value TrimMemory(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), false); }
#endif

namespace {

struct Mapping {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  bool isReadOnlyProgram = false;
};

// "begin-end mode offset device inode path"
bool ReadMapping(const char* line, const char* program, Mapping* mapping) {
  // Names of fields, too, may begin like a number: nothing is kept of a line before all of it is read.
  uintptr_t begin = 0;
  uintptr_t end = 0;
  char mode[5] = "";
  int pathAt = 0;
  if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %*s %n", &begin, &end, mode, &pathAt) < 3) return false;
  const size_t length = std::strcspn(line + pathAt, "\n");
  const bool isProgram = std::strlen(program) == length && std::strncmp(line + pathAt, program, length) == 0;
  *mapping = {begin, end, isProgram && (std::strcmp(mode, "r-xp") == 0 || std::strcmp(mode, "r--p") == 0)};
  return true;
}

// Where the program's own file is mapped, for reading only, and no page was ever changed: a changed one would be lost.
std::vector<Mapping> FindProgram() {
  std::vector<Mapping> found;
  char program[PATH_MAX] = "";
  if (readlink("/proc/self/exe", program, sizeof program - 1) <= 0) return found;
  std::FILE* maps = std::fopen("/proc/self/smaps", "re");
  if (maps == nullptr) return found;
  Mapping mapping;
  char line[PATH_MAX + 128];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long anonymousKib = 0;
    if (ReadMapping(line, program, &mapping) || !mapping.isReadOnlyProgram) continue;
    if (std::sscanf(line, "Anonymous: %lu kB", &anonymousKib) == 1 && anonymousKib == 0) found.push_back(mapping);
  }
  std::fclose(maps);
  return found;
}

}  // namespace

Napi::Value ReleaseProgram(const Napi::CallbackInfo& info) {
  // They stay where they are as long as the process runs.
  static const std::vector<Mapping> program = FindProgram();
  bool isReleased = false;
  for (const Mapping& mapping : program) {
    isReleased |= madvise(reinterpret_cast<void*>(mapping.begin), mapping.end - mapping.begin, MADV_DONTNEED) == 0;
  }
  return Napi::Boolean::New(info.Env(), isReleased);
}

}  // namespace ambit
