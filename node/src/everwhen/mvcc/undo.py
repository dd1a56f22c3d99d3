"""What has to be done to a graph so that some change of the past is undone: flashback, as steps.

Three states of the record take part: *before* the change, *after* it, and *now*. Going back to a
moment undoes everything since, so there *after* is *now*. Undoing one commit is a merge of three
states: what the commit changed goes back to *before*, and where *now* is neither what the commit
left nor what was before it, a later commit changed the same thing, which is a conflict.

Steps come in an order in which each can be done: what goes, relationships first, then what changes
or comes back, nodes first. Nothing is held but ids, eight bytes each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from everwhen.codec.values import encode_value
from everwhen.limits import FLASHBACK_CONFLICTS_SHOWN
from everwhen.model.graph import EntityKind
from everwhen.mvcc.difference import IdSet, Touched, same_node, same_relationship
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.images import NodeImage, RelationshipImage

_NODE: Final = EntityKind.NODE
_RELATIONSHIP: Final = EntityKind.RELATIONSHIP


class Gone(NamedTuple):
    """It is deleted; ``names`` are its labels, or its type."""

    kind: EntityKind
    id: int
    names: tuple[str, ...]


class Back(NamedTuple):
    """It is there again under its id, with these labels (or this type) and encoded properties."""

    kind: EntityKind
    id: int
    names: tuple[str, ...]
    ends: tuple[int, int] | None
    properties: Mapping[str, bytes]


class Changed(NamedTuple):
    """Its labels and properties change; None removes a property."""

    kind: EntityKind
    id: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    properties: Mapping[str, bytes | None]


Step = Gone | Back | Changed


class Conflict(NamedTuple):
    """A later commit changed what is to be undone."""

    kind: EntityKind
    id: int
    what: str


class Undo:
    """See the module. ``conflicts`` holds the first few, ``conflicts_found`` how many there were,
    once the steps are through; with a conflict the steps are those of overriding it."""

    __slots__ = ("_after", "_before", "_needed", "_now", "conflicts", "conflicts_found")

    def __init__(self, before: Entities, after: Entities, now: Entities) -> None:
        self._before = before
        self._after = after
        self._now = now
        #: ends of relationships that come back, which a later commit deleted
        self._needed: set[int] = set()
        self.conflicts: list[Conflict] = []
        self.conflicts_found = 0

    def _conflict(self, kind: EntityKind, identity: int, what: str) -> None:
        self.conflicts_found += 1
        if len(self.conflicts) < FLASHBACK_CONFLICTS_SHOWN:
            self.conflicts.append(Conflict(kind, identity, what))

    # --- what cannot be without each other ---

    def complete(self, ids: Touched) -> None:
        """Add the relationships of nodes that go, and the ends of relationships that come back.

        Not needed when everything that was written since is among the ids already.
        """
        for node in ids.nodes:
            if not _alive(self._before.node_head(node)) and self._now_alive(node):
                for outgoing in (True, False):
                    for _, _, relationship in self._now.adjacent(node, outgoing):
                        ids.relationships.add(relationship)
        for relationship in ids.relationships:
            image = self._before.relationship(relationship)
            if image is None or _alive(self._now.relationship_head(relationship)):
                continue
            if _alive(self._after.relationship_head(relationship)):
                continue  # a later commit deleted it: it stays away
            for node in image.ends[1:]:
                if not self._now_alive(node):
                    ids.nodes.add(node)
                    if _alive(self._after.node_head(node)):
                        self._needed.add(node)

    def _now_alive(self, node: int) -> bool:
        return _alive(self._now.node_head(node))

    # --- steps ---

    def steps(self, ids: Touched) -> Iterator[Step]:
        """What to do about these entities; ids of what needs nothing done may be among them."""
        staying = Touched(IdSet(), IdSet())
        for relationship in ids.relationships:
            if _alive(self._before.relationship_head(relationship)):
                staying.relationships.add(relationship)
            elif (gone := self._relationship_goes(relationship)) is not None:
                yield gone
        for node in ids.nodes:
            if _alive(self._before.node_head(node)):
                staying.nodes.add(node)
            elif (gone := self._node_goes(node)) is not None:
                yield gone
        for node in staying.nodes:
            if (step := self._node(node)) is not None:
                yield step
        for relationship in staying.relationships:
            if (step := self._relationship(relationship)) is not None:
                yield step

    def _node_goes(self, node: int) -> Gone | None:
        """A node that was not there before."""
        now = self._now.node(node)
        if now is None:
            return None
        if self._after is not self._now and not same_node(self._after.node(node), now):
            self._conflict(_NODE, node, f"commit {now.last_version} changed it")
        return Gone(_NODE, node, now.labels)

    def _relationship_goes(self, relationship: int) -> Gone | None:
        now = self._now.relationship(relationship)
        if now is None:
            return None
        if self._after is not self._now:
            after = self._after.relationship(relationship)
            if after is None:
                what = f"commit {now.version} created it, at a node that would be deleted"
                self._conflict(_RELATIONSHIP, relationship, what)
            elif not same_relationship(after, now):
                self._conflict(_RELATIONSHIP, relationship, f"commit {now.last_version} changed it")
        return Gone(_RELATIONSHIP, relationship, (self._type(now),))

    def _node(self, node: int) -> Step | None:
        """A node that was there before."""
        before, after = self._before.node(node), self._after.node(node)
        assert before is not None
        now = after if self._after is self._now else self._now.node(node)
        if now is None:
            if after is not None:
                if node not in self._needed and same_node(before, after):
                    return None
                self._deleted_since(_NODE, node, self._now.node_head(node))
                if node not in self._needed:
                    return None
            return Back(_NODE, node, before.labels, None, _encoded(before))
        if after is None:
            if not same_node(before, now):
                self._conflict(_NODE, node, f"commit {now.version} brought it back otherwise")
            after = now
        was, left, is_ = set(before.labels), set(after.labels), set(now.labels)
        gained = tuple(sorted((was - left) - is_))
        lost = tuple(sorted((left - was) & is_))
        properties = self._properties(_NODE, node, before, after, now)
        if not (gained or lost or properties):
            return None
        return Changed(_NODE, node, gained, lost, properties)

    def _relationship(self, relationship: int) -> Step | None:
        before, after = (
            self._before.relationship(relationship),
            self._after.relationship(relationship),
        )
        assert before is not None
        now = after if self._after is self._now else self._now.relationship(relationship)
        if now is None:
            if after is None:
                ends = before.ends[1:]
                names = (self._type(before),)
                return Back(_RELATIONSHIP, relationship, names, ends, _encoded(before))
            if not same_relationship(before, after):
                head = self._now.relationship_head(relationship)
                self._deleted_since(_RELATIONSHIP, relationship, head)
            return None
        if after is None:
            if not same_relationship(before, now):
                what = f"commit {now.version} brought it back otherwise"
                self._conflict(_RELATIONSHIP, relationship, what)
            after = now
        properties = self._properties(_RELATIONSHIP, relationship, before, after, now)
        return Changed(_RELATIONSHIP, relationship, (), (), properties) if properties else None

    def _properties(
        self,
        kind: EntityKind,
        identity: int,
        before: NodeImage | RelationshipImage,
        after: NodeImage | RelationshipImage,
        now: NodeImage | RelationshipImage,
    ) -> dict[str, bytes | None]:
        """The properties to set so that those which differ between before and after are as before."""
        was, left = _encoded(before), _encoded(after)
        is_ = left if now is after else _encoded(now)
        found: dict[str, bytes | None] = {}
        for key in sorted({*was, *left}):
            wanted, made, there = was.get(key), left.get(key), is_.get(key)
            if wanted == made or there == wanted:
                continue
            if there != made:
                version = now.property_version(self._now.tokens.keys.ids[key])
                self._conflict(kind, identity, f"commit {version} changed its property `{key}`")
            found[key] = wanted
        return found

    def _deleted_since(
        self, kind: EntityKind, identity: int, head: tuple[int, bool] | None
    ) -> None:
        by = "a later commit" if head is None else f"commit {head[0]}"
        self._conflict(kind, identity, f"{by} deleted it")

    def _type(self, image: RelationshipImage) -> str:
        return self._now.tokens.types.names[image.ends[0]]


def _alive(head: tuple[int, bool] | None) -> bool:
    return head is not None and head[1]


def _encoded(image: NodeImage | RelationshipImage) -> dict[str, bytes]:
    """Properties as stored, ascending by key."""
    return {key: encode_value(value) for key, value in image.properties().items()}
