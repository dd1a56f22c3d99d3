"""Snapshots for members that the log cannot catch up: made here, pulled by them.

The leader's core says who needs one. A copy of the record is made (files are linked), its manifest
offered; the other node pulls the files at its own pace, resuming where it was, checks them, and
restarts on them. Only then does the core go on sending it entries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from everwhen import raft
from everwhen.codec.peer_frames import Verb
from everwhen.errors import CorruptData, DiskFailed, EverwhenError, OutcomeUnknown, RequestInvalid
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import FileStore
from everwhen.ports import Disk, Threads
from everwhen.runtime.replica.replica import Replica
from everwhen.runtime.replica.requests import Requests
from everwhen.storage import format as layout
from everwhen.storage import snapshot_files as files
from everwhen.storage.files import disk_failed
from everwhen.storage.folders import make_folders

_OFFER_SECONDS = 0.5
#: an offer nobody answers for so long has failed; consensus tries again later
_SILENCE_SECONDS = 10.0
#: attempts to receive a snapshot whole
_ATTEMPTS = 5
_DONE = b"\x01"
_UNDER_WAY = b"\x00"

Report = Callable[[str, dict[str, object]], None]


class _Piece(msgspec.Struct, array_like=True):
    snapshot: str
    file: str
    offset: int


_ENCODER = msgspec.msgpack.Encoder()
_PIECE = msgspec.msgpack.Decoder(_Piece)


class Snapshots:
    """Both sides; see the module. Event loop only."""

    def __init__(
        self,
        disk: Disk,
        root: Path,
        store: FileStore,
        state: RecordState,
        requests: Requests,
        threads: Threads,
        report: Report,
    ) -> None:
        self._disk = disk
        self._root = root
        self._store = store
        self._state = state
        self._requests = requests
        self._threads = threads
        self._report = report
        self._replica: Replica | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._manifest: files.Manifest | None = None
        self._making = False
        #: members that a snapshot is offered to, and its index
        self._offers: dict[int, int] = {}
        #: why members refused the last one, as was reported
        self._refused: dict[int, str] = {}
        self._receiving = False
        #: index of the snapshot that takes the place of the record now; 0: none does. The log has to
        #: go on from there
        self.comes = 0
        #: set when what is on disk changed, as a snapshot took the place of the record: the node
        #: must be opened again
        self.reopen = asyncio.Event()
        requests.handle(Verb.SNAPSHOT_OFFER, self._on_offer)
        requests.handle(Verb.SNAPSHOT_READ, self._on_read)

    def start(self, replica: Replica, tasks: asyncio.TaskGroup) -> None:
        """Work runs as tasks of this group from here on."""
        self._replica = replica
        self._tasks = tasks

    # --- sending ---

    def newest(self) -> raft.SnapshotMetadata | None:
        """Where a snapshot stands that the log goes on from; None while there is none, and then
        one is being made. Called by the core."""
        replica, manifest = self._replica, self._manifest
        if replica is None or self._tasks is None:
            return None
        if manifest is None or manifest.index + 1 < replica.core.raft.log.first_index():
            if not self._making:
                self._making = True
                self._tasks.create_task(self._make())
            return None
        # the configuration is a matter of the record that travels; the core needs only who it is
        state = replica.core.raft.tracker.conf_state()
        return raft.SnapshotMetadata(state, manifest.index, manifest.term)

    async def make(self) -> files.Manifest:
        """Make a snapshot now.

        :raises DiskFailed: the copy could not be written; the record is as it was.
        """
        try:
            return await self._made()
        except OSError as error:
            raise DiskFailed(
                f"copying the record failed: {error}", hint="check the volume (space, health)"
            ) from error

    async def _made(self) -> files.Manifest:
        assert self._replica is not None
        folder = self._root / layout.SNAPSHOTS
        await self._threads.run("background", self._store.flush)
        async with self._replica.applying.gate:
            head = self._state.current.head
            target = folder / f"{head.applied_index}-{head.applied_term}"
            await self._threads.run("background", self._copy, target)
        manifest = await self._threads.run(
            "background",
            files.describe,
            self._disk,
            target,
            head.applied_index,
            head.applied_term,
        )
        old, self._manifest = self._manifest, manifest
        if old is not None and old.name != manifest.name and not self._offers:
            await self._threads.run(
                "background", files.remove_folder, self._disk, folder / old.name
            )
        self._report("snapshot_made", {"index": manifest.index, "bytes": manifest.size})
        return manifest

    def _copy(self, target: Path) -> None:
        make_folders(self._disk, target.parent)
        if self._disk.exists(target):
            files.remove_folder(self._disk, target)
        self._store.checkpoint(str(target))

    async def _make(self) -> None:
        try:
            await self.make()
        finally:
            self._making = False

    def wanted(self, node: int) -> None:
        """The core wants ``node`` to get the newest snapshot."""
        if node not in self._offers and self._tasks is not None:
            assert self._manifest is not None
            self._offers[node] = self._manifest.index
            self._tasks.create_task(self._offer(node))

    @property
    def on_their_way(self) -> list[int]:
        """The index of each snapshot that a member is about to have, even while it restarts on
        it and says nothing."""
        return list(self._offers.values())

    async def _offer(self, node: int) -> None:
        """Offer it until the other node has it, or is silent."""
        replica, manifest = self._replica, self._manifest
        assert replica is not None
        assert manifest is not None
        loop = asyncio.get_running_loop()
        heard = loop.time()
        body = files.encode_manifest(manifest)
        failed = True
        try:
            while replica.is_leader and loop.time() - heard < _SILENCE_SECONDS:
                try:
                    answer = await self._requests.ask(
                        node, Verb.SNAPSHOT_OFFER, body, urgent=False, seconds=_SILENCE_SECONDS
                    )
                except OutcomeUnknown:
                    await asyncio.sleep(_OFFER_SECONDS)
                    continue
                heard = loop.time()
                if answer == _DONE:
                    self._refused.pop(node, None)
                    failed = False
                    return
                await asyncio.sleep(_OFFER_SECONDS)
        except EverwhenError as error:
            if self._refused.get(node) != str(error):
                self._refused[node] = str(error)
                self._report("snapshot_refused", {"peer": node, "message": str(error)})
            await asyncio.sleep(_OFFER_SECONDS)
        finally:
            del self._offers[node]
            if replica.is_leader:
                replica.core.report_snapshot(node, failed=failed)
                replica.pump_soon()

    async def _on_read(self, sender: int, body: bytes) -> bytes:
        piece = _PIECE.decode(body)
        manifest = self._manifest
        if manifest is None or manifest.name != piece.snapshot:
            raise RequestInvalid(f"this node has no snapshot {piece.snapshot!r}")
        if piece.file not in {file.name for file in manifest.files}:
            raise RequestInvalid(f"snapshot {piece.snapshot} has no file {piece.file!r}")
        folder = self._root / layout.SNAPSHOTS / manifest.name
        try:
            return await self._threads.run(
                "background", files.read_piece, self._disk, folder, piece.file, piece.offset
            )
        except FileNotFoundError as error:
            raise RequestInvalid(f"snapshot {piece.snapshot} is being made anew") from error

    # --- receiving ---

    async def _on_offer(self, sender: int, body: bytes) -> bytes:
        manifest = files.decode_manifest(body)
        replica = self._replica
        if replica is None or self._tasks is None:
            return _UNDER_WAY
        if replica.applied.value >= manifest.index:
            return _DONE
        if not self._receiving and not self.reopen.is_set():
            self._receiving = True
            self._tasks.create_task(self._receive(sender, manifest))
        return _UNDER_WAY

    async def _receive(self, sender: int, manifest: files.Manifest) -> None:
        """Pull, check, install. If the other node goes away the next offer goes on from there."""
        self._report("snapshot_coming", {"peer": sender, "index": manifest.index})
        try:
            for _ in range(_ATTEMPTS):
                try:
                    await self._pull(sender, manifest)
                    self.comes = manifest.index
                    taken = await self._threads.run("log", self._take, manifest)
                except CorruptData as error:
                    self._report("snapshot_damaged", {"message": str(error)})
                    continue
                if taken:
                    self.reopen.set()
                else:
                    self._report("snapshot_not_needed", {"index": manifest.index})
                return
        except EverwhenError as error:
            if not isinstance(error, OutcomeUnknown | RequestInvalid):
                raise
            self._report("snapshot_interrupted", {"peer": sender, "message": str(error)})
        except OSError as error:
            await self._give_up(manifest)
            raise disk_failed("receiving a snapshot", error) from error
        finally:
            self._receiving = False
            if not self.reopen.is_set():
                self.comes = 0

    def _take(self, manifest: files.Manifest) -> bool:
        """Switch to it, unless the log does not reach back to it any more: then the record has more.
        In the thread in which the log is compacted."""
        assert self._replica is not None
        if self._replica.core.raft.log.first_index() > manifest.index + 1:
            files.drop_incoming(self._disk, self._root, manifest)
            return False
        files.finish_incoming(self._disk, self._root, manifest)
        return True

    async def _give_up(self, manifest: files.Manifest) -> None:
        """The disk failed: nothing that came is relied on by the next process."""
        try:
            await self._threads.run("log", files.drop_incoming, self._disk, self._root, manifest)
        except OSError as error:
            self._report("snapshot_not_dropped", {"message": str(error)})

    async def _pull(self, sender: int, manifest: files.Manifest) -> None:
        run = self._threads.run
        disk, root = self._disk, self._root
        await run("background", files.begin_incoming, disk, root, manifest)
        while True:
            wanted = await run("background", files.next_piece, disk, root, manifest)
            if wanted is None:
                return
            file, offset = wanted
            body = _ENCODER.encode(_Piece(manifest.name, file.name, offset))
            data = await self._requests.ask(sender, Verb.SNAPSHOT_READ, body)
            await run("background", files.write_piece, disk, root, manifest, file, offset, data)
