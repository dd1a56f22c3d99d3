"""The group of nodes as its own replicated state knows it: one value in the record.

Who belongs to the group is decided by log entries alone, so every node, every snapshot and every
restart agrees on it (research/raft.md P30, P33, P35). Node ids come from a counter that only grows,
and each id is bound to one data directory by that directory's own random id: a disk that was
emptied, or an older copy of one, cannot speak under the id it once had (P29).
"""

from __future__ import annotations

from typing import Final

import msgspec

from everwhen.errors import CorruptData, FormatUnsupported, PreconditionFailed

FORMAT: Final = 1
#: what this build can do at most, and what a new cluster begins with (architecture brief, 3.7)
FEATURE_LEVEL: Final = 8
#: the level from which on the state holds users
LEVEL_USERS: Final = 2
#: the level from which on there are vector indexes
LEVEL_VECTORS: Final = 3
#: the level from which on a log may say that a lost majority was given up
LEVEL_RECOVERY: Final = 3
#: the level from which on a commit may bring back what was deleted
LEVEL_FLASHBACK: Final = 4
#: the level from which on commits may carry the texts of their statements
LEVEL_AUDIT: Final = 5
#: the level from which on there are full-text indexes
LEVEL_FULLTEXT: Final = 6
#: the level from which on versions may be forgotten: retention, vacuum, erasures
LEVEL_RETENTION: Final = 6
#: the level from which on segments may hold rows of several versions: record compaction
LEVEL_COMPACTION: Final = 7
#: the level from which on chunks leave deleted nodes to be looked at in bounded steps
LEVEL_DETACHING: Final = 8
#: META name of the value
META_CLUSTER: Final = "cluster"


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A node that was admitted. Whether it votes stands in the configuration."""

    id: int
    name: str
    #: door -> "host:port" as others reach it: ``peer``, ``bolt``, ``http``
    addresses: dict[str, str]
    #: id of its data directory (16 bytes)
    disk: bytes
    version: str = ""
    feature_level: int = FEATURE_LEVEL
    #: the member whose place it takes, once it votes; 0 for none
    replaces: int = 0


class Configuration(msgspec.Struct, frozen=True, array_like=True):
    """Who votes and who follows, as applied at entry ``index``; lists ascending.

    ``outgoing`` is not empty in a joint configuration: both majorities decide then.
    """

    index: int = 0
    voters: list[int] = []
    outgoing: list[int] = []
    learners: list[int] = []
    learners_next: list[int] = []
    auto_leave: bool = False

    @property
    def ids(self) -> list[int]:
        """Every node in it, ascending."""
        return sorted({*self.voters, *self.outgoing, *self.learners, *self.learners_next})


class Cluster(msgspec.Struct, frozen=True, array_like=True):
    """The group; ``members`` ascending by id, also those not in the configuration yet."""

    format: int = FORMAT
    cluster_id: bytes = b""
    #: begins anew with a restore or a forced recovery; part of every bookmark
    history_id: str = ""
    members: list[Member] = []
    next_member: int = 1
    configuration: Configuration = Configuration()
    #: the highest epoch an operator has shown; lower ones are refused
    operator_epoch: int = 0
    feature_level: int = FEATURE_LEVEL

    def member(self, number: int) -> Member | None:
        """A member by id."""
        return next((each for each in self.members if each.id == number), None)

    def replaced_by(self, number: int) -> list[int]:
        """Members of the configuration whose places a member takes."""
        found: list[int] = []
        member = self.member(number)
        while member is not None and (member := self.member(member.replaces)) is not None:
            found.append(member.id)
        return [each for each in found if each in self.configuration.ids]

    def named(self, name: str) -> Member | None:
        """A member by name."""
        return next((each for each in self.members if each.name == name), None)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Cluster)


def encode_cluster(cluster: Cluster) -> bytes:
    """The value under META ``cluster``."""
    return _ENCODER.encode(cluster)


def decode_cluster(value: bytes) -> Cluster:
    """The group.

    :raises CorruptData: bytes that are none.
    :raises FormatUnsupported: written by a newer build.
    """
    try:
        cluster = _DECODER.decode(value)
    except msgspec.MsgspecError as error:
        raise CorruptData(f"bytes that are no cluster: {error}") from error
    if cluster.format > FORMAT:
        raise FormatUnsupported(f"a cluster of format {cluster.format}; this build knows {FORMAT}")
    return cluster


def check_level(cluster: Cluster, level: int, what: str) -> None:
    """Below the level, members of older builds could not read the entry. Asked before it is
    proposed, and again when it is applied.

    :raises PreconditionFailed: the cluster has not reached it.
    """
    if cluster.feature_level < level:
        raise PreconditionFailed(
            f"{what} need feature level {level}, the cluster is at {cluster.feature_level}",
            hint=f"once every member runs this version: everwhen admin feature-level {level}",
        )
