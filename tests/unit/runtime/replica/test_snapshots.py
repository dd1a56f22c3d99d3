"""A snapshot on its way to a member."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from everwhen.codec.peer_frames import Verb
from everwhen.errors import FormatUnsupported, RequestInvalid
from everwhen.runtime.replica.snapshots import Snapshots
from everwhen.runtime.system import SystemDisk
from everwhen.runtime.twins.threads import InlineThreads
from everwhen.runtime.twins.time_and_chance import SeededRandom
from everwhen.storage.snapshot_files import Manifest, SnapshotFile, encode_manifest


class Shorter:
    """The other side, whose file ends earlier than its manifest says: it made another copy."""

    def handle(self, verb: Verb, handler: Any) -> None: ...

    async def ask(self, node: int, verb: Verb, body: bytes) -> bytes:
        return b""


def snapshots_in(root: Path, told: list[str]) -> Snapshots:
    threads = InlineThreads(SeededRandom(1), serial=frozenset())
    nothing = cast(Any, None)
    return Snapshots(
        SystemDisk(),
        root,
        nothing,
        nothing,
        cast(Any, Shorter()),
        threads,
        lambda what, _: told.append(what),
    )


MANIFEST = Manifest(1, 7, 1, [SnapshotFile("000001.sst", 10, b"?" * 32)])


class Behind:
    """A replica whose log ends before the snapshot that comes."""

    def __init__(self) -> None:
        self.core = self
        self.raft = self
        self.log = self

    def first_index(self) -> int:
        return 1


def test_a_file_that_is_not_as_it_was_offered_is_told_and_ends_nothing(tmp_path: Path) -> None:
    told: list[str] = []

    async def receive() -> None:
        snapshots = snapshots_in(tmp_path, told)
        snapshots._replica = cast(Any, Behind())
        await snapshots._receive(2, MANIFEST)
        assert not snapshots.reopen.is_set()

    asyncio.run(receive())
    assert told == ["snapshot_coming", *["snapshot_damaged"] * 5]


class Ahead(Behind):
    """The log was dropped past the snapshot that comes: its record has more."""

    def first_index(self) -> int:
        return MANIFEST.index + 2


def test_a_snapshot_that_the_log_does_not_reach_back_to_is_not_taken(tmp_path: Path) -> None:
    told: list[str] = []
    empty = msgspec.structs.replace(MANIFEST, files=[])

    async def receive() -> None:
        snapshots = snapshots_in(tmp_path, told)
        snapshots._replica = cast(Any, Ahead())
        await snapshots._receive(2, empty)
        assert not snapshots.reopen.is_set()
        assert snapshots.comes == 0

    asyncio.run(receive())
    assert told == ["snapshot_coming", "snapshot_not_needed"]
    assert list(tmp_path.iterdir()) == []


def test_an_offer_of_an_unknown_format_is_refused_and_begins_nothing(tmp_path: Path) -> None:
    later = msgspec.structs.replace(MANIFEST, format=99)

    async def offered() -> None:
        snapshots = snapshots_in(tmp_path, [])
        async with asyncio.TaskGroup() as tasks:
            snapshots.start(cast(Any, Leading()), tasks)
            with pytest.raises(FormatUnsupported, match="format 99"):
                await snapshots._on_offer(2, encode_manifest(later))

    asyncio.run(offered())
    assert list(tmp_path.iterdir()) == []


class Refusing:
    """A member that takes no snapshot of this format."""

    def handle(self, verb: Verb, handler: Any) -> None: ...

    async def ask(self, node: int, verb: Verb, body: bytes, **how: Any) -> bytes:
        raise FormatUnsupported("a snapshot of format 1; this build takes format 2")


class Leading:
    """A replica that leads, and what its core is told."""

    is_leader = True

    def __init__(self) -> None:
        self.failed: list[int] = []
        self.core = self

    def report_snapshot(self, node: int, *, failed: bool) -> None:
        assert failed
        self.failed.append(node)

    def pump_soon(self) -> None: ...


def test_a_refusal_is_told_once_and_tried_again_after_a_while(tmp_path: Path) -> None:
    told: list[str] = []
    replica = Leading()

    async def offer() -> None:
        snapshots = snapshots_in(tmp_path, told)
        snapshots._requests = cast(Any, Refusing())
        snapshots._manifest = MANIFEST
        for _ in range(2):
            started = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as tasks:
                snapshots.start(cast(Any, replica), tasks)
                snapshots.wanted(3)
            assert asyncio.get_running_loop().time() - started > 0.4

    asyncio.run(offer())
    assert told == ["snapshot_refused"]
    assert replica.failed == [3, 3]


def test_a_copy_that_is_made_anew_while_it_is_read(tmp_path: Path) -> None:
    """Under the same name, which its first step takes away."""

    async def read() -> None:
        snapshots = snapshots_in(tmp_path, [])
        snapshots._manifest = MANIFEST
        asked = msgspec.msgpack.encode((MANIFEST.name, "000001.sst", 0))
        with pytest.raises(RequestInvalid, match="made anew"):
            await snapshots._on_read(2, asked)

    asyncio.run(read())
