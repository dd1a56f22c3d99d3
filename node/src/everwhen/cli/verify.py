"""``everwhen verify DIR``: whether a stopped data directory is whole.

Prints what is wrong, one line each, and ends with 0 (nothing), 1 (something) or 2 (it could not be
looked at: in use, not a data directory, made by a newer build).
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from everwhen.errors import EverwhenError
from everwhen.mvcc.report import Report
from everwhen.runtime.system import SystemDisk
from everwhen.storage.rocks import RocksStore
from everwhen.storage.verify import verify_directory


def add_parser(subparsers: Any) -> None:
    """Add the command to a parser's sub-parsers."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "verify",
        help="check a stopped data directory",
        description="Check a stopped data directory: checksums, every key and value, "
        "relationships against their nodes and both adjacency directions, indexes against the "
        "record, counts, the chain of commits. Exit status: 0 whole, 1 damaged, 2 not checked.",
    )
    parser.add_argument("data_dir", type=Path, metavar="DIR", help="the data directory")
    parser.add_argument(
        "--limit", type=int, default=100, metavar="N", help="problems printed (default 100)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The command; its exit status."""
    try:
        report = verify_directory(
            SystemDisk(),
            args.data_dir,
            lambda path: RocksStore(path, read_only=True),
            holder=f"everwhen verify, process {os.getpid()}",
            problems_max=args.limit,
        )
    except (EverwhenError, OSError) as error:
        print(json.dumps({"ok": None, "error": str(error)}) if args.json else f"error: {error}")
        return 2
    print(_json(report) if args.json else _text(report))
    return 0 if report.ok else 1


def _json(report: Report) -> str:
    return json.dumps(
        {
            "ok": report.ok,
            "problems": report.problems,
            "count": report.count,
            "checked": dict(sorted(report.checked.items())),
        }
    )


def _text(report: Report) -> str:
    lines = list(report.problems)
    if report.count > len(report.problems):
        lines.append(f"... and {report.count - len(report.problems)} more")
    looked = ", ".join(f"{number} {what}" for what, number in sorted(report.checked.items()))
    verdict = "whole" if report.ok else f"{report.count} problems"
    lines.append(f"{verdict}; looked at {looked or 'nothing'}")
    return "\n".join(lines)
