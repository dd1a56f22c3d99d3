"""Which kind of remark a notification is, as drivers filter and show them; the same at each door."""

from __future__ import annotations


def classification(code: str) -> str:
    """Which kind of remark a code is."""
    last = code.rsplit(".", 1)[-1]
    if "Deprecat" in last:
        return "DEPRECATION"
    return "UNRECOGNIZED" if last.startswith("Unknown") else "PERFORMANCE"
