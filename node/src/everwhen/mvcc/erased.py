"""What was erased: whose ids never come back, and how far each erasure is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from struct import Struct
from typing import Final, NamedTuple

from everwhen.codec.keys import Kind, after, meta_key
from everwhen.codec.parse import decode_meta
from everwhen.codec.retention import (
    META_ERASED,
    META_ERASURE,
    Erasure,
    decode_erasure,
    erased_name,
    parse_erased_name,
    unpack_ids,
)
from everwhen.model.graph import EntityKind
from everwhen.mvcc.store import Store

#: phases of an erasure that takes things away and rewrites segments, and of one that has nothing left
#: to do but to wait for readers
TAKING: Final = 5
REWRITING: Final = 2
WAITING: Final = 3

_ID: Final = Struct(">Q")
#: where a key says whose it is: a node's own and its label entries, a relationship's own and its
#: adjacency; ends of index stems
_NODE_AT: Final[Mapping[int, int]] = {Kind.NODE: 3, Kind.LABEL: 7}
_RELATIONSHIP_AT: Final[Mapping[int, int]] = {Kind.REL: 3, Kind.OUT: 23, Kind.IN: 23}


class Ids(NamedTuple):
    """What one erasure takes away, as far as it is known."""

    nodes: set[int]
    relationships: set[int]


class Erased:
    """All erasures of a record. Apply writes it in place: ids are only ever added."""

    __slots__ = ("all", "nodes", "open", "relationships")

    def __init__(self) -> None:
        #: by number; replaced whole
        self.all: Mapping[int, Erasure] = {}
        self.nodes: set[int] = set()
        self.relationships: set[int] = set()
        #: by number, of those that are not done. Apply only
        self.open: dict[int, Ids] = {}

    def put(self, erasure: Erasure) -> None:
        """A new one, or a later state of one. Apply only."""
        known = erasure.number in self.all
        self.all = {**self.all, erasure.number: erasure}
        if not known:
            self.nodes.update(erasure.nodes)
            self.relationships.update(erasure.relationships)
        if not erasure.phase:
            self.open.pop(erasure.number, None)
        elif erasure.number not in self.open:
            self.open[erasure.number] = Ids(set(erasure.nodes), set(erasure.relationships))

    def take(self, number: int, relationships: Iterable[int]) -> None:
        """Relationships that an erasure found at its nodes. Apply only."""
        self.relationships.update(relationships)
        if number in self.open:
            self.open[number].relationships.update(relationships)

    def has(self, kind: EntityKind, identity: int) -> bool:
        """Whether a thing was erased."""
        return identity in (self.nodes if kind is EntityKind.NODE else self.relationships)

    def next_open(self) -> Erasure | None:
        """The oldest one that is not done; one that only waits for readers comes last."""
        open_ = [one for one in self.all.values() if one.phase]
        return min(open_, key=lambda one: (one.phase == WAITING, one.number), default=None)

    @property
    def taking(self) -> bool:
        """Whether things are being taken away at this moment: at past versions some of what names
        them is gone and some is not."""
        return any(one.phase in (TAKING, REWRITING) for one in self.all.values())

    @classmethod
    def load(cls, store: Store) -> Erased:
        """Read all of them."""
        erased = cls()
        prefix = meta_key(META_ERASURE)
        for _, value in store.scan(prefix, after(prefix)):
            erased.put(decode_erasure(value))
        prefix = meta_key(META_ERASED)
        for key, value in store.scan(prefix, after(prefix)):
            number, _ = parse_erased_name(decode_meta(key).name)
            erased.take(number, unpack_ids(value))
        return erased


class UnderWay:
    """Things that erasures are taking away at this moment. Some of what names them is gone and some
    is not, so a verification passes them over and says so."""

    def __init__(self, erased: Erased) -> None:
        going = {
            number: one
            for number, one in erased.all.items()
            if one.phase in (TAKING, REWRITING) and number in erased.open
        }
        sets = [erased.open[number] for number in going]
        self.nodes = set[int]().union(*(one.nodes for one in sets))
        self.relationships = set[int]().union(*(one.relationships for one in sets))
        #: what a verification says of it
        self.notes = [
            f"erasure {number} is under way: {one.count:,} things and what names them were passed over"
            for number, one in sorted(going.items())
        ]

    def __bool__(self) -> bool:
        return bool(self.notes)

    def names(self, stem: bytes, *, of_nodes: bool = True) -> bool:
        """Whether an entry of entities, labels, adjacency or indexes is about one of them;
        ``of_nodes``: what an index, whose entries are theirs, is of."""
        kind = stem[2]
        if kind in _NODE_AT:
            return _ID.unpack_from(stem, _NODE_AT[kind])[0] in self.nodes
        if kind in _RELATIONSHIP_AT:
            return _ID.unpack_from(stem, _RELATIONSHIP_AT[kind])[0] in self.relationships
        entity = int.from_bytes(stem[-8:], "big")
        return entity in (self.nodes if of_nodes else self.relationships)


def found_by(store: Store, number: int, place: int = 0) -> Iterator[int]:
    """Relationships that an erasure found at its nodes, in order, from a place on."""
    start, end = meta_key(erased_name(number, 0)), meta_key(erased_name(number, place + 1))
    pair = store.last(start, end)
    while pair is not None:
        _, before = parse_erased_name(decode_meta(pair[0]).name)
        ids = unpack_ids(pair[1])
        yield from ids[max(place - before, 0) :]
        key = meta_key(erased_name(number, before + len(ids)))
        value = store.get(key)
        pair = None if value is None else (key, value)
