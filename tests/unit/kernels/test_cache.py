"""Kernels compiled ahead are found in a folder that cannot be written, by who has no home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_TWICE = """
import json, sys
from numba import njit, types
sys.path.insert(0, {folder!r})
import everwhen_kernel_test as t
print(json.dumps([t.double(21), sum(t.double.stats.cache_hits.values()), sum(t.double.stats.cache_misses.values())]))
"""
_KERNEL = """
from numba import njit, types

@njit(types.int64(types.int64), nogil=True, cache=True)
def double(x):
    return 2 * x
"""


def test_what_was_compiled_is_read_and_nothing_compiled_again(tmp_path: Path) -> None:
    source, cache = tmp_path / "source", tmp_path / "cache"
    source.mkdir()
    cache.mkdir()
    (source / "everwhen_kernel_test.py").write_text(_KERNEL, encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": str(cache),
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CACHE_LOCATOR_CLASSES": "everwhen.kernels.cache.Built",
        "HOME": "/nonexistent",
    }

    def run(*before: str) -> str:
        script = _TWICE.format(folder=str(source))
        done = subprocess.run(
            [*before, sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert run() == "[42, 0, 1]"
    for folder in (cache, *cache.iterdir()):
        folder.chmod(0o555)
    try:
        # root writes everywhere but on what is mounted read-only
        before = () if os.getuid() else ("unshare", "--mount", "sh", "-c", _MOUNT, str(cache))
        assert run(*before) == "[42, 1, 0]"
    finally:
        for folder in (cache, *cache.iterdir()):
            folder.chmod(0o755)


_MOUNT = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
