"""Waiting for what comes about by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

import pytest

_T = TypeVar("_T")

#: between two looks: without a pause whoever waits takes a core from those it waits for
EVERY_SECONDS: Final = 0.02


def until(
    condition: Callable[[], _T],
    seconds: float = 60.0,
    what: str = "it comes about",
    *,
    every: float = EVERY_SECONDS,
    ignoring: tuple[type[Exception], ...] = (),
    more: Callable[[], str] = str,
) -> _T:
    """What ``condition`` says once it says something; fails the test if that takes too long.

    ``ignoring``: errors of a condition that does not hold yet; ``more``: what to show besides."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := condition():
                return found
        except ignoring:
            pass  # who is asked is down, or only starts
        if time.monotonic() > deadline:
            pytest.fail(f"not in {seconds:g} s: {what} {more()}")
        time.sleep(every)
