"""What a snapshot says of the graph in numbers and names: counters kept with the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from everwhen.codec.keys import Counter
from everwhen.model.elements import Node, Relationship
from everwhen.model.schema import Catalog
from everwhen.mvcc.images import NodeImage, RelationshipImage
from everwhen.mvcc.state import Published, RecordState
from everwhen.mvcc.tokens import TokenTable


class Counted:
    """Counts, exact at the newest version, and names in use; the part of a snapshot that needs
    little else of it."""

    __slots__ = (
        "_images", "_limited", "_published", "_relationship_images", "_state", "_tokens", "_version"
    )  # fmt: skip

    _published: Published
    #: some things of this version are gone; what may be touched is looked up each time
    _limited: bool

    def __init__(self, state: RecordState, version: int) -> None:
        self._state = state
        self._tokens = state.tokens
        self._version = version
        self._images: dict[int, NodeImage | None] = {}
        self._relationship_images: dict[int, RelationshipImage | None] = {}

    @property
    def images_held(self) -> int:
        """How many nodes and relationships it keeps decoded."""
        return len(self._images) + len(self._relationship_images)

    @property
    def version(self) -> int:
        return self._version

    @property
    def writable(self) -> bool:
        """A committed version is not written to; a transaction binds elements to itself."""
        return False

    @property
    def catalog(self) -> Catalog:
        return self._state.current.catalog

    @property
    def state(self) -> RecordState:
        """The record it reads."""
        return self._state

    def nodes_with_label(self, label: str) -> Iterator[Node]:
        raise NotImplementedError

    def relationships(self, types: Sequence[str] | None = None) -> Iterator[Relationship]:
        raise NotImplementedError

    # --- what may be touched ---

    def _need_labels(self, labels: Sequence[str] | None) -> None:
        if self._limited:
            self._published.horizons.check_labels(self._version, labels)

    def _need_types(self, types: Sequence[str] | None) -> None:
        if self._limited:
            self._published.horizons.check_types(self._version, types)

    def _need_index(self, name: str) -> None:
        if self._limited:
            catalog = self.catalog
            index = catalog.indexes.get(name) or catalog.vector_indexes().get(name)
            text = catalog.fulltext_indexes().get(name)  # of several labels
            subject = index or text
            if subject is not None:
                need = self._need_labels if subject.entity == "NODE" else self._need_types
                need(None if index is None else [index.label])

    # --- counts and names ---

    def node_count(self, label: str | None = None) -> int:
        if label is None:
            return self._state.counters.get(Counter.NODES)
        return self._count(Counter.NODES_WITH_LABEL, self._tokens.labels.find(label))

    def relationship_count(self, type: str | None = None) -> int:  # noqa: A002 - the port's name
        if type is None:
            return self._state.counters.get(Counter.RELATIONSHIPS)
        return self._count(Counter.RELATIONSHIPS_OF_TYPE, self._tokens.types.find(type))

    def index_size(self, index_name: str) -> int:
        index = self.catalog.indexes.get(index_name)
        return self._count(Counter.INDEX_ENTRIES, None if index is None else index.id)

    def index_distinct(self, index_name: str) -> int:
        index = self.catalog.indexes.get(index_name)
        return self._count(Counter.INDEX_DISTINCT, None if index is None else index.id)

    def label_names(self) -> list[str]:
        if self._limited:
            return sorted(self._tokens.labels.names)
        if self._is_past:
            names = sorted(self._tokens.labels.names)
            return [name for name in names if next(self.nodes_with_label(name), None) is not None]
        return self._in_use(self._tokens.labels, Counter.NODES_WITH_LABEL)

    def relationship_type_names(self) -> list[str]:
        if self._limited:
            return sorted(self._tokens.types.names)
        if self._is_past:
            names = sorted(self._tokens.types.names)
            return [name for name in names if next(self.relationships([name]), None) is not None]
        return self._in_use(self._tokens.types, Counter.RELATIONSHIPS_OF_TYPE)

    def property_key_names(self) -> list[str]:
        return sorted(self._tokens.keys.names)

    @property
    def _is_past(self) -> bool:
        """Whether the counters, which are of the latest version, tell nothing about this one."""
        return self._version != self._state.current.head.version

    def _in_use(self, table: TokenTable, counter: Counter) -> list[str]:
        get = self._state.counters.get
        return sorted(name for token, name in enumerate(table.names) if get(counter, token))

    def _count(self, counter: Counter, token: int | None) -> int:
        return 0 if token is None else self._state.counters.get(counter, token)
