"""The part of the replicated vocabulary that is about the group of nodes."""

from __future__ import annotations

import msgspec

from everwhen.codec.cluster import Configuration


class FoundCluster(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=32):
    """The first entry of a new cluster: its identity and its first member, who is node 1."""

    format: int
    cluster_id: bytes
    history_id: str
    name: str
    addresses: dict[str, str]
    disk: bytes
    version: str
    feature_level: int


class AddMember(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=33):
    """Admits a node under a new id, bound to its disk; it is in no configuration yet.

    The same name with the same disk gives the same id again. A name that another disk holds is
    refused unless ``replace`` is the id of that member.
    """

    format: int
    name: str
    addresses: dict[str, str]
    disk: bytes
    replace: int
    version: str
    feature_level: int


class DescribeMember(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=34):
    """What a member says of itself when it starts."""

    format: int
    id: int
    addresses: dict[str, str]
    version: str
    feature_level: int


class ForgetMember(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=35):
    """Drops a member that is in no configuration any more; its id never comes back."""

    format: int
    id: int


class Configure(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=36):
    """The configuration that a membership entry of consensus leads to. Never in the log: each
    node derives it from that entry when it applies it."""

    format: int
    configuration: Configuration


class RaiseFeatureLevel(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=37):
    """From here on every node applies by the rules of ``level``."""

    format: int
    level: int


class RaiseEpoch(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=38):
    """An operator's epoch; refused below the highest one seen."""

    format: int
    epoch: int


class RecoverCluster(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=48):
    """A node that lost the majority for ever goes on alone, in a new history. Written by that node
    into its own log, after the entries that make it the only voter (``replica.recovery``)."""

    format: int
    history_id: str
    node: int
