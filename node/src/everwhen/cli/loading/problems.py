"""What is wrong with what is imported: one error, and bad rows with file and line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from everwhen.errors import ClientError

_SHOWN: Final = 20
_VALUE_SHOWN: Final = 60


class ImportFailed(ClientError):
    """Files or arguments that cannot be imported; says which and why."""


def shown(value: object) -> str:
    """A value for a message."""
    text = repr(value)
    return text if len(text) <= _VALUE_SHOWN else text[:_VALUE_SHOWN] + "…"


class BadRows:
    """Counts bad rows, shows the first ones, writes all of them to a file if asked."""

    def __init__(self, tolerance: int, report: Path | None) -> None:
        #: rows that may be bad; below 0 any number
        self.tolerance = tolerance
        self.count = 0
        self._report = report
        self._lines: list[str] = []
        if report is not None:
            report.write_text("", encoding="utf-8")

    def add(self, file: str, line: int, why: str) -> None:
        """One more.

        :raises ImportFailed: more than may be.
        """
        self.count += 1
        text = f"{file}:{line}: {why}"
        if self._report is not None:
            with self._report.open("a", encoding="utf-8") as out:
                out.write(text + "\n")
        if self.count <= _SHOWN:
            print(text, file=sys.stderr)
        if 0 <= self.tolerance < self.count:
            allowed = "no bad row is" if not self.tolerance else f"{self.tolerance} bad rows are"
            raise ImportFailed(
                f"{text}: {allowed} allowed; nothing of the open transaction was kept",
                hint="mend the file, or allow more with --bad-tolerance",
            )
