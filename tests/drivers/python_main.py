"""Runs the cases that were declared and prints one line for each; see ``python_suite``."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence

from tests.drivers.python_common import CASES


def main(arguments: Sequence[str], cases: Mapping[str, Callable[[int, int], None]] = CASES) -> int:
    """``PROGRAM PORT SECURED_PORT``; the exit code."""
    port, secured = int(arguments[1]), int(arguments[2])
    failures = 0
    for name, run in cases.items():
        try:
            run(port, secured)
            print(f"ok {name}", flush=True)
        except Exception:
            failures += 1
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
    return 1 if failures else 0
