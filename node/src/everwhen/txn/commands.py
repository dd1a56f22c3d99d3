"""The replicated vocabulary: every payload a log entry can carry.

A command is resolved effect, never query text (architecture brief, section 3.1). It is encoded
once by whoever proposes it and decoded by ``apply/`` on every node. Encoding is msgpack of
array-like structs: field order is the format, so fields are only ever appended, and
``FORMAT`` moves when the meaning of one changes.

Strings that repeat (labels, types, property keys) stand once in ``names`` of the command; a
mutation refers to them by position. Property values travel as the bytes of ``codec.values``, so
that apply copies them into the record without decoding.
"""

from __future__ import annotations

from typing import Final

import msgspec

from everwhen.codec.origin import Origin as Origin
from everwhen.txn.cluster_commands import AddMember as AddMember
from everwhen.txn.cluster_commands import Configure as Configure
from everwhen.txn.cluster_commands import DescribeMember as DescribeMember
from everwhen.txn.cluster_commands import ForgetMember as ForgetMember
from everwhen.txn.cluster_commands import FoundCluster as FoundCluster
from everwhen.txn.cluster_commands import RaiseEpoch as RaiseEpoch
from everwhen.txn.cluster_commands import RaiseFeatureLevel as RaiseFeatureLevel
from everwhen.txn.cluster_commands import RecoverCluster as RecoverCluster
from everwhen.txn.compaction_commands import CompactSegment as CompactSegment
from everwhen.txn.compaction_commands import CompactStep as CompactStep
from everwhen.txn.mutations import AnyMutation as AnyMutation
from everwhen.txn.mutations import ChangeLabels as ChangeLabels
from everwhen.txn.mutations import ChangeNode as ChangeNode
from everwhen.txn.mutations import ChangeRelationship as ChangeRelationship
from everwhen.txn.mutations import CreateNode as CreateNode
from everwhen.txn.mutations import CreateRelationship as CreateRelationship
from everwhen.txn.mutations import DeleteNode as DeleteNode
from everwhen.txn.mutations import DeleteRelationship as DeleteRelationship
from everwhen.txn.mutations import ReviveNode as ReviveNode
from everwhen.txn.mutations import ReviveRelationship as ReviveRelationship
from everwhen.txn.retention_commands import CreateRestorePoint as CreateRestorePoint
from everwhen.txn.retention_commands import DropRestorePoint as DropRestorePoint
from everwhen.txn.retention_commands import Erase as Erase
from everwhen.txn.retention_commands import EraseStep as EraseStep
from everwhen.txn.retention_commands import RaiseHorizon as RaiseHorizon
from everwhen.txn.retention_commands import SetRetention as SetRetention
from everwhen.txn.retention_commands import VacuumStep as VacuumStep
from everwhen.txn.user_commands import AlterUser as AlterUser
from everwhen.txn.user_commands import CreateUser as CreateUser
from everwhen.txn.user_commands import DropUser as DropUser

FORMAT: Final = 1


class Checks(msgspec.Struct, frozen=True, array_like=True):
    """What must still hold at commit beyond what the mutations themselves imply.

    ``merges`` are pattern keys: each must not have been noted by a commit after the read version,
    and is noted by this one. ``reads`` are read keys (SERIALIZABLE only): none may have been
    written after the read version. See ``txn.footprint`` for their bytes.
    """

    merges: list[bytes] = []
    reads: list[bytes] = []


class Commit(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=1):
    """A whole transaction in one entry."""

    format: int
    #: commit time in µs since 1970 UTC, from the proposer's hybrid clock; log order is time order
    time: int
    read_version: int
    names: list[str]
    mutations: list[AnyMutation]
    checks: Checks
    origin: Origin
    #: the caller's own commit time was asked for (historical load)
    own_time: bool = False
    #: the statements' texts, where they are kept for the audit (from ``LEVEL_AUDIT`` on)
    texts: list[str] = []


class BeginChunks(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=2):
    """A transaction too large for one entry begins; its staging ends by commit, abort, expiry.

    ``transaction`` is 0: apply numbers it and answers with ``Begun``.
    """

    format: int
    transaction: int
    read_version: int
    origin: Origin
    #: as in ``Commit``
    texts: list[str] = []


class Chunk(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=3):
    """The next piece: mutations, or column segments (``codec.segments``) of fresh ids."""

    format: int
    transaction: int
    number: int
    names: list[str]
    mutations: list[AnyMutation]
    segments: list[bytes]
    checks: Checks


class CommitChunks(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=4):
    """Publishes the staged pieces at one version; ``chunks`` must equal the number staged."""

    format: int
    time: int
    transaction: int
    chunks: int
    own_time: bool = False


class CheckChunks(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=13):
    """One bounded step of what the commit of a large transaction needs to know of the nodes it
    deletes; all its ``chunks`` are staged. The reply says whether more is left (``Done.more``, as
    that to a chunk does); the commit entry does the rest, however much.

    From ``LEVEL_DETACHING`` on; ``limit`` bounds the relationships looked at.
    """

    format: int
    transaction: int
    chunks: int
    limit: int


class AbortChunks(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=5):
    """Forgets the staged pieces; also proposed by the leader for one that stayed silent."""

    format: int
    transaction: int
    reason: str


class CloseTime(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=6):
    """Clock entry: no commit may be stamped at or before ``time`` any more."""

    format: int
    time: int


class LeaseIds(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=7):
    """Reserves ``nodes`` node ids and ``relationships`` relationship ids for one node's use."""

    format: int
    nodes: int
    relationships: int


class CreateIndex(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=8):
    """A range index begins life in state *building*."""

    format: int
    name: str
    entity: str
    label: str
    properties: list[str]
    if_not_exists: bool


class CreateConstraint(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=9):
    """A constraint (``constraint`` is a ``model.schema.ConstraintKind`` value) begins."""

    format: int
    name: str
    constraint: str
    entity: str
    label: str
    properties: list[str]
    type_text: str
    if_not_exists: bool


class DropSchema(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=10):
    """Drops an index or constraint by name; works while it builds."""

    format: int
    name: str
    constraint: bool
    if_exists: bool


class BackfillStep(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=11):
    """One bounded step of a backfill: apply itself continues from its stored position.

    Driven by the leader until the definition is *online* or *failed*; ``limit`` bounds the
    entities looked at, so that no apply step takes more than 20 ms.
    """

    format: int
    id: int
    limit: int


class FoldStep(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=12):
    """One bounded step that moves a published run of a large transaction into the main keys, or
    clears an aborted one; visible to nobody."""

    format: int
    limit: int


Command = (
    Commit
    | BeginChunks
    | Chunk
    | CommitChunks
    | CheckChunks
    | AbortChunks
    | CloseTime
    | LeaseIds
    | CreateIndex
    | CreateConstraint
    | DropSchema
    | BackfillStep
    | FoldStep
    | FoundCluster
    | AddMember
    | DescribeMember
    | ForgetMember
    | Configure
    | RaiseFeatureLevel
    | RaiseEpoch
    | RecoverCluster
    | CreateUser
    | AlterUser
    | DropUser
    | SetRetention
    | CreateRestorePoint
    | DropRestorePoint
    | RaiseHorizon
    | VacuumStep
    | Erase
    | EraseStep
    | CompactSegment
    | CompactStep
)


# --- replies -------------------------------------------------------------------------------


class Committed(msgspec.Struct, frozen=True, array_like=True):
    """The transaction is in: at this version and time."""

    version: int
    time: int
    #: true when the request id had been seen: this is the first attempt's outcome again
    repeated: bool = False


class Leased(msgspec.Struct, frozen=True, array_like=True):
    """First ids of the reserved blocks."""

    first_node: int
    first_relationship: int


class Begun(msgspec.Struct, frozen=True, array_like=True):
    """A large transaction is open under this number, for its chunks and its commit."""

    transaction: int


class SchemaChanged(msgspec.Struct, frozen=True, array_like=True):
    """``changed`` is false when IF [NOT] EXISTS made it a no-op; also the reply about users."""

    changed: bool
    catalog_version: int
    id: int = 0


class Done(msgspec.Struct, frozen=True, array_like=True):
    """The entry took effect and has nothing else to say. ``more``: work of this kind is left."""

    more: bool = False


class MemberAdded(msgspec.Struct, frozen=True, array_like=True):
    """The id of the member; ``repeated`` if it had been added before."""

    id: int
    repeated: bool = False


class Vacuumed(msgspec.Struct, frozen=True, array_like=True):
    """A step of vacuum or of an erasure: keys and bytes it took away, and whether work is left."""

    keys: int
    size: int
    more: bool


Reply = Committed | Leased | Begun | SchemaChanged | Done | MemberAdded | Vacuumed

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Command)


def encode(command: Command) -> bytes:
    """Bytes of a log entry's payload."""
    return _ENCODER.encode(command)


def decode(payload: bytes) -> Command:
    """The command of a payload.

    :raises msgspec.ValidationError: bytes that are no command of this build.
    """
    command: Command = _DECODER.decode(payload)
    return command
