"""What the image must be where it runs: as a numeric user, on a file system that cannot be written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import pytest

from e2e.harness.kubectl import Failed
from e2e.harness.world import Graph

Make = Callable[..., Graph]

#: imports every kernel; who runs, how many came from the folder of the image, how many did not
_KERNELS: Final = """
import importlib, json, os, pkgutil
import everwhen.kernels as k
from numba.core.dispatcher import Dispatcher
found = [
    each for m in pkgutil.iter_modules(k.__path__, k.__name__ + ".")
    for each in vars(importlib.import_module(m.name)).values() if isinstance(each, Dispatcher)
]
hits = sum(sum(each.stats.cache_hits.values()) for each in found)
misses = sum(sum(each.stats.cache_misses.values()) for each in found)
print(json.dumps([os.getuid(), hits, misses]))
"""


@pytest.mark.core
def test_nothing_is_compiled_where_it_runs(make: Make) -> None:
    graph = make(replicas=1)
    inside = ("exec", "graph-0", "-n", graph.namespace, "--")
    user, hits, misses = json.loads(graph.kube(*inside, "python", "-c", _KERNELS))
    print(f"\n{hits} kernels from the image, {misses} compiled, as user {user}")
    assert user == 10001
    assert hits > 0
    assert misses == 0
    for folder in ("/opt/everwhen/kernels", "/opt/everwhen", "/"):
        with pytest.raises(Failed, match="Read-only file system"):
            graph.kube(*inside, "touch", f"{folder}/written")
    with pytest.raises(Failed):
        graph.kube(*inside, "sh", "-c", "command -v gcc g++ cc")
