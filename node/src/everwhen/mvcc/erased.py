"""What was erased: whose ids never come back, and how far each erasure is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from everwhen.codec.keys import after, meta_key
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

#: phase of an erasure that has nothing left to do but to wait for readers
WAITING: Final = 3


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
