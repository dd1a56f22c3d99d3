"""The warnings and errors a process told of last, for whoever asks what is wrong with it.

Statements are none of them: a diagnosis is read by more people than the data is.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Final

from everwhen.limits import PROBLEM_CHARS_MAX, PROBLEMS_KEPT

_STATEMENTS: Final = "everwhen.query"


class RecentProblems(logging.Handler):
    """Keeps the newest lines; the formatter is that of the log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: deque[str] = deque(maxlen=PROBLEMS_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it; called under the handler's lock."""
        if record.name != _STATEMENTS:
            self._lines.append(self.format(record)[:PROBLEM_CHARS_MAX])

    def lines(self) -> list[str]:
        """The oldest first."""
        self.acquire()
        try:
            return list(self._lines)
        finally:
            self.release()


#: of this process, which has one log
RECENT: Final = RecentProblems()
