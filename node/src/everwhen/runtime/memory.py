"""How much memory is free: under the container's limit if there is one, else on the machine."""

from __future__ import annotations

from pathlib import Path

_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def memory_free() -> int:
    """Bytes this process may still take before the system refuses or kills."""
    free = _told("MemAvailable")
    for limit_file, used_file in _LIMITS:
        try:
            limit, used = limit_file.read_text().strip(), int(used_file.read_text())
        except (OSError, ValueError):
            continue
        if limit.isdigit():
            free = min(free, int(limit) - used)
    return max(free, 0)


def memory_whole() -> int:
    """Bytes the machine has, or the container may take."""
    whole = _told("MemTotal")
    for limit_file, _ in _LIMITS:
        try:
            limit = limit_file.read_text().strip()
        except OSError:
            continue
        if limit.isdigit():
            whole = min(whole, int(limit))
    return whole


def _told(wanted: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == wanted:
            return int(rest.split()[0]) << 10
    raise OSError(f"/proc/meminfo does not say {wanted}")
