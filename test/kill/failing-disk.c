/*
 * A disk that is full or fails, for one process: loaded into it with LD_PRELOAD, in front of the C library that Node, libuv and
 * SQLite call. Counts every call that changes a file below the given directories or makes a change last, and lets it fail
 * while its number lies between two. Several processes may share the count.
 *
 * FAILING_DISK_STATE: a file of eight 64-bit integers (see below), changed by the test while the process runs.
 * FAILING_DISK_ROOTS: absolute paths, with colons between them.
 * FAILING_DISK_TRACE: optional; gets a line `CALL PATH` for each call that is counted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct state {
  int64_t count;  /* calls so far */
  int64_t from;   /* number of the first that fails; 0: none */
  int64_t until;  /* number of the first that does not fail any more */
  int64_t error;  /* errno */
  int64_t torn;   /* 1: of the first, if it writes, half is written */
  int64_t failed; /* calls that failed so far */
  int64_t unused[2];
};

static struct state *state;
static const char *roots;
static int trace = -1;

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("FAILING_DISK_STATE");
  const char *lines = getenv("FAILING_DISK_TRACE");
  roots = getenv("FAILING_DISK_ROOTS");
  if (!file || !roots) return;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
  if (fd < 0) abort();
  void *at = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) abort();
  syscall(SYS_close, fd);
  if (lines && *lines) {
    trace = (int)syscall(SYS_openat, AT_FDCWD, lines, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (trace < 0) abort();
  }
  state = at;
}

static int is_below(const char *path) {
  for (const char *root = roots; root && *root;) {
    const char *end = strchrnul(root, ':');
    size_t length = (size_t)(end - root);
    if (!strncmp(path, root, length) && (path[length] == '/' || path[length] == 0)) return 1;
    root = *end ? end + 1 : end;
  }
  return 0;
}

enum outcome { GOES_ON, FAILS, IS_TORN };

/* A full disk has room for what makes it emptier. */
enum need { NEEDS_SPACE, NEEDS_DISK };

static enum outcome judge(const char *call, const char *path, enum need need) {
  if (!state || !path || !is_below(path)) return GOES_ON;
  if (trace >= 0) {
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s %s\n", call, path);
    if (length > 0) syscall(SYS_write, trace, line, (size_t)length);
  }
  int64_t n = __atomic_add_fetch(&state->count, 1, __ATOMIC_SEQ_CST);
  int64_t from = __atomic_load_n(&state->from, __ATOMIC_SEQ_CST);
  if (from == 0 || n < from || n >= __atomic_load_n(&state->until, __ATOMIC_SEQ_CST)) return GOES_ON;
  if (need == NEEDS_DISK && state->error == ENOSPC) return GOES_ON;
  __atomic_add_fetch(&state->failed, 1, __ATOMIC_SEQ_CST);
  /* What cannot be torn fails. */
  errno = (int)state->error;
  return n == from && state->torn ? IS_TORN : FAILS;
}

static enum outcome judge_fd(const char *call, int fd, enum need need) {
  if (!state || fd <= 2) return GOES_ON;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  if (length <= 0) return GOES_ON;
  path[length] = 0;
  return judge(call, path, need);
}

#define REAL(type, name, ...)                                     \
  static type (*real)(__VA_ARGS__);                               \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name);

/* ------------------------------------------------------------------------------------------ writes */

ssize_t write(int fd, const void *bytes, size_t size) {
  REAL(ssize_t, "write", int, const void *, size_t)
  enum outcome is = judge_fd("write", fd, NEEDS_SPACE);
  if (is == FAILS) return -1;
  return real(fd, bytes, is == IS_TORN && size > 1 ? size / 2 : size);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t)
  enum outcome is = judge_fd("pwrite", fd, NEEDS_SPACE);
  if (is == FAILS) return -1;
  return real(fd, bytes, is == IS_TORN && size > 1 ? size / 2 : size, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
  return pwrite64(fd, bytes, size, at);
}

/* The first of several buffers is what a torn one writes. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int)
  enum outcome is = judge_fd("writev", fd, NEEDS_SPACE);
  if (is == FAILS) return -1;
  return real(fd, parts, is == IS_TORN ? 1 : count);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
  REAL(ssize_t, "pwritev64", int, const struct iovec *, int, off64_t)
  enum outcome is = judge_fd("pwritev", fd, NEEDS_SPACE);
  if (is == FAILS) return -1;
  return real(fd, parts, is == IS_TORN ? 1 : count, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  return pwritev64(fd, parts, count, at);
}

int posix_fallocate64(int fd, off64_t at, off64_t size) {
  REAL(int, "posix_fallocate64", int, off64_t, off64_t)
  return judge_fd("fallocate", fd, NEEDS_SPACE) == GOES_ON ? real(fd, at, size) : errno;
}

int posix_fallocate(int fd, off_t at, off_t size) { return posix_fallocate64(fd, at, size); }

/* ------------------------------------------------------------------------------ what makes it last */

#define ON_FD(name, need, params, ...)                            \
  int name params {                                               \
    REAL(int, #name, __VA_ARGS__)                                 \
    if (judge_fd(#name, fd, need) != GOES_ON) return -1;

ON_FD(fsync, NEEDS_SPACE, (int fd), int) return real(fd); }
ON_FD(fdatasync, NEEDS_SPACE, (int fd), int) return real(fd); }
ON_FD(ftruncate64, NEEDS_DISK, (int fd, off64_t size), int, off64_t) return real(fd, size); }
ON_FD(fchmod, NEEDS_DISK, (int fd, mode_t mode), int, mode_t) return real(fd, mode); }

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

/* --------------------------------------------------------------------------------------- names */

#define ON_PATH(name, need, subject, params, ...)                 \
  int name params {                                               \
    REAL(int, #name, __VA_ARGS__)                                 \
    if (judge(#name, subject, need) != GOES_ON) return -1;

ON_PATH(rename, NEEDS_SPACE, to, (const char *from, const char *to), const char *, const char *) return real(from, to); }
ON_PATH(link, NEEDS_SPACE, to, (const char *from, const char *to), const char *, const char *) return real(from, to); }
ON_PATH(symlink, NEEDS_SPACE, to, (const char *from, const char *to), const char *, const char *) return real(from, to); }
ON_PATH(unlink, NEEDS_DISK, path, (const char *path), const char *) return real(path); }
ON_PATH(rmdir, NEEDS_DISK, path, (const char *path), const char *) return real(path); }
ON_PATH(chmod, NEEDS_DISK, path, (const char *path, mode_t mode), const char *, mode_t) return real(path, mode); }

char *mkdtemp(char *template) {
  REAL(char *, "mkdtemp", char *)
  return judge("mkdtemp", template, NEEDS_SPACE) == GOES_ON ? real(template) : NULL;
}

static int is_there(const char *path) {
  struct stat found;
  return syscall(SYS_newfstatat, AT_FDCWD, path, &found, AT_SYMLINK_NOFOLLOW) == 0;
}

/* One that is there is told from what is remembered of the disk. */
int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t)
  int saved = errno;
  if (state && is_there(path)) return real(path, mode);
  errno = saved;
  return judge("mkdir", path, NEEDS_SPACE) == GOES_ON ? real(path, mode) : -1;
}

static int opens(const char *path, int flags) {
  if (!(flags & (O_CREAT | O_TRUNC))) return 1;
  int saved = errno;
  enum need need = (flags & O_CREAT) && !is_there(path) ? NEEDS_SPACE : NEEDS_DISK;
  errno = saved;
  return judge(need == NEEDS_SPACE ? "create" : "open", path, need) == GOES_ON;
}

#define MODE_OF(flags)                                            \
  mode_t mode = 0;                                                \
  if ((flags) & (O_CREAT | O_TMPFILE)) {                          \
    va_list list;                                                 \
    va_start(list, flags);                                        \
    mode = va_arg(list, mode_t);                                  \
    va_end(list);                                                 \
  }

int open64(const char *path, int flags, ...) {
  REAL(int, "open64", const char *, int, ...)
  MODE_OF(flags)
  return opens(path, flags) ? real(path, flags, mode) : -1;
}

int open(const char *path, int flags, ...) {
  MODE_OF(flags)
  return open64(path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
  REAL(int, "openat64", int, const char *, int, ...)
  MODE_OF(flags)
  return path[0] != '/' || opens(path, flags) ? real(at, path, flags, mode) : -1;
}

int openat(int at, const char *path, int flags, ...) {
  MODE_OF(flags)
  return openat64(at, path, flags, mode);
}
