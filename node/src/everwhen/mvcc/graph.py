"""The committed graph at one version, as execution sees it: names, elements, values.

A snapshot belongs to one transaction on one thread. It keeps the entities it decoded, up to a
bound; a committed version never changes, so nothing in it is ever stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from everwhen.errors import EntityNotFound
from everwhen.limits import SNAPSHOT_CACHE_ENTRIES
from everwhen.model.changes import ChangeRecord, Names, Position
from everwhen.model.columns import GraphColumns
from everwhen.model.elements import ElementReader, Node, Relationship, Value
from everwhen.model.graph import (
    Difference,
    Direction,
    EntityKind,
    Era,
    RangeView,
    Span,
)
from everwhen.mvcc import times
from everwhen.mvcc.changes import ChangeReader, reader_of
from everwhen.mvcc.difference import differences
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.history import commit_time, eras, spans
from everwhen.mvcc.images import NodeImage, RelationshipImage
from everwhen.mvcc.indexed import Indexed
from everwhen.mvcc.state import Published, RecordState
from everwhen.mvcc.versioned import Versioned

#: labelled nodes looked at together; reading ahead pays if their ids lie about as dense as this
_BATCH: Final = 256
_SPREAD: Final = 4
#: with at most so many types, one seek each beats reading a whole neighbourhood
_TYPES_TO_SEEK: Final = 16


class GraphSnapshot(Indexed):
    """A :class:`~everwhen.model.graph.GraphView` of committed data.

    ``view`` is what elements are bound to: the snapshot itself, or the transaction that adds its
    own writes on top of it.
    """

    __slots__ = ("_entities", "_loads", "_spans", "_view")

    def __init__(
        self, state: RecordState, version: int | None = None, view: ElementReader | None = None
    ) -> None:
        published = state.current
        super().__init__(state, published.head.version if version is None else version)
        self._published: Published = published
        self._limited = not published.horizons.whole(self._version)
        self._entities = Entities(
            Versioned(state.store, published.runs, state.unfolded),
            state.tokens,
            published.segments,
            state.cache,
            self._version,
        )
        self._spans: dict[tuple[EntityKind, int], list[Span]] = {}
        #: nodes fetched one by one so far: tells whether reading ahead would have paid
        self._loads = 0
        #: None stands for itself: a reference to it would keep it until a collection
        self._view = view

    @property
    def view(self) -> ElementReader:
        """What its elements are bound to."""
        return self if self._view is None else self._view

    def bind(self, view: ElementReader | None) -> None:
        """Bind elements to ``view``; None: to the snapshot itself."""
        self._view = view

    @property
    def is_current(self) -> bool:
        """Whether it was made of what is published now."""
        return self._published is self._state.current

    @property
    def entities(self) -> Entities:
        """The same version in tokens and ids."""
        return self._entities

    @property
    def oldest(self) -> int:
        """The oldest version that it answers for."""
        return self._version

    @property
    def is_moment(self) -> bool:
        """Whether it answers for one version: then what it yields is, not only was."""
        return self.oldest == self._version

    # --- one entity ---

    def node_image(self, node_id: int) -> NodeImage | None:
        """A node's image, or None."""
        images = self._images
        try:
            return images[node_id]
        except KeyError:
            pass
        image = self._entities.node(node_id)
        self._loads += 1
        if len(images) >= SNAPSHOT_CACHE_ENTRIES:
            images.clear()
        images[node_id] = image
        return image

    def relationship_image(self, relationship_id: int) -> RelationshipImage | None:
        """A relationship's image, or None."""
        images = self._relationship_images
        try:
            return images[relationship_id]
        except KeyError:
            pass
        image = self._entities.relationship(relationship_id)
        if len(images) >= SNAPSHOT_CACHE_ENTRIES:
            images.clear()
        images[relationship_id] = image
        return image

    def know(self, identity: int, image: NodeImage | RelationshipImage) -> None:
        """Take what an entity is at this version, so that it need not be read."""
        node = isinstance(image, NodeImage)
        known: dict[int, Any] = self._images if node else self._relationship_images
        known[identity] = image

    def _node(self, node_id: int) -> NodeImage:
        image = self.node_image(node_id)
        if image is None:
            raise _gone("node", node_id, self._version)
        return image

    def _relationship(self, relationship_id: int) -> RelationshipImage:
        image = self.relationship_image(relationship_id)
        if image is None:
            raise _gone("relationship", relationship_id, self._version)
        return image

    def has_node(self, node_id: int) -> bool:
        return self.node_image(node_id) is not None

    def has_relationship(self, relationship_id: int) -> bool:
        return self.relationship_image(relationship_id) is not None

    def node(self, node_id: int) -> Node | None:
        self._need_labels(None)
        return None if self.node_image(node_id) is None else Node(node_id, self.view)

    def relationship(self, relationship_id: int) -> Relationship | None:
        self._need_types(None)
        image = self.relationship_image(relationship_id)
        return None if image is None else self._bound(relationship_id, image)

    def _bound(self, relationship_id: int, image: RelationshipImage) -> Relationship:
        type_, start, end = image.ends
        return Relationship(relationship_id, self._tokens.types.names[type_], start, end, self.view)

    def node_labels(self, node_id: int) -> tuple[str, ...]:
        return self._node(node_id).labels

    def node_properties(self, node_id: int) -> Mapping[str, Value]:
        return self._node(node_id).properties()

    def node_property(self, node_id: int, key: str) -> Value:
        return self._node(node_id).get(key)

    def relationship_properties(self, relationship_id: int) -> Mapping[str, Value]:
        return self._relationship(relationship_id).properties()

    def relationship_property(self, relationship_id: int, key: str) -> Value:
        return self._relationship(relationship_id).get(key)

    # --- scans ---

    def nodes(self) -> Iterator[Node]:
        self._need_labels(None)
        images = self._images
        view = self.view
        for node_id, image in self._entities.nodes():
            if len(images) >= SNAPSHOT_CACHE_ENTRIES:
                images.clear()
            images[node_id] = image
            yield Node(node_id, view)

    def nodes_with_label(self, label: str) -> Iterator[Node]:
        self._need_labels([label])
        token = self._tokens.labels.find(label)
        if token is None:
            return
        view = self.view
        ids = self._entities.labelled(token)
        while True:
            batch = list(islice(ids, _BATCH))
            before = self._loads
            for node_id in batch:
                yield Node(node_id, view)
            if len(batch) < _BATCH:
                return
            if self._loads - before >= _BATCH // 2:
                yield from self._labelled_ahead(ids)
                return

    def count_nodes(self, label: str | None, tick: Callable[[], None]) -> int:
        self._need_labels(None if label is None else [label])
        count = 0
        for _ in self._entities.node_ids() if label is None else self.nodes_with_label(label):
            tick()
            count += 1
        return count

    def _labelled_ahead(self, ids: Iterator[int]) -> Iterator[Node]:
        """The rest of a label scan whose nodes are being looked into: fetched in ranges."""
        view = self.view
        while True:
            batch = list(islice(ids, _BATCH))
            if not batch:
                return
            low, high = batch[0], batch[-1] + 1
            if high - low <= _SPREAD * len(batch):
                if len(self._images) >= SNAPSHOT_CACHE_ENTRIES:
                    self._images.clear()
                self._images.update(self._entities.nodes(low, high))
            for node_id in batch:
                yield Node(node_id, view)

    def relationships(self, types: Sequence[str] | None = None) -> Iterator[Relationship]:
        tokens = self._type_tokens(types)
        if tokens is not None and not tokens:
            return
        images = self._relationship_images
        for relationship_id, image in self._entities.relationships(tokens):
            if len(images) >= SNAPSHOT_CACHE_ENTRIES:
                images.clear()
            images[relationship_id] = image
            yield self._bound(relationship_id, image)

    def _type_tokens(self, types: Sequence[str] | None) -> list[int] | None:
        """Tokens of the types that exist, ascending; None stays None (all types).

        :raises TimeOutOfRange: some of them may be gone at this version.
        """
        self._need_types(types)
        if types is None:
            return None
        ids = self._tokens.types.ids
        return sorted({ids[name] for name in types if name in ids})

    # --- adjacency ---

    def expand(
        self, node_id: int, direction: Direction, types: Sequence[str] | None = None
    ) -> Iterator[Relationship]:
        tokens = self._type_tokens(types)
        names = self._tokens.types.names
        view = self.view
        if direction is not Direction.IN:
            for type_, other, relationship in self._neighbours(node_id, True, tokens):
                yield Relationship(relationship, names[type_], node_id, other, view)
        if direction is not Direction.OUT:
            both = direction is Direction.BOTH
            for type_, other, relationship in self._neighbours(node_id, False, tokens):
                if not (both and other == node_id):
                    yield Relationship(relationship, names[type_], other, node_id, view)

    def _neighbours(
        self, node_id: int, outgoing: bool, tokens: list[int] | None
    ) -> Iterator[tuple[int, int, int]]:
        if tokens is None:
            yield from self._entities.adjacent(node_id, outgoing)
        else:
            for token in tokens:
                yield from self._entities.adjacent(node_id, outgoing, token)

    def expand_into(
        self, start: int, end: int, direction: Direction, types: Sequence[str] | None = None
    ) -> Iterator[Relationship]:
        tokens = self._type_tokens(types)
        names = self._tokens.types.names
        if direction is not Direction.IN:
            for type_, relationship in self._between(start, end, tokens):
                yield Relationship(relationship, names[type_], start, end, self.view)
        if direction is Direction.IN or (direction is Direction.BOTH and start != end):
            for type_, relationship in self._between(end, start, tokens):
                yield Relationship(relationship, names[type_], end, start, self.view)

    def _between(self, start: int, end: int, tokens: list[int] | None) -> Iterator[tuple[int, int]]:
        """(type, relationship) from start to end."""
        if tokens is None:
            if len(self._tokens.types.names) > _TYPES_TO_SEEK:
                for type_, other, relationship in self._entities.adjacent(start, True):
                    if other == end:
                        yield type_, relationship
                return
            tokens = list(range(len(self._tokens.types.names)))
        for token in tokens:
            for type_, _, relationship in self._entities.adjacent(start, True, token, end):
                yield type_, relationship

    def degree(self, node_id: int, direction: Direction, types: Sequence[str] | None = None) -> int:
        tokens = self._type_tokens(types)
        count = 0
        if direction is not Direction.IN:
            count += sum(1 for _ in self._neighbours(node_id, True, tokens))
        if direction is Direction.IN:
            count += sum(1 for _ in self._neighbours(node_id, False, tokens))
        elif direction is Direction.BOTH:
            incoming = self._neighbours(node_id, False, tokens)
            count += sum(1 for entry in incoming if entry[1] != node_id)
        return count

    def columns(self, worth: int) -> GraphColumns | None:
        if self._limited or self._state.graph is None:
            return None  # what may be read of it is looked up row by row
        return self._state.graph.view(self._version, worth)

    def history(self, kind: EntityKind, identity: int) -> Iterator[Era]:
        return eras(self._entities, kind, identity, self._oldest(kind, identity))

    def _oldest(self, kind: EntityKind, identity: int) -> int:
        """From which version on an entity's past can be read; a restore point stands alone."""
        # those of now: they may have risen since the snapshot was taken
        horizons, found = self._state.current.horizons, 0
        if not horizons.highest:
            return 0
        if kind is EntityKind.NODE:
            node = self.node_image(identity)
            found = horizons.highest if node is None else horizons.node(node.labels or ("",))
        else:
            image = self.relationship_image(identity)
            name = None if image is None else self._tokens.types.names[image.ends[0]]
            found = horizons.highest if name is None else horizons.type(name).version
        return min(found, self._version)

    def spans(self, kind: EntityKind, identity: int) -> Sequence[Span]:
        key = kind, identity
        found = self._spans.get(key)
        if found is None:
            if len(self._spans) >= SNAPSHOT_CACHE_ENTRIES:
                self._spans.clear()
            found = self._spans[key] = spans(
                self._entities, kind, identity, self._oldest(kind, identity)
            )
        return found

    def time_of(self, version: int) -> int:
        return commit_time(self._state.store, version)

    def between(self, low: int, high: int) -> RangeView:
        from everwhen.mvcc.ranges import GraphRange

        for version in (low, max(low, high)):
            times.check_readable(self._state.current.head, version)
        self._state.current.horizons.check_since(low)
        return GraphRange.whole(self._state, low, high)

    def differences(self, since: int) -> Iterator[Difference]:
        for version in (since, self._version):
            self._state.current.horizons.check_whole(version)
        floor = self._state.current.retention.journal_floor
        return differences(self._entities.as_of(since), self._entities, floor)

    def changes(
        self, since: int | None, tick: Callable[[], None] | None = None
    ) -> Iterator[ChangeRecord]:
        oldest = self._state.current.retention.journal_floor
        after = Position(oldest if since is None else since)
        return iter(self.change_reader(after, None, tick))

    def change_reader(
        self, after: Position, names: Names | None, tick: Callable[[], None] | None = None
    ) -> ChangeReader:
        """The changes after a position up to this version."""
        return reader_of(self._state, after, self._version, names, tick)

    def at_version(self, version: int) -> GraphSnapshot:
        now = self._state.current
        times.check_readable(now.head, version, now.horizons.pinned)
        kept = self._state.snapshots
        return GraphSnapshot(self._state, version) if kept is None else kept.take(version)

    def version_at(self, time_micros: int) -> int:
        now = self._state.current
        return times.version_at(self._state.store, now.head, time_micros, now.horizons.pinned)


def _gone(what: str, entity: int, version: int) -> EntityNotFound:
    return EntityNotFound(
        f"the {what} with id {entity} does not exist at version {version}",
        detail="DeletedEntityAccess",
    )
