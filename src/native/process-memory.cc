#include "process-memory.h"

#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
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

// What /proc/self/pagemap says of a page (pagemap in the kernel's documentation, since Linux 3.5).
constexpr uint64_t kIsFilePage = uint64_t{1} << 61;
constexpr uint64_t kIsSwapped = uint64_t{1} << 62;
constexpr uint64_t kIsPresent = uint64_t{1} << 63;
constexpr size_t kPiecePages = 512;

struct Range {
  uintptr_t begin;
  uintptr_t end;
};

// What the linker put into segments that are never written to: of the program alone, which comes first, and not what V8 maps
// of the same file for each isolate, which goes with its thread. Data that is read-only from the start's end on (RELRO) lies
// in writable segments.
int AddReadOnlySegments(dl_phdr_info* program, size_t, void* data) {
  auto* found = static_cast<std::vector<Range>*>(data);
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (size_t index = 0; index < program->dlpi_phnum; index++) {
    const auto& segment = program->dlpi_phdr[index];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t at = program->dlpi_addr + segment.p_vaddr;
    const Range range = {(at + page - 1) / page * page, (at + segment.p_memsz) / page * page};
    if (range.begin < range.end) found->push_back(range);
  }
  return 1;
}

// Whether every page is as in the file: a changed one (a relocation in the text, a breakpoint, text moved to huge pages) would
// be lost. It counts as changed, too, where that cannot be known.
bool IsUnchanged(int pagemap, const Range& piece, size_t page) {
  uint64_t entries[kPiecePages];
  const size_t bytes = (piece.end - piece.begin) / page * sizeof(uint64_t);
  const auto at = static_cast<off_t>(piece.begin / page * sizeof(uint64_t));
  if (pread(pagemap, entries, bytes, at) != static_cast<ssize_t>(bytes)) return false;
  return std::all_of(entries, entries + bytes / sizeof(uint64_t), [](uint64_t entry) {
    return (entry & (kIsPresent | kIsSwapped)) == 0 || (entry & kIsFilePage) != 0;
  });
}

bool Release(int pagemap, const Range& range) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  bool isReleased = false;
  for (uintptr_t at = range.begin; at < range.end; at += kPiecePages * page) {
    const Range piece = {at, std::min(range.end, at + kPiecePages * page)};
    if (!IsUnchanged(pagemap, piece, page)) continue;
    isReleased |= madvise(reinterpret_cast<void*>(piece.begin), piece.end - piece.begin, MADV_DONTNEED) == 0;
  }
  return isReleased;
}

}  // namespace

Napi::Value ReleaseProgram(const Napi::CallbackInfo& info) {
  std::vector<Range> program;
  dl_iterate_phdr(AddReadOnlySegments, &program);
  bool isReleased = false;
  const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return Napi::Boolean::New(info.Env(), false);
  for (const Range& range : program) isReleased |= Release(pagemap, range);
  close(pagemap);
  return Napi::Boolean::New(info.Env(), isReleased);
}

}  // namespace ambit
