"""kill -9 on a real process that appends, applies, flushes and compacts on the real disk.

The process says which entries are acknowledged. After each kill all of them must be in the log or,
applied, in the record; the record must hold a prefix of the log's batches, whole; and the log must
begin no later than the first entry that the record does not have.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from everwhen.mvcc.store import Batch, FileStore
from everwhen.runtime.system import SystemDisk, SystemRandom
from everwhen.storage.directory import DataDirectory
from everwhen.storage.log_segments import Entry
from everwhen.storage.rocks import RocksStore

ROUNDS = 6
SEGMENT_BYTES = 64 << 10

WRITER = """
import sys
from pathlib import Path
from tests.unit.storage.test_kill import apply, open_directory
from everwhen.storage.log_segments import Entry

opened = open_directory(Path(sys.argv[1]))
log, store = opened.log, opened.store
applied = int.from_bytes(store.get(b"applied") or bytes(8), "big")
for entry in log.entries(applied + 1, log.last_index + 1):
    apply(store, entry)
print("ready", flush=True)
number = log.last_index
while True:
    entries = [Entry(number + each, 1, 0, bytes([each]) * 200) for each in range(1, 9)]
    log.append(entries)
    number += len(entries)
    print(number, flush=True)
    for entry in entries:
        apply(store, entry)
    if number % 400 == 0:
        store.flush()
        log.compact(int.from_bytes(store.persisted(b"applied"), "big"))
"""


def rocks(path: Path, create: bool) -> FileStore:
    return RocksStore(path, create=create, memtable_bytes=256 << 10)


def open_directory(root: Path) -> DataDirectory:
    return DataDirectory.open(
        SystemDisk(),
        root,
        SystemRandom(),
        rocks,
        holder="a test",
        ballast_bytes=0,
        segment_bytes=SEGMENT_BYTES,
    )


def apply(store: FileStore, entry: Entry) -> None:
    """One batch: two keys that belong together, and the applied index."""
    index = entry.index.to_bytes(8, "big")
    changes = Batch()
    changes.put(b"b" + index, entry.payload)
    changes.put(b"z" + index, entry.payload)
    changes.put(b"applied", index)
    store.write(changes)


def run_and_kill(root: Path, answers: int) -> int:
    """Kill the writer after so many answers, in whatever it is doing; the last entry it answered."""
    acknowledged = 0
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        for _ in range(answers):
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        for line in writer.stdout:
            if line.endswith("\n"):
                acknowledged = int(line)
    return acknowledged


def test_kill_9(tmp_path: Path) -> None:
    chance = random.Random(9)
    compacted = False
    for _ in range(ROUNDS):
        acknowledged = run_and_kill(tmp_path, chance.randrange(1, 400))
        opened = open_directory(tmp_path)
        log, store = opened.log, opened.store
        applied = int.from_bytes(store.get(b"applied") or bytes(8), "big")
        assert log.last_index >= acknowledged > 0
        assert log.first_index <= applied + 1
        for kind in (b"b", b"z"):
            keys = [key for key, _ in store.scan(kind, kind + b"\xff" * 9)]
            assert keys == [kind + index.to_bytes(8, "big") for index in range(1, applied + 1)]
        replayed = [entry.index for entry in log.entries(applied + 1, log.last_index + 1)]
        assert replayed == list(range(applied + 1, log.last_index + 1))
        compacted = compacted or log.first_index > 1
        opened.close()
    assert compacted
