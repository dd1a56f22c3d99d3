"""``everwhen verify DIR``: whether a stopped data directory is whole.

Prints what is wrong, one line each, and ends with 0 (nothing), 1 (something) or 2 (it could not be
looked at: in use, not a data directory, made by a newer build).

``--online`` asks a node that runs, instead of a directory, whether its image in memory is what its
record says. ``--audit`` looks at something else: whether history is what was committed, entry by entry, and with
``--head`` whether it goes on from what was exported earlier.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from everwhen.cli.connecting import add_node, admin_client
from everwhen.codec.audit_head import check_key, parse
from everwhen.errors import EverwhenError, SettingsInvalid
from everwhen.model.audit import ERASED, PROBLEM, UNDER_WAY
from everwhen.mvcc.report import Report
from everwhen.runtime.system import SystemDisk, SystemRandom
from everwhen.storage.rocks import RocksStore
from everwhen.storage.verify import audit_directory, verify_directory
from everwhen_client import ClientMisuse
from everwhen_client import EverwhenError as ClientError


def add_parser(subparsers: Any) -> None:
    """Add the command to a parser's sub-parsers."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "verify",
        help="check a stopped data directory, or the image of a running node",
        description="Check a stopped data directory: checksums, every key and value, "
        "relationships against their nodes and both adjacency directions, indexes against the "
        "record, counts, the chain of commits. Exit status: 0 whole, 1 damaged, 2 not checked.",
    )
    parser.add_argument("data_dir", type=Path, nargs="?", metavar="DIR", help="the data directory")
    parser.add_argument(
        "--limit", type=int, default=100, metavar="N", help="problems printed (default 100)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--audit",
        action="store_true",
        help="check that nothing of history was altered, taken away, added or put in another order",
    )
    parser.add_argument(
        "--head",
        type=Path,
        metavar="FILE",
        help="with --audit: a head that `everwhen admin audit-head` printed earlier",
    )
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help="with --head: the key that signed it"
    )
    parser.add_argument(
        "--online",
        action="store_true",
        help="compare the image that a running node holds in memory with its record",
    )
    add_node(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The command; its exit status."""
    try:
        report = _report(args)
    except (EverwhenError, ClientError, ClientMisuse, OSError) as error:
        print(json.dumps({"ok": None, "error": str(error)}) if args.json else f"error: {error}")
        return 2
    print(json.dumps(report.as_dict()) if args.json else _text(report))
    return 0 if report.ok else 1


def _report(args: argparse.Namespace) -> Report:
    if args.online:
        if args.data_dir is not None or args.audit:
            raise SettingsInvalid("--online asks a node that runs: no directory, no --audit")
        with admin_client(args, "everwhen-verify") as client:
            return Report.of(client.admin.request("GET", "/v1/verify"))
    if args.data_dir is None:
        raise SettingsInvalid("name the data directory, or ask a node that runs with --online")
    return _audit(args) if args.audit else _verify(args)


def _open(path: Path) -> RocksStore:
    return RocksStore(path, read_only=True)


def _holder() -> str:
    return f"everwhen verify, process {os.getpid()}"


def _verify(args: argparse.Namespace) -> Report:
    if args.head is not None or args.key_file is not None:
        raise SettingsInvalid("--head and --key-file belong to --audit")
    return verify_directory(
        SystemDisk(), args.data_dir, _open, holder=_holder(), problems_max=args.limit
    )


def _audit(args: argparse.Namespace) -> Report:
    """Findings as a report: what is erased counts as looked at, not as a problem."""
    if args.key_file is not None and args.head is None:
        raise SettingsInvalid("--key-file belongs to --head")
    key = None if args.key_file is None else check_key(args.key_file.read_bytes())
    kept = None if args.head is None else parse(args.head.read_bytes(), key)
    secret = SystemRandom().bytes(16)
    report = Report(args.limit)
    findings = audit_directory(
        SystemDisk(), args.data_dir, _open, secret, holder=_holder(), kept=kept
    )
    for finding in findings:
        where = f"commits {finding.first} to {finding.last}"
        if finding.event == PROBLEM:
            one = finding.first == finding.last
            report.add(f"{f'commit {finding.first}' if one else where}: {finding.detail}")
        elif finding.event == ERASED:
            report.looked("commits without content", finding.last - finding.first + 1)
            report.note(f"{where}: {finding.detail}")
        elif finding.event == UNDER_WAY:
            report.note(finding.detail)
        else:
            report.looked("commits", finding.last - finding.first + 1)
    return report


def _text(report: Report) -> str:
    lines = list(report.problems)
    if report.count > len(report.problems):
        lines.append(f"... and {report.count - len(report.problems)} more")
    lines += report.notes
    looked = ", ".join(f"{number} {what}" for what, number in sorted(report.checked.items()))
    verdict = "whole" if report.ok else f"{report.count} problems"
    lines.append(f"{verdict}; looked at {looked or 'nothing'}")
    return "\n".join(lines)
