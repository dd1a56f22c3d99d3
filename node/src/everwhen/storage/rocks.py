"""The record on disk: the sorted map of bytes over RocksDB. The only module that knows it.

Choices, each measured (docs/adr and research/raft.md hold the reasons):

* **One column family, no write-ahead log.** The node's own log comes first; memtables are flushed
  in the order they were filled, so a crash leaves a prefix of the batches written. With two families
  a kill left one of them ahead of the other.
* **What is durable is read back, not believed.** ``persisted`` opens the files a second time, for
  reading only, and so sees what a process would see after a crash at this moment. The log is
  compacted up to the applied index found there, after ``flush``.
* **Writes never stall inside RocksDB.** Its ``write`` holds the interpreter lock, so a stall would
  stop the whole process. Its slow-downs are off, and where it would wait for a flush it is told to
  refuse instead; the wait is then done in ``flush``, which lets other threads run.
* **Iterators are reused while nothing was written.** A new one costs 1.5 times a seek. Each is used
  by one thread at a time. They pin files and memtables, so all are dropped at each flush and every
  few megabytes written.
* **An iterator that ends has to be asked why.** Damage ends it as silently as the last key does.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final

from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    Checkpoint,
    CompactOptions,
    DBCompressionType,
    Options,
    Rdict,
    RdictIter,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from everwhen.errors import EverwhenError
from everwhen.mvcc.store import Batch, Change, Cursor
from everwhen.storage.rocks_cursor import CheckedCursor, check, fault, pairs

_PUT: Final = int(Change.PUT)
_DELETE: Final = int(Change.DELETE)
#: bytes written after which reused iterators are dropped
_DROP_ITERATORS_EVERY: Final = 8 << 20
#: in place of the count of writes, of an iterator that nobody may use again
_AMID_A_WRITE: Final = -1
#: level-0 files after which RocksDB would slow down or stop; compaction catches up by itself
_NEVER: Final = 1 << 20
_KEY_DIGITS: Final = 24
_READ_BACK_ATTEMPTS: Final = 100
_READ_ONLY: Final = AccessType.read_only(error_if_log_file_exist=False)


def _options(cache_bytes: int, memtable_bytes: int, *, create: bool) -> Options:
    table = BlockBasedOptions()
    table.set_block_cache(Cache(cache_bytes))
    table.set_bloom_filter(10, block_based=False)
    table.set_cache_index_and_filter_blocks(v=True)
    table.set_pin_l0_filter_and_index_blocks_in_cache(v=True)
    options = Options(raw_mode=True)
    options.create_if_missing(create)
    options.set_block_based_table_factory(table)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_level_compaction_dynamic_level_bytes(v=True)
    options.set_max_background_jobs(2)
    options.set_max_open_files(1_000)
    options.set_bytes_per_sync(1 << 20)
    options.set_avoid_unnecessary_blocking_io(val=True)
    # a quarter each, so that one fills while others are flushed
    options.set_write_buffer_size(max(memtable_bytes // 4, 64 << 10))
    options.set_max_write_buffer_number(4)
    options.set_level_zero_slowdown_writes_trigger(_NEVER)
    options.set_level_zero_stop_writes_trigger(_NEVER)
    options.set_soft_pending_compaction_bytes_limit(0)
    options.set_hard_pending_compaction_bytes_limit(0)
    # its own notes about itself: small, few
    options.set_max_log_file_size(1 << 20)
    options.set_keep_log_file_num(3)
    options.set_stats_dump_period_sec(0)
    return options


class RocksStore:
    """A :class:`~everwhen.mvcc.store.Store` over RocksDB in one folder."""

    def __init__(
        self,
        path: Path,
        *,
        create: bool = False,
        cache_bytes: int = 256 << 20,
        memtable_bytes: int = 128 << 20,
        read_only: bool = False,
    ) -> None:
        """``read_only`` sees what was flushed, changes nothing and refuses writes."""
        self._path = path
        options = _options(cache_bytes, memtable_bytes, create=create)
        try:
            self._db = Rdict(
                str(path),
                options=options,
                # without this an existing database opens with what its files say of the column
                # family, and block cache, filters and write limits are RocksDB's defaults
                column_families={"default": options},
                access_type=_READ_ONLY if read_only else AccessType.read_write(),
            )
        except Exception as error:
            raise fault(f"opening the record in {path}", error) from error
        no_log = WriteOptions()
        no_log.disable_wal = True  # type: ignore[method-assign, assignment]
        no_log.no_slowdown = True
        self._write_options = no_log
        self._lock = Lock()
        #: writes begun and ended: an iterator made while one was under way, or before another one
        #: began, may not see the newest
        self._begun = self._ended = 0
        self._bytes_since_drop = 0
        #: iterators that no thread is using, each with the count of writes begun when it was made
        self._idle: list[tuple[int, RdictIter]] = []
        self._failed: EverwhenError | None = None
        #: held by a compaction under way: files cannot be closed below it
        self._compacting = Lock()
        self._closing = False

    # --- reads ---

    def get(self, key: bytes) -> bytes | None:
        """The value of exactly ``key``."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:
            raise fault("reading the record", error) from error
        return value

    def first(self, start: bytes, end: bytes) -> tuple[bytes, bytes] | None:
        """The first pair with start <= key < end."""
        made_at, iterator = self._taken_iterator()
        iterator.seek(start)
        found: tuple[bytes, bytes] | None = None
        if iterator.valid():
            key: bytes = iterator.key()
            if key < end:
                found = key, iterator.value()
        else:
            check(iterator)
        self._give_back(made_at, iterator)
        return found

    def last(self, start: bytes, end: bytes) -> tuple[bytes, bytes] | None:
        """The last pair with start <= key < end."""
        made_at, iterator = self._taken_iterator()
        iterator.seek_for_prev(end)
        if iterator.valid() and iterator.key() == end:
            iterator.prev()
        found: tuple[bytes, bytes] | None = None
        if iterator.valid():
            key: bytes = iterator.key()
            if key >= start:
                found = key, iterator.value()
        else:
            check(iterator)
        self._give_back(made_at, iterator)
        return found

    def scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The pairs with start <= key < end, ascending, as they are at the call.

        Nothing beyond ``end`` is touched: hundreds of thousands of deleted keys may stand there,
        which RocksDB would step over one by one.
        """
        bounded = ReadOptions()
        bounded.set_iterate_upper_bound(end)
        # made here, not at the first pair: RocksDB's iterator sees the state it was made in
        iterator = self._db.iter(bounded)
        iterator.seek(start)
        return pairs(iterator, bounded)

    def cursor(self) -> Cursor:
        """A cursor: RocksDB's iterator itself, one that is idle if nothing was written since."""
        made_at, iterator = self._taken_iterator()
        return CheckedCursor(iterator, partial(self._give_back, made_at, iterator))

    def _give_back(self, made_at: int, iterator: RdictIter) -> None:
        if made_at == self._begun:
            self._idle.append((made_at, iterator))

    def _taken_iterator(self) -> tuple[int, RdictIter]:
        """An iterator that nobody else uses; whoever has it puts it back to the idle ones."""
        try:
            made_at, iterator = self._idle.pop()
        except IndexError:
            return self._new_iterator()
        return (made_at, iterator) if made_at == self._begun else self._new_iterator()

    def _new_iterator(self) -> tuple[int, RdictIter]:
        """An iterator that sees everything written before now, and the count of writes begun; none
        amid a write, which it may see or not: others may have seen what that moved to be gone."""
        made_at = self._begun  # before the iterator is made: it may see more, never less
        if self._ended != made_at:
            made_at = _AMID_A_WRITE
        return made_at, self._db.iter()

    def _drop_iterators(self) -> None:
        """Let go of what idle iterators pin; one that is in use is dropped when it comes back."""
        with self._lock:
            self._begun += 1
            self._ended += 1
            self._bytes_since_drop = 0
        self._idle.clear()

    # --- writes ---

    def write(self, batch: Batch) -> None:
        """Write all of ``batch``."""
        if self._failed is not None:
            raise self._failed
        with self._lock:  # a lost or repeated count would hide this write from a reused iterator
            self._begun += 1
        try:
            self._write(batch)
        except Exception as error:
            raise self._latch("writing to the record", error) from error
        with self._lock:
            self._ended += 1
            self._bytes_since_drop += batch.size
        if self._bytes_since_drop > _DROP_ITERATORS_EVERY:
            self._drop_iterators()

    def _write(self, batch: Batch) -> None:
        while True:
            try:
                self._db.write(_steps(batch), write_opt=self._write_options)
            except Exception as error:
                if "incomplete" not in str(error).lower():
                    raise
                # all memtables are full: wait for a flush, without holding the interpreter
                self._db.flush(wait=True)
            else:
                return

    def flush(self) -> None:
        """Return when everything written before the call is durable."""
        if self._failed is not None:
            raise self._failed
        self._drop_iterators()
        try:
            self._db.flush(wait=True)
        except Exception as error:
            raise self._latch("flushing the record", error) from error

    def persisted(self, key: bytes) -> bytes | None:
        """The value of ``key`` that a process would find after a crash at this moment.

        Opens the files again, so it takes milliseconds: for the log's compaction, not for reads.
        """
        for attempt in range(_READ_BACK_ATTEMPTS):
            try:
                return self._read_back(key)
            except Exception as error:
                # a compaction may remove files between reading their list and opening them
                if "No such file" in str(error) and attempt + 1 < _READ_BACK_ATTEMPTS:
                    continue
                raise fault(f"reading back {self._path}", error) from error
        raise AssertionError("the last attempt raises or returns")

    def _read_back(self, key: bytes) -> bytes | None:
        options = _options(1 << 20, 1 << 20, create=False)
        options.set_max_open_files(16)  # it opens a share of these at once, for one key
        other = Rdict(
            str(self._path),
            options=options,
            column_families={"default": options},
            access_type=_READ_ONLY,
        )
        try:
            value: bytes | None = other.get(key)
        finally:
            other.close()
        return value

    def checkpoint(self, folder: str) -> None:
        """See ``FileStore.checkpoint``: files are linked, memtables are flushed first: a flush lets
        other threads run, while a checkpoint holds the interpreter to its end."""
        self.flush()
        try:
            Checkpoint(self._db).create_checkpoint(folder)
        except Exception as error:
            raise fault(f"copying the record to {folder}", error) from error

    def compact(self, start: bytes | None = None, end: bytes | None = None) -> None:
        """Give back the space of what was overwritten or deleted; ``close`` ends it early."""
        with self._compacting:
            if self._closing:
                return
            try:
                self._db.compact_range(start, end, CompactOptions())
            except Exception as error:
                if not self._closing:
                    raise self._latch("compacting the record", error) from error

    def approximate_size(self, start: bytes, end: bytes) -> int:
        """Bytes of the files' shares in [start, end); what is not flushed is left out."""
        low, high = _position(start), _position(end)
        total = 0.0
        for file in self._db.live_files():
            first, last = _position(file["start_key"]), _position(file["end_key"])
            share = (min(high, last + 1) - max(low, first)) / (last + 1 - first)
            total += file["size"] * max(0.0, min(1.0, share))
        return int(total)

    def bytes_in_files(self) -> int:
        """What its files take on the disk."""
        return self._db.property_int_value("rocksdb.total-sst-files-size") or 0

    def bytes_in_memory(self) -> tuple[int, int]:
        """See ``FileStore.bytes_in_memory``."""
        names = ("rocksdb.cur-size-all-mem-tables", "rocksdb.block-cache-usage")
        buffers, cache = (self._db.property_int_value(name) or 0 for name in names)
        return buffers, cache

    def close(self) -> None:
        """Release everything."""
        self._drop_iterators()
        self._closing = True
        cut = not self._compacting.acquire(blocking=False)
        try:
            if cut:
                self._db.cancel_all_background(wait=False)
                self._compacting.acquire()
            self._db.close()
        except Exception as error:
            # after that RocksDB refuses the flush that closing begins with, and closes all the same
            if not (cut and "Shutdown in progress" in str(error)):
                raise self._latch("closing the record", error) from error

    def _latch(self, doing: str, error: Exception) -> EverwhenError:
        """After a failed write nothing more is written: the process must end."""
        self._failed = fault(doing, error)
        return self._failed


def _steps(batch: Batch) -> WriteBatch:
    """The batch in RocksDB's form; good for one write, even one that fails."""
    steps = WriteBatch(raw_mode=True)
    put = steps.put
    for kind, key, value in batch.changes:
        if kind == _PUT:
            put(key, value)
        elif kind == _DELETE:
            steps.delete(key)
        else:
            steps.delete_range(key, value)
    return steps


def _position(key: bytes) -> int:
    """A key as a number, so that shares of a range can be computed."""
    return int.from_bytes(key[:_KEY_DIGITS].ljust(_KEY_DIGITS, b"\x00"), "big")
