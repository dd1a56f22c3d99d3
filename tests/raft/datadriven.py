"""Reading transcripts: a directive line, an optional body, ``----``, the expected output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_ARGUMENT = re.compile(r"([^\s=()]+)(?:=(\([^)]*\)|[^\s]*))?")
_PROSE = re.compile(r"^\s*(?:DEBUG|INFO|WARN|ERROR|FATAL) ")


@dataclass(slots=True)
class Case:
    """One directive with what it should print."""

    path: Path
    line: int
    command: str
    #: in order: (name, values); a plain argument has no values
    arguments: list[tuple[str, list[str] | None]] = field(default_factory=list)
    body: str = ""
    expected: str = ""

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.path.parent.name}/{self.path.name}:{self.line}"

    def value(self, name: str) -> list[str] | None:
        """The values of a named argument."""
        for key, values in self.arguments:
            if key == name and values is not None:
                return values
        return None

    def one(self, name: str, default: str) -> str:
        """The single value of a named argument."""
        values = self.value(name)
        return default if values is None else values[0]

    def plain(self) -> list[str]:
        """The arguments without values."""
        return [key for key, values in self.arguments if values is None]


def read_cases(path: Path) -> Iterator[Case]:
    """The cases of a file."""
    lines = path.read_text(encoding="utf-8").split("\n")
    at = 0
    while at < len(lines):
        text = lines[at].strip()
        if not text or text.startswith("#"):
            at += 1
            continue
        line = at + 1
        while text.endswith("\\"):
            at += 1
            text = text[:-1] + " " + lines[at].strip()
        case = _parse(path, line, text)
        at += 1
        body: list[str] = []
        while lines[at].strip() != "----":
            body.append(lines[at])
            at += 1
        case.body = "\n".join(body).strip()
        at += 1
        fenced = at < len(lines) and lines[at].strip() == "----"
        if fenced:
            at += 1
        expected: list[str] = []
        while at < len(lines):
            if fenced and lines[at : at + 2] == ["----", "----"]:
                at += 2
                break
            if not fenced and not lines[at].strip():
                break
            expected.append(lines[at])
            at += 1
        case.expected = "\n".join(expected)
        yield case


def parse_line(case: Case, text: str) -> Case:
    """A line in the body of a case as a case of its own."""
    return _parse(case.path, case.line, text)


def _parse(path: Path, line: int, text: str) -> Case:
    command, _, rest = text.strip().partition(" ")
    return Case(path, line, command, parse_arguments(rest))


def parse_arguments(text: str) -> list[tuple[str, list[str] | None]]:
    """``1 type=MsgApp drop=(1,2)`` as names and values."""
    found: list[tuple[str, list[str] | None]] = []
    for match in _ARGUMENT.finditer(text):
        name, value = match.group(1), match.group(2)
        if value is None:
            found.append((name, None))
        elif value.startswith("("):
            inside = value[1:-1].replace(",", " ").split()
            found.append((name, inside))
        else:
            found.append((name, [value]))
    return found


def comparable(text: str) -> list[str]:
    """What counts of an output: no prose of loggers, no blanks at the ends; "ok" if nothing."""
    lines = [line.rstrip() for line in text.split("\n") if not _PROSE.match(line)]
    while lines and not lines[-1]:
        lines.pop()
    return lines or ["ok"]
