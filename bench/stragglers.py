"""``python -m bench.stragglers``: a member misses a million entries, comes back by a snapshot, loses
its disk, and joins as a new node; how long that takes, and what the leader's memory does."""

from __future__ import annotations

import argparse
import sys

from bench.common import Report, scratch
from everwhen.limits import LOG_SEGMENT_BYTES
from tests.cluster.chaos.group import Group
from tests.cluster.stragglers import come_back, found, same_everywhere

_STEP_SECONDS = 7_200.0
_ROWS = 200


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.stragglers", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--trailing", type=int, default=50_000, help="entries the log keeps")
    parser.add_argument(
        "--segment", type=int, default=LOG_SEGMENT_BYTES, help="bytes of a log file"
    )
    options = parser.parse_args(arguments)
    report = Report()
    with scratch("stragglers") as folder:
        group = Group(folder, None)
        try:
            found(
                group,
                f"storage.log_trailing_entries={options.trailing}",
                f"storage.log_segment_bytes={options.segment}",
            )
            figures = come_back(group, options.entries, _ROWS, _STEP_SECONDS)
            same_everywhere(group)
        finally:
            for server in group.members.values():
                server.kill()
    report.add(
        "entries_missed", "entries", float(figures.missed), bar=float(options.entries),
        seconds=figures.writing_seconds,
    )  # fmt: skip
    report.add("back_by_snapshot", "s", figures.back_seconds, snapshots=figures.snapshots)
    report.add("back_on_an_empty_disk", "s", figures.rejoined_seconds)
    cached = sum(after - before for before, after in figures.parts.values())
    # caches have limits of their own: the record's 256 and 128 MiB, the log's 32
    report.add(
        "leader_memory_growth_besides_caches",
        "MB",
        figures.grown_megabytes - cached,
        bar=128.0,
        at_most=True,
    )
    report.add(
        "leader_memory_growth", "MB", figures.grown_megabytes,
        megabytes=figures.megabytes, tenths=figures.tenths,
        parts=figures.parts,
    )  # fmt: skip
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
