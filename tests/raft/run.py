"""``make raft-testdata``: transcripts in $RAFT_TESTDATA (default ../shared/raft-testdata).

Every directive of every file is run, and what counts of its output compared line by line.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tests.raft.configurations import ConfChanges, Quorums
from tests.raft.datadriven import Case, comparable, read_cases
from tests.raft.interaction import Group

DEFAULT = Path(__file__).parents[2].parent / "shared" / "raft-testdata"


class Handler(Protocol):
    """Runs the directives of one file."""

    def handle(self, case: Case) -> str: ...


KINDS: dict[str, Callable[[], Handler]] = {
    "quorum": Quorums,
    "confchange": ConfChanges,
    "interaction": Group,
}


def folder() -> Path:
    """Where the transcripts are."""
    return Path(os.environ.get("RAFT_TESTDATA") or DEFAULT)


def files(root: Path) -> list[Path]:
    """All transcripts, by kind and name."""
    return [path for kind in KINDS for path in sorted((root / kind).glob("*.txt"))]


def differences(path: Path) -> list[str]:
    """What a file expects and does not get, one text each; the first one usually causes the
    others."""
    handler = KINDS[path.parent.name]()
    found: list[str] = []
    for case in read_cases(path):
        try:
            printed = handler.handle(case)
        except Exception as error:
            printed = f"{type(error).__name__}: {error}"
        got, expected = comparable(printed), comparable(case.expected)
        if got != expected:
            found.append(
                f"{case.where}: {case.command}\n  expected\n    "
                + "\n    ".join(expected)
                + "\n  got\n    "
                + "\n    ".join(got)
            )
    return found


def main() -> int:
    """Prints every difference and the line ``N passed, M failed, K skipped``."""
    parser = argparse.ArgumentParser(prog="make raft-testdata", description=__doc__)
    parser.add_argument("--first", action="store_true", help="of each file only the first one")
    options = parser.parse_args()
    root = folder()
    found = files(root)
    if not found:
        print(f"no transcripts in {root}: name their folder in RAFT_TESTDATA")
        print("0 passed, 0 failed, 0 skipped")
        return 0
    failed = 0
    for path in found:
        wrong = differences(path)
        failed += bool(wrong)
        for text in wrong[: 1 if options.first else None]:
            print(text)
    print(f"{len(found) - failed} passed, {failed} failed, 0 skipped")
    return failed and 1


if __name__ == "__main__":
    sys.exit(main())
