"""Looking at a stopped data directory: its log and meta file, and its record.

The record lies behind the log as far as it was not flushed when the process ended; that is no
damage, the next start replays it. So the record is judged by itself (``mvcc.verify``), the log by
itself, and then whether the log still reaches back to where the record ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from everwhen.codec.audit_head import AuditHead
from everwhen.codec.keys import meta_key
from everwhen.codec.records import META_HEAD, RecordHead, decode_head
from everwhen.errors import CorruptData, DiskFailed, FormatUnsupported
from everwhen.model.audit import Finding
from everwhen.mvcc.audit import Auditor, head_problems
from everwhen.mvcc.report import Report
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Store
from everwhen.mvcc.verify import verify
from everwhen.ports import Disk, DiskLock
from everwhen.storage import format as layout
from everwhen.storage.directory import StoppedDirectory, inspect
from everwhen.storage.snapshot_files import current

#: opens the record in a folder for reading only
ReadOnlyOpener = Callable[[Path], Store]


def verify_directory(
    disk: Disk, root: Path, open_store: ReadOnlyOpener, *, holder: str, problems_max: int = 100
) -> Report:
    """What is wrong in a data directory that no process uses.

    :raises DataDirectoryLocked: a process uses it.
    :raises FormatUnsupported: made by a newer build.
    """
    lock = lock_directory(disk, root, holder)
    try:
        report = Report(problems_max)
        stopped = _inspect(disk, root, report)
        try:
            store = open_store(root / current(disk, root).folder)
        except (CorruptData, DiskFailed) as error:
            report.add(error.message)
            return report
        try:
            _record(store, report, problems_max)
            if stopped is not None:
                _check_reach(store, stopped, report)
        finally:
            store.close()
        return report
    finally:
        lock.release()


def audit_directory(
    disk: Disk,
    root: Path,
    open_store: ReadOnlyOpener,
    secret: bytes,
    *,
    holder: str,
    kept: AuditHead | None = None,
) -> Iterator[Finding]:
    """Whether the history in a data directory that no process uses is what was committed, and goes
    on from a head that was ``kept`` elsewhere. ``secret`` is as in :class:`Auditor`.

    The record may lie behind the log; what only the log has is not history yet.

    :raises DataDirectoryLocked: a process uses it.
    :raises FormatUnsupported: made by a newer build.
    :raises CorruptData: the record cannot be read at all.
    :raises AuditHeadInvalid: the head is of another cluster.
    """
    lock = lock_directory(disk, root, holder)
    try:
        store = open_store(root / current(disk, root).folder)
        try:
            state = RecordState.load(store)
            if kept is not None:
                yield from head_problems(state, kept)
            auditor = Auditor(state, secret, lambda: None)
            yield from auditor.run(1, state.current.head.version)
        finally:
            store.close()
    finally:
        lock.release()


def lock_directory(disk: Disk, root: Path, holder: str) -> DiskLock:
    """Lock an existing data directory, and make nothing where there is none.

    :raises CorruptData: it is no data directory.
    :raises DataDirectoryLocked: a process uses it.
    """
    if not disk.exists(root / layout.FORMAT):
        raise CorruptData(
            f"{root} is not a finished data directory: it has no FORMAT file",
            hint="give the folder that --data-dir named when the node was started",
        )
    return layout.take_lock(disk, root, holder)


def _inspect(disk: Disk, root: Path, report: Report) -> StoppedDirectory | None:
    try:
        stopped = inspect(disk, root)
    except CorruptData as error:
        report.add(error.message)
        return None
    # one copy of the meta file or a torn tail is what a crash may leave; the next start mends it
    index = stopped.log.index
    report.looked("log entries", index.last_index - index.base_index)
    return stopped


def _record(store: Store, report: Report, problems_max: int) -> None:
    try:
        found = verify(store, problems_max)
    except (CorruptData, DiskFailed) as error:
        report.add(error.message)
        return
    for problem in found.problems:
        report.add(problem)
    report.count += found.count - len(found.problems)
    report.checked.update(found.checked)


def _check_reach(store: Store, stopped: StoppedDirectory, report: Report) -> None:
    raw = store.get(meta_key(META_HEAD))
    try:
        applied = RecordHead().applied_index if raw is None else decode_head(raw).applied_index
    except (CorruptData, FormatUnsupported):
        return  # said already
    base, last = stopped.log.index.base_index, stopped.log.index.last_index
    if applied < base:
        report.add(
            f"the record has applied the log up to {applied}, but the log begins after {base}: "
            "entries between are lost"
        )
    if applied > last:
        report.add(f"the record has applied entry {applied}, but the log ends at {last}")
