"""``everwhen dump DIR``: the record of a stopped data directory in words, one entry a line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from everwhen.codec.dump import Names, kind_names, line
from everwhen.codec.keys import after as key_after
from everwhen.codec.keys import kind_range, node_prefix, relationship_prefix
from everwhen.errors import EverwhenError
from everwhen.mvcc.store import Store
from everwhen.mvcc.tokens import Tokens
from everwhen.runtime.system import SystemDisk
from everwhen.storage.rocks import RocksStore
from everwhen.storage.snapshot_files import current
from everwhen.storage.verify import lock_directory


def add_parser(subparsers: Any) -> None:
    """Add the command to a parser's sub-parsers."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "dump",
        help="print the record of a stopped data directory",
        description="Print entries of the record in words. What was not flushed when the node "
        "stopped is in its log, not in its record, until the next start.",
    )
    parser.add_argument("data_dir", type=Path, metavar="DIR", help="the data directory")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--kind", choices=sorted(kind_names()), help="only entries of one kind")
    which.add_argument("--node", type=int, metavar="ID", help="only entries of one node")
    which.add_argument(
        "--relationship", type=int, metavar="ID", help="only entries of one relationship"
    )
    which.add_argument(
        "--prefix", type=bytes.fromhex, metavar="HEX", help="only keys that begin with these bytes"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many entries")
    parser.add_argument("--raw", action="store_true", help="print key and value in hexadecimal too")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The command; its exit status: 0, or 2 if the directory could not be read."""
    try:
        lock = lock_directory(SystemDisk(), args.data_dir, f"everwhen dump, process {os.getpid()}")
        try:
            store = RocksStore(
                args.data_dir / current(SystemDisk(), args.data_dir).folder, read_only=True
            )
            try:
                for text in islice(lines(store, args), args.limit):
                    print(text)
            finally:
                store.close()
        finally:
            lock.release()
    except BrokenPipeError:
        # the reader (head, less) has seen enough; nothing more can be said to it
        sys.stdout = None
        return 0
    except (EverwhenError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def lines(store: Store, args: argparse.Namespace) -> Iterator[str]:
    """The lines to print."""
    names = _names(store)
    for key, value in store.scan(*_range(args)):
        if args.raw:
            yield f"{key.hex()} {value.hex()}"
        yield line(key, value, names)


def _range(args: argparse.Namespace) -> tuple[bytes, bytes]:
    if args.kind is not None:
        return kind_range(kind_names()[args.kind])
    prefix: bytes | None = args.prefix
    if args.node is not None:
        prefix = node_prefix(args.node)
    elif args.relationship is not None:
        prefix = relationship_prefix(args.relationship)
    if not prefix:
        return b"", b"\xff" * 32
    return prefix, key_after(prefix)


def _names(store: Store) -> Names:
    """Token names; none if the table itself is damaged, which is then what the dump shows."""
    try:
        tokens = Tokens.load(store)
    except EverwhenError:
        return Names.none()
    return Names(
        dict(enumerate(tokens.labels.names)),
        dict(enumerate(tokens.types.names)),
        dict(enumerate(tokens.keys.names)),
    )
