"""Golden scripts: blocks of ``command``, input, ``----``, expected output, in plain text files.

The form is that of cockroachdb/datadriven (which etcd-io/raft's transcripts use too)::

    # comment
    query ordered=yes params={"x": 1}
    RETURN $x AS x
    ----
    x
    1

A block ends at an empty line. Output that itself holds empty lines is put between two doubled
lines of dashes. ``pytest --golden-rewrite`` writes what came into the files; what it writes is a
proposal to be read and judged, not the truth.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SEPARATOR: Final = "----"
_ARGUMENT: Final = re.compile(r"(\w+)=(\{.*\}|\[.*\]|\S*)|(\S+)")


@dataclass
class Block:
    """One command. ``head`` is its first line, ``arguments`` the ``key=value`` words after the
    command (a bare word is a key with the value ``""``)."""

    head: str
    input: str
    expected: str
    line: int

    @property
    def command(self) -> str:
        return self.head.split(None, 1)[0]

    @property
    def arguments(self) -> dict[str, str]:
        rest = self.head.split(None, 1)[1:]
        found = _ARGUMENT.finditer(rest[0]) if rest else iter(())
        return {m.group(1) or m.group(3): m.group(2) or "" for m in found}


Part = str | Block
"""A comment or empty line as it stands, or a block."""


def parse(source: str) -> list[Part]:
    """A script as its parts, in order; joining them with :func:`render` gives it back."""
    lines = source.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    parts: list[Part] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip() or line.lstrip().startswith("#"):
            parts.append(line)
            at += 1
            continue
        block, at = _block(lines, at)
        parts.append(block)
    return parts


def _block(lines: list[str], start: int) -> tuple[Block, int]:
    at = start + 1
    body: list[str] = []
    while at < len(lines) and lines[at] != SEPARATOR:
        body.append(lines[at])
        at += 1
    if at == len(lines):
        raise ValueError(f"line {start + 1}: a block without {SEPARATOR}")
    at += 1
    expected: list[str] = []
    if at < len(lines) and lines[at] == SEPARATOR:
        at += 1
        while lines[at : at + 2] != [SEPARATOR, SEPARATOR]:
            if at >= len(lines):
                raise ValueError(f"line {start + 1}: a doubled {SEPARATOR} is not closed")
            expected.append(lines[at])
            at += 1
        at += 2
    else:
        while at < len(lines) and lines[at] != "":
            expected.append(lines[at])
            at += 1
    return Block(lines[start], "\n".join(body), "\n".join(expected), start + 1), at


def render(parts: list[Part]) -> str:
    """Parts back to text."""
    return "\n".join(_lines(parts)) + "\n"


def _lines(parts: list[Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
            continue
        yield part.head
        if part.input:
            yield part.input
        yield SEPARATOR
        if "\n\n" in f"\n{part.expected}\n" and part.expected:
            yield from (SEPARATOR, part.expected, SEPARATOR, SEPARATOR)
        elif part.expected:
            yield part.expected


def check_file(path: Path, run: Callable[[Block], str], rewrite: bool = False) -> None:
    """Run every block of a script in order; AssertionError with a diff per block that differs."""
    parts = parse(path.read_text(encoding="utf-8"))
    wrong: list[str] = []
    for part in parts:
        if isinstance(part, str):
            continue
        came = run(part).rstrip("\n")
        if came != part.expected:
            wrong.append(_difference(path, part, came))
            part.expected = came
    if wrong and rewrite:
        path.write_text(render(parts), encoding="utf-8")
    elif wrong:
        raise AssertionError("\n\n".join(wrong) + "\n\n(--golden-rewrite writes what came)")


def _difference(path: Path, block: Block, came: str) -> str:
    lines = difflib.unified_diff(
        block.expected.split("\n"), came.split("\n"), "expected", "came", lineterm="", n=10
    )
    return f"{path.name}:{block.line}: {block.head}\n{block.input}\n" + "\n".join(lines)
