"""Who a data directory belongs to, before there is anything else in it.

A node that starts on an empty folder makes its identity first: a disk id, random and for ever. It
then waits until a cluster admits that disk under a node id (or until it is told to found one). Only
then are the log and the record made, under that id. So a folder that was emptied comes back with
another disk id, which no cluster takes for the old one (research/raft.md P29, P33).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

from everwhen.errors import MembershipRefused
from everwhen.ports import Disk, Random
from everwhen.storage import format as layout
from everwhen.storage.files import disk_failed, remove_note, write_note
from everwhen.storage.folders import make_folders
from everwhen.storage.meta import Meta, MetaFile, read_meta

_NOBODY = UUID(int=0)


def identify(disk: Disk, root: Path, random: Random, *, holder: str) -> Meta:
    """The identity in ``root``; makes the folder and a new identity if there is none.

    ``node_id`` is 0 until ``assign``.
    """
    try:
        make_folders(disk, root)
        lock = layout.take_lock(disk, root, holder)
        try:
            layout.read_format(disk, root)
            path = root / layout.META
            if not disk.exists(path):
                meta = Meta(_NOBODY, node_id=0, disk_id=random.uuid())
                MetaFile.create(disk, path, meta).close()
            return read_meta(disk, path)[1]
        finally:
            lock.release()
    except OSError as error:
        raise disk_failed(f"opening {root}", error) from error


def assign(
    disk: Disk,
    root: Path,
    cluster_id: UUID,
    node_id: int,
    *,
    holder: str,
    asks_for_vote: bool = False,
) -> None:
    """Bind the directory to a cluster and a node id, once and for ever; durable on return.
    ``asks_for_vote``: the node asked to be admitted, and asks for its vote until it has it.

    :raises MembershipRefused: it is bound to another one.
    """
    lock = layout.take_lock(disk, root, holder)
    try:
        file = MetaFile.open(disk, root / layout.META)
        try:
            known = file.value
            if (known.cluster_id, known.node_id) == (cluster_id, node_id):
                return
            if known.node_id:
                raise MembershipRefused(
                    f"{root} belongs to node {known.node_id} of cluster {known.cluster_id}",
                    hint="give the new node an empty data directory",
                )
            if asks_for_vote:
                write_note(disk, root / layout.ASKS, "for its vote\n")
            else:
                forget_to_ask(disk, root)
            file.save(replace(known, cluster_id=cluster_id, node_id=node_id))
        finally:
            file.close()
    finally:
        lock.release()


def asks_for_vote(disk: Disk, root: Path) -> bool:
    """Whether the node of this directory is still to ask for its vote."""
    return disk.exists(root / layout.ASKS)


def forget_to_ask(disk: Disk, root: Path) -> None:
    """It votes, or waits to be told; durable on return, fine if it was not to ask.

    :raises DiskFailed: it may or may not be forgotten.
    """
    remove_note(disk, root / layout.ASKS)
