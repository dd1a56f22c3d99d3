"""Makes the golden data directory of this version: ``python -m tests.compat.make``.

Run once for each version that is tagged, never again: what it made is the point of comparison for
every later build. Without ``--replace`` it refuses to write over an archive.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import tempfile
from pathlib import Path

from everwhen.version import VERSION
from tests.compat.history import opened, reading, write

DIRECTORIES = Path(__file__).parent / "directories"


def make(archive: Path) -> None:
    """Write the history into a fresh directory and pack it as a crash would leave it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        notes = Path(folder) / "expected.json"
        with opened(root) as db:
            write(db)
            notes.write_text(json.dumps(reading(db), indent=1))
            # closing would flush the record: packed before, its end is in the log only
            with tarfile.open(archive, "w:xz") as tar:
                tar.add(root, "data", filter=_needed)
                tar.add(notes, "expected.json", filter=_needed)


def _needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without RocksDB's own notes and lock, and without whose machine it was."""
    if member.name.startswith("data/record/LOG") or member.name.endswith("/LOCK"):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replace", action="store_true", help="write over this version's archive")
    arguments = parser.parse_args()
    archive = DIRECTORIES / f"{VERSION}.tar.xz"
    if archive.exists() and not arguments.replace:
        raise SystemExit(f"{archive.name} is there already; a golden directory is made once")
    DIRECTORIES.mkdir(exist_ok=True)
    make(archive)
    print(f"{archive.name}: {archive.stat().st_size} bytes")


if __name__ == "__main__":
    main()
