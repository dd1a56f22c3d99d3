"""What a verification found, up to a bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any


class Report:
    """Problems in words, and how many things were looked at."""

    __slots__ = ("_problems_max", "checked", "count", "notes", "problems")

    def __init__(self, problems_max: int = 100) -> None:
        self._problems_max = problems_max
        #: the first ones
        self.problems: list[str] = []
        #: all of them
        self.count = 0
        self.checked: Counter[str] = Counter()
        #: what is no problem, and must be said all the same; the first ones
        self.notes: list[str] = []

    def add(self, problem: str) -> None:
        """Something is wrong."""
        self.count += 1
        if len(self.problems) < self._problems_max:
            self.problems.append(problem)

    def note(self, text: str) -> None:
        """Something that is no problem."""
        if len(self.notes) < self._problems_max:
            self.notes.append(text)

    def looked(self, what: str, number: int = 1) -> None:
        """Things were looked at."""
        self.checked[what] += number

    @property
    def ok(self) -> bool:
        return self.count == 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "ok": self.ok,
            "problems": self.problems,
            "count": self.count,
            "notes": self.notes,
            "checked": dict(sorted(self.checked.items())),
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Report:
        """What ``as_dict`` of another process said."""
        report = cls()
        report.problems, report.count = list(told["problems"]), told["count"]
        report.notes, report.checked = list(told["notes"]), Counter(told["checked"])
        return report
