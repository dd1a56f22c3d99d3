"""``python -m tests.tck.run``: put the openCypher TCK to the database and count.

Exit code 0 if the bar holds (at least 99.5 % pass, no wrong answer), 1 if it does not, 2 for a
mistake in the call. Without the TCK's folder it says so and exits 0.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.engines import DOORS, open_engine
from tests.tck import scenario, variants
from tests.tck.judge import Class, Verdict, judge
from tests.tck.scenario import Case

BAR: Final = 0.995


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    folder: Path = options.tck or scenario.root()
    if not (folder / "features").is_dir():
        print(f"openCypher TCK not found at {folder} (set TCK=/path/to/tck): nothing was run")
        print("0 passed, 0 failed, 0 skipped")
        return 0
    if options.uri:
        os.environ["EVERWHEN_URI"] = options.uri
        options.jobs = 1  # one graph, one case at a time
    cases = [case for case in scenario.load(folder) if _wanted(case, options)]
    started = time.monotonic()
    verdicts = list(_run(cases, options))
    report(verdicts, options.verbose, time.monotonic() - started)
    if options.json:
        lines = [dataclasses.asdict(v) | {"result": v.result.value} for v in verdicts]
        Path(options.json).write_text(json.dumps(lines, indent=1), encoding="utf-8")
    return 0 if holds(verdicts) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.tck.run", description=__doc__)
    parser.add_argument("--door", choices=sorted(DOORS), default="inprocess")
    parser.add_argument("--uri", help="a node that runs already, for --door http")
    parser.add_argument("--tck", type=Path, help="folder (default: $TCK or ../shared/tck)")
    parser.add_argument("--list", type=Path, help="file with one case name a line")
    parser.add_argument("--filter", default="", help="run cases whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--variant", choices=sorted(variants.VARIANTS), default="plain")
    parser.add_argument("--seed", type=int, default=1, help="for the at-version variant")
    parser.add_argument("--json", help="write every verdict to this file")
    parser.add_argument("-v", "--verbose", action="store_true", help="query, expected, got")
    return parser.parse_args(arguments)


def _wanted(case: Case, options: argparse.Namespace) -> bool:
    if options.list:
        names = set(options.list.read_text(encoding="utf-8").splitlines())
        return case.name in names
    return options.filter in case.name


def _run(cases: list[Case], options: argparse.Namespace) -> Iterator[Verdict]:
    """All verdicts in the order of the cases; slices run in processes of their own."""
    if options.jobs <= 1:
        yield from _slice(cases, options)
        return
    slices = [cases[i :: options.jobs] for i in range(options.jobs)]
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        parts = pool.starmap(_slice, [(part, options) for part in slices])
    by_name = {v.name: v for part in parts for v in part}
    yield from (by_name[case.name] for case in cases)


def _slice(cases: list[Case], options: argparse.Namespace) -> list[Verdict]:
    engine = open_engine(options.door)
    try:
        variant = variants.VARIANTS[options.variant]
        return [
            judge(engine, c) if variant is None else variant(engine, c, options.seed) for c in cases
        ]
    finally:
        engine.close()


def holds(verdicts: Sequence[Verdict]) -> bool:
    """The bar: the share of cases run that pass, and no wrong answer at all."""
    counts = Counter(v.result for v in verdicts)
    ran = len(verdicts) - counts[Class.SKIPPED]
    return counts[Class.WRONG_ANSWER] == 0 and counts[Class.PASS] >= BAR * ran


def report(verdicts: Sequence[Verdict], verbose: bool, seconds: float) -> None:
    """Failures by name, skips by reason, totals by class, the closing line."""
    for verdict in verdicts:
        if verdict.failed:
            print(f"{verdict.result.value}: {verdict.name}")
            if verbose:
                for title, body in (
                    ("query", verdict.query),
                    ("expected", verdict.expected),
                    ("got", verdict.got),
                ):
                    print(f"  {title}:")
                    print("\n".join(f"    {line}" for line in body.splitlines()))
        elif verdict.result is Class.SKIPPED:
            print(f"skipped: {verdict.name}: {verdict.got}")
    counts = Counter(v.result for v in verdicts)
    areas = Counter(v.feature.rsplit("/", 1)[0] for v in verdicts if v.failed)
    for area, count in sorted(areas.items()):
        print(f"{count:5d} failures in {area}")
    for result in Class:
        print(f"{counts[result]:5d} {result.value}")
    ran = len(verdicts) - counts[Class.SKIPPED]
    share = counts[Class.PASS] / ran if ran else 1.0
    print(f"{share:.2%} of {ran} cases passed in {seconds:.1f} s (bar {BAR:.1%}, no wrong answer)")
    failed = sum(v.failed for v in verdicts)
    print(f"{counts[Class.PASS]} passed, {failed} failed, {counts[Class.SKIPPED]} skipped")


if __name__ == "__main__":
    sys.exit(main())
