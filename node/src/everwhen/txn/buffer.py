"""What a transaction has written so far, in the two forms that are needed.

*Drafts* answer "what does this entity look like now?" for the transaction's own reads: created
entities in full, changed ones as differences to the snapshot. *Pending* answers "what must still
be sent to the log?": names of what was touched since the last chunk left (a small transaction
never sends one, so there it is everything). Values stand only in the drafts.

Iterators handed out earlier must not see later writes. They capture a *stamp* (a counter of
writes) and skip what was deleted before it; lists that they walk are append-only, of which they
capture the length.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field

from everwhen.model.elements import Value
from everwhen.model.graph import EntityKind

#: a deletion stamp that no iterator reaches
NEVER = 1 << 62


class NodeDraft:
    """A node this transaction created: all of it."""

    __slots__ = ("labels", "properties")

    def __init__(self, labels: set[str], properties: dict[str, Value]) -> None:
        self.labels = labels
        self.properties = properties


class NodeChange:
    """Differences to the snapshot: label -> now there or not, key -> value or None."""

    __slots__ = ("labels", "properties")

    def __init__(self) -> None:
        self.labels: dict[str, bool] = {}
        self.properties: dict[str, Value] = {}


class RelationshipDraft:
    """A relationship this transaction created."""

    __slots__ = ("end", "properties", "start", "type")

    def __init__(self, type_: str, start: int, end: int, properties: dict[str, Value]) -> None:
        self.type = type_
        self.start = start
        self.end = end
        self.properties = properties


class AscendingIds:
    """Ids in ascending order, cheap to capture: appends keep earlier captures valid, and an
    insertion in the middle (ids of another lease block) replaces the list instead."""

    __slots__ = ("ids",)

    def __init__(self) -> None:
        self.ids: list[int] = []

    def add(self, identity: int) -> None:
        ids = self.ids
        if not ids or identity > ids[-1]:
            ids.append(identity)
        else:
            ids = list(ids)
            insort(ids, identity)
            self.ids = ids

    def capture(self) -> tuple[list[int], int]:
        """The list and how much of it counts."""
        return self.ids, len(self.ids)


class LabelDraft:
    """Which nodes gained (True) or lost (False) one label; copied before a write while an
    iterator may hold it."""

    __slots__ = ("members", "shared")

    def __init__(self) -> None:
        self.members: dict[int, bool] = {}
        self.shared = False

    def set(self, node: int, there: bool) -> None:
        if self.shared:
            self.members = dict(self.members)
            self.shared = False
        self.members[node] = there


@dataclass(slots=True)
class NodeTouch:
    """Of one changed node, since the last chunk: label toggles and touched property keys."""

    labels: dict[str, bool] = field(default_factory=dict)
    keys: dict[str, None] = field(default_factory=dict)


class Pending:
    """What the next command must carry; dicts serve as ordered sets."""

    __slots__ = (
        "changed_nodes",
        "changed_relationships",
        "created_nodes",
        "created_relationships",
        "deleted_nodes",
        "deleted_relationships",
        "merges",
    )

    def __init__(self) -> None:
        self.created_nodes: dict[int, None] = {}
        self.changed_nodes: dict[int, NodeTouch] = {}
        self.deleted_nodes: dict[int, None] = {}
        self.created_relationships: dict[int, None] = {}
        self.changed_relationships: dict[int, dict[str, None]] = {}
        self.deleted_relationships: dict[int, None] = {}
        self.merges: dict[bytes, None] = {}

    def __len__(self) -> int:
        """The number of mutations this stands for (merge keys travel beside them)."""
        return (
            len(self.created_nodes)
            + len(self.changed_nodes)
            + len(self.deleted_nodes)
            + len(self.created_relationships)
            + len(self.changed_relationships)
            + len(self.deleted_relationships)
        )

    def node_touch(self, node: int) -> NodeTouch:
        touch = self.changed_nodes.get(node)
        if touch is None:
            touch = self.changed_nodes[node] = NodeTouch()
        return touch


class Buffer:
    """All drafts of one transaction, and what of them is pending."""

    __slots__ = (
        "adjacent_in",
        "adjacent_out",
        "changed_nodes",
        "changed_relationships",
        "counts",
        "created_node_ids",
        "created_nodes",
        "created_relationship_ids",
        "created_relationships",
        "deleted_nodes",
        "deleted_relationships",
        "labels",
        "pending",
        "property_keys",
        "stamp",
    )

    def __init__(self) -> None:
        self.stamp = 0
        self.created_nodes: dict[int, NodeDraft] = {}
        self.created_node_ids = AscendingIds()
        self.changed_nodes: dict[int, NodeChange] = {}
        #: node -> stamp of its deletion; created ones keep their draft for older iterators
        self.deleted_nodes: dict[int, int] = {}
        self.created_relationships: dict[int, RelationshipDraft] = {}
        self.created_relationship_ids = AscendingIds()
        self.changed_relationships: dict[int, dict[str, Value]] = {}
        self.deleted_relationships: dict[int, int] = {}
        #: node -> created relationships, in order of creation
        self.adjacent_out: dict[int, list[int]] = {}
        self.adjacent_in: dict[int, list[int]] = {}
        self.labels: dict[str, LabelDraft] = {}
        #: differences to the snapshot's statistics: ("n", label or None), ("r", type or None)
        self.counts: dict[tuple[str, str | None], int] = {}
        #: every property key given a value
        self.property_keys: set[str] = set()
        self.pending = Pending()

    def count(self, kind: str, name: str | None, by: int) -> None:
        key = (kind, name)
        self.counts[key] = self.counts.get(key, 0) + by

    def label(self, name: str) -> LabelDraft:
        draft = self.labels.get(name)
        if draft is None:
            draft = self.labels[name] = LabelDraft()
        return draft

    def node_change(self, node: int) -> NodeChange:
        change = self.changed_nodes.get(node)
        if change is None:
            change = self.changed_nodes[node] = NodeChange()
        return change

    def drop_relationship_from_pending(self, relationship: int) -> bool:
        """Whether the relationship was created since the last chunk: the log then never hears
        of it. Otherwise its deletion is pending."""
        pending = self.pending
        pending.changed_relationships.pop(relationship, None)
        if relationship in pending.created_relationships:
            del pending.created_relationships[relationship]
            return True
        pending.deleted_relationships[relationship] = None
        return False

    def drop_node_from_pending(self, node: int) -> bool:
        """The same for a node."""
        pending = self.pending
        pending.changed_nodes.pop(node, None)
        if node in pending.created_nodes:
            del pending.created_nodes[node]
            return True
        pending.deleted_nodes[node] = None
        return False

    def touches(self, kind: EntityKind, identity: int) -> bool:
        """Whether anything was written to a node or relationship."""
        if kind is EntityKind.NODE:
            wrote = (self.created_nodes, self.changed_nodes, self.deleted_nodes)
            return any(identity in ids for ids in wrote)
        return (
            identity in self.created_relationships
            or identity in self.changed_relationships
            or identity in self.deleted_relationships
        )

    @property
    def empty(self) -> bool:
        """Nothing was ever written (chunks sent count as written)."""
        return self.stamp == 0
