"""Durations and amounts as people write them in Kubernetes objects."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_AMOUNT: Final = re.compile(r"(\d+(?:\.\d+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?")
_FACTORS: Final = {
    None: 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}


def seconds(text: str) -> float:
    """``1h30m`` as seconds.

    :raises ValueError: it is no duration.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration; write for instance 90s, 15m or 168h")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def amount(text: str) -> float:
    """``20Gi`` as a number.

    :raises ValueError: it is no amount.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no amount; write for instance 500m, 2Gi or 20Gi")
    return float(match[1]) * _FACTORS[match[2]]


def moment(text: str | None) -> float:
    """A time of Kubernetes in seconds; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0
