"""How long randomised suites run: briefly in ``make test``, longer in targets of their own."""

from __future__ import annotations

import os


def rounds(variable: str, quick: int, long: int) -> int:
    """``$variable`` if set, else ``long`` under the long hypothesis profile, else ``quick``."""
    chosen = os.environ.get(variable)
    if chosen:
        return int(chosen)
    return long if os.environ.get("HYPOTHESIS_PROFILE") == "long" else quick
