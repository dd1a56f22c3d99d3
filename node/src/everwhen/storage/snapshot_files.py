"""Snapshots as files: copies of the record at one applied index, sent whole to a member far behind.

Sending side: ``snapshots/<index>-<term>/`` is a checkpoint of the record; its manifest names every
file with length and hash. Receiving side: the files are pulled, piece by piece and from where the
last attempt ended, into ``record-<index>-<term>/``; INCOMING keeps the manifest meanwhile.

Taking the place of the old record is one step: CURRENT is replaced by one that names the new folder
(research/raft.md P38). Whatever a crash leaves undone after it (the log that ends before the
snapshot, the old folder) is done at the next start. A folder that CURRENT does not name is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from everwhen.errors import CorruptData, FormatUnsupported
from everwhen.limits import SNAPSHOT_PIECE_BYTES
from everwhen.ports import Disk, File
from everwhen.storage import format as layout
from everwhen.storage.files import create_durable, write_all

FORMAT: Final = 1
_TEXT_BYTES_MAX: Final = 200


class SnapshotFile(msgspec.Struct, frozen=True, array_like=True):
    """One file of a snapshot."""

    name: str
    size: int
    digest: bytes


class Manifest(msgspec.Struct, frozen=True, array_like=True):
    """What a snapshot consists of, and the entry it stands at."""

    format: int
    index: int
    term: int
    files: list[SnapshotFile]

    @property
    def name(self) -> str:
        """Its folder on the sending side."""
        return f"{self.index}-{self.term}"

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Current:
    """Where the record is; index and term of the snapshot it came from, 0 if from none."""

    folder: str
    index: int
    term: int


class _Front(msgspec.Struct, array_like=True):
    """What manifests of every format begin with."""

    format: int


_ENCODER = msgspec.msgpack.Encoder()
_FRONT = msgspec.msgpack.Decoder(_Front)
_DECODER = msgspec.msgpack.Decoder(Manifest)


def encode_manifest(manifest: Manifest) -> bytes:
    """Bytes for the way and for INCOMING."""
    return _ENCODER.encode(manifest)


def decode_manifest(data: bytes) -> Manifest:
    """The manifest.

    :raises FormatUnsupported: of a format that this build does not know.
    :raises CorruptData: bytes that are none, or file names that lead elsewhere.
    """
    try:
        number = _FRONT.decode(data).format
        if number != FORMAT:
            raise FormatUnsupported(
                f"a snapshot of format {number}; this build takes format {FORMAT}",
                hint="let this node run the version that the others run",
            )
        manifest = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise CorruptData(f"bytes that are no snapshot manifest: {error}") from error
    for file in manifest.files:
        if "/" in file.name or file.name in ("", ".", ".."):
            raise CorruptData(f"a snapshot with a file named {file.name!r}")
    return manifest


# --- where the record is ---


def current(disk: Disk, root: Path) -> Current:
    """Which folder holds the record."""
    path = root / layout.CURRENT
    if not disk.exists(path):
        return Current(layout.RECORD, 0, 0)
    words = _read(disk, path).decode("ascii", "replace").split()
    if len(words) != 3 or not words[1].isdecimal() or not words[2].isdecimal():
        raise CorruptData(f"{path} does not say where the record is")
    return Current(words[0], int(words[1]), int(words[2]))


def switch(disk: Disk, root: Path, manifest: Manifest) -> None:
    """The received snapshot is the record from here on."""
    text = f"{_folder(manifest)} {manifest.index} {manifest.term}\n".encode()
    create_durable(disk, root / layout.CURRENT, lambda file: write_all(file, text, 0)).close()


def sweep(disk: Disk, root: Path) -> None:
    """Remove what no longer counts: old records, copies made for others, a finished INCOMING."""
    # what is removed below must not be missed if the power goes
    disk.sync_directory(root)
    here = current(disk, root)
    kept = {here.folder}
    try:
        incoming = incoming_manifest(disk, root)
    except FormatUnsupported:
        incoming = None  # another build began to receive it: it comes anew, as this one takes it
    if incoming is not None and incoming.index > here.index:
        kept.add(_folder(incoming))
    elif disk.exists(root / layout.INCOMING):
        disk.remove(root / layout.INCOMING)
    for name in disk.names(root):
        if name not in kept and (name == layout.RECORD or name.startswith(layout.RECORD + "-")):
            remove_folder(disk, root / name)
    if disk.exists(root / layout.SNAPSHOTS):
        for name in disk.names(root / layout.SNAPSHOTS):
            remove_folder(disk, root / layout.SNAPSHOTS / name)
    disk.sync_directory(root)


def remove_folder(disk: Disk, folder: Path) -> None:
    """Remove a folder of files."""
    for name in disk.names(folder):
        disk.remove(folder / name)
    disk.remove_directory(folder)


def _folder(manifest: Manifest) -> str:
    return f"{layout.RECORD}-{manifest.index}-{manifest.term}"


def _read(disk: Disk, path: Path) -> bytes:
    file = disk.open_read(path)
    try:
        return file.pread(file.size(), 0)
    finally:
        file.close()


# --- sending ---


def describe(disk: Disk, folder: Path, index: int, term: int) -> Manifest:
    """The manifest of a checkpoint; reads every byte."""
    files: list[SnapshotFile] = []
    for name in disk.names(folder):
        file = disk.open_read(folder / name)
        try:
            files.append(SnapshotFile(name, file.size(), digest_of(file)))
        finally:
            file.close()
    return Manifest(FORMAT, index, term, files)


def digest_of(file: File) -> bytes:
    """SHA-256 of a file."""
    hasher, at, size = sha256(), 0, file.size()
    while at < size:
        data = file.pread(SNAPSHOT_PIECE_BYTES, at)
        if not data:
            break
        hasher.update(data)
        at += len(data)
    return hasher.digest()


def read_piece(disk: Disk, folder: Path, name: str, offset: int) -> bytes:
    """The next piece of a file of a snapshot."""
    file = disk.open_read(folder / name)
    try:
        return file.pread(SNAPSHOT_PIECE_BYTES, offset)
    finally:
        file.close()


# --- receiving ---


def incoming_manifest(disk: Disk, root: Path) -> Manifest | None:
    """The snapshot that is being received, if there is one."""
    path = root / layout.INCOMING
    return decode_manifest(_read(disk, path)) if disk.exists(path) else None


def begin_incoming(disk: Disk, root: Path, manifest: Manifest) -> None:
    """Receive this snapshot from here on; what came of another one is removed."""
    known = incoming_manifest(disk, root)
    if known is not None and known != manifest and disk.exists(root / _folder(known)):
        remove_folder(disk, root / _folder(known))
    if known != manifest:
        data = encode_manifest(manifest)
        create_durable(disk, root / layout.INCOMING, lambda file: write_all(file, data, 0)).close()
    disk.make_directory(root / _folder(manifest))
    disk.sync_directory(root)


def drop_incoming(disk: Disk, root: Path, manifest: Manifest) -> None:
    """Receive it anew from the start: what a failed sync was about may look whole and be lost.
    One that is the record by now was synced."""
    if current(disk, root).folder == _folder(manifest):
        return
    if disk.exists(root / _folder(manifest)):
        remove_folder(disk, root / _folder(manifest))
    if disk.exists(root / layout.INCOMING):
        disk.remove(root / layout.INCOMING)
    disk.sync_directory(root)


def next_piece(disk: Disk, root: Path, manifest: Manifest) -> tuple[SnapshotFile, int] | None:
    """The file and offset to ask for next; None when everything is there."""
    folder = root / _folder(manifest)
    for wanted in manifest.files:
        path = folder / wanted.name
        if not disk.exists(path):
            disk.open(path, create=True).close()
            if wanted.size:
                return wanted, 0
            continue
        file = disk.open_read(path)
        try:
            size = file.size()
        finally:
            file.close()
        if size < wanted.size:
            return wanted, size
    return None


def write_piece(
    disk: Disk, root: Path, manifest: Manifest, wanted: SnapshotFile, offset: int, data: bytes
) -> None:
    """Keep a piece.

    :raises CorruptData: it is empty or longer than the file.
    """
    if not data or offset + len(data) > wanted.size:
        raise CorruptData(f"a piece of {len(data)} bytes at {offset} of {wanted.name}")
    file = disk.open(root / _folder(manifest) / wanted.name)
    try:
        write_all(file, data, offset)
    finally:
        file.close()


def finish_incoming(disk: Disk, root: Path, manifest: Manifest) -> None:
    """Check every hash, make everything durable, and switch to it.

    :raises CorruptData: a file is not what the manifest says; it is removed, to come again.
    """
    folder = root / _folder(manifest)
    for wanted in manifest.files:
        file = disk.open(folder / wanted.name)
        try:
            whole = file.size() == wanted.size and digest_of(file) == wanted.digest
            if whole:
                file.sync()
        finally:
            file.close()
        if not whole:
            disk.remove(folder / wanted.name)
            raise CorruptData(f"{wanted.name} of snapshot {manifest.name} arrived damaged")
    disk.sync_directory(folder)
    switch(disk, root, manifest)
