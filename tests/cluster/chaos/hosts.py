"""Each member's wall clock and disk, moved and slowed while it runs.

A small library stands before the C library of the process (``LD_PRELOAD``): it adds to the time of
day what a file says, and waits before an fsync as long as the file says. The file is mapped, so a
change is seen at once. Where there is no C compiler, clocks stay and disks are fast.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

_SOURCE: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* nanoseconds to add to the time of day; microseconds to wait before a sync */
static volatile int64_t none[2], *told = none;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CHAOS_HOST");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *found = mmap(0, 16, PROT_READ, MAP_SHARED, file, 0);
  if (found != MAP_FAILED) told = found;
  close(file);
}

static void add(struct timespec *at) {
  int64_t total = (int64_t)at->tv_sec * 1000000000 + at->tv_nsec + told[0];
  at->tv_sec = total / 1000000000;
  at->tv_nsec = total % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(clock, at);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) add(at);
  return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}

int fsync(int file) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fsync");
  if (told[1]) usleep(told[1]);
  return real(file);
}

int fdatasync(int file) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  if (told[1]) usleep(told[1]);
  return real(file);
}
"""


def library(folder: Path) -> Path | None:
    """The library, compiled; None where that cannot be done."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source, made = folder / "host.c", folder / "host.so"
    source.write_text(_SOURCE)
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"]
    done = subprocess.run(command, capture_output=True, check=False)
    return made if done.returncode == 0 else None


class Host:
    """What one member takes for the time, and how long its disk takes."""

    def __init__(self, library_: Path, control: Path) -> None:
        control.write_bytes(bytes(16))
        with control.open("r+b") as file:
            self._told = mmap.mmap(file.fileno(), 16)
        self.environment = {"LD_PRELOAD": str(library_), "CHAOS_HOST": str(control)}

    def jump(self, seconds: float) -> None:
        """Its wall clock is so far ahead of the true one from now on."""
        self._told[:8] = struct.pack("=q", int(seconds * 1e9))

    def slow(self, seconds: float) -> None:
        """Every sync takes so much longer."""
        self._told[8:] = struct.pack("=q", int(seconds * 1e6))
