"""How far a load is: a bar with rate and time left on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Meter:
    """Told what is done."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._task = None if progress is None else progress.add_task("", total=None, rate="")
        self._rows = 0
        self._since = time.monotonic()

    def begin(self, what: str, total: int | None = None) -> None:
        """A new stage; ``total`` in whatever ``at`` counts."""
        self._rows = 0
        self._since = time.monotonic()
        if self._progress is not None and self._task is not None:
            self._progress.reset(self._task, total=total, description=what, rate="")

    def at(self, done: int, rows: int = 0) -> None:
        """So much of the total is done; ``rows`` more have gone by."""
        self._rows += rows
        if self._progress is not None and self._task is not None:
            seconds = max(time.monotonic() - self._since, 0.001)
            rate = f"{self._rows:,} rows, {self._rows / seconds:,.0f}/s"
            self._progress.update(self._task, completed=done, rate=rate)


@contextmanager
def meter(quiet: bool = False) -> Iterator[Meter]:
    """A meter on standard error, if that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield Meter(None)
        return
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with progress:
        yield Meter(progress)


Say = Callable[[str], None]
