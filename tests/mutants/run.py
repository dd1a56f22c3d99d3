"""``python -m tests.mutants.run``: put every mutant to the tests that must notice it.

One line a mutant: the test that noticed, and after how many random schedules of the core one of
them did. Exit code 1 if a mutant that should be noticed was not, or no longer fits the code.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.mutants import catalogue
from tests.mutants.killing import notices, schedules
from tests.mutants.patching import DoesNotFit, Mutant

BEGIN: Final = "<!-- mutants -->"
END: Final = "<!-- end of mutants -->"
HEAD: Final = "| pitfall | mutant | noticed by | schedules |\n| --- | --- | --- | --- |"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.mutants.run", description=__doc__)
    parser.add_argument("names", nargs="*", help="mutants or pitfalls; all by default")
    parser.add_argument("--seeds", type=int, default=300, help="schedules a mutant may take")
    parser.add_argument("--try-schedules", action="store_true", help="also where none must notice")
    parser.add_argument("--table", type=Path, help="write the table of this document anew")
    options = parser.parse_args(arguments)
    rows: list[str] = []
    killed = survived = 0
    started = time.monotonic()
    for mutant in catalogue.MUTANTS:
        if options.names and not {mutant.name, mutant.pitfall} & set(options.names):
            continue
        problems, row = put(mutant, options.seeds, force=options.try_schedules)
        rows.append(row)
        killed, survived = killed + (not problems), survived + bool(problems)
    if options.table:
        write_table(options.table, rows)
    print(f"in {time.monotonic() - started:.0f} s")
    print(f"{killed} passed, {survived} failed, 0 skipped")
    return 1 if survived else 0


def write_table(document: Path, rows: list[str]) -> None:
    """Put the rows in the place of those between the marks."""
    before, mark, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    assert mark, f"{document} has no {BEGIN}"
    assert end, f"{document} has no {END}"
    table = "\n".join((HEAD, *rows))
    document.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def put(mutant: Mutant, seeds: int, *, force: bool) -> tuple[list[str], str]:
    """Print what became of a mutant; what was wrong, and its row of the table."""
    problems: list[str] = []
    after = ""
    found: list[str] = []
    try:
        for test in mutant.tests:
            if notices(mutant, test):
                found.append(test.rpartition("/")[2])
            else:
                problems.append(f"{test} does not notice")
        if mutant.schedules or force:
            noticed = schedules(mutant, seeds)
            if noticed is not None:
                after = str(noticed[0])
                found.append(f"schedule {noticed[0]}: {noticed[1][:90]}")
            elif mutant.schedules:
                problems.append(f"{seeds} schedules do not notice")
    except (DoesNotFit, RuntimeError) as error:
        problems.append(str(error))
    word = "ALIVE " if problems else "killed"
    print(f"{word} {mutant.pitfall} {mutant.name}: {'; '.join(found + problems)}", flush=True)
    tests = ", ".join(f"`{test.removeprefix('tests/')}`" for test in mutant.tests)
    return problems, f"| {mutant.pitfall} | `{mutant.name}` | {tests} | {after or '–'} |"


if __name__ == "__main__":
    sys.exit(main())
