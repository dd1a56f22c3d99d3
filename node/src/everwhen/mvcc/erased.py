"""What was erased: whose ids never come back, and how far each erasure is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from everwhen.codec.keys import after, meta_key
from everwhen.codec.retention import META_ERASURE, Erasure, decode_erasure
from everwhen.model.graph import EntityKind
from everwhen.mvcc.store import Store

#: phase of an erasure that has nothing left to do but to wait for readers
WAITING: Final = 3


class Erased:
    """All erasures of a record. Apply writes it in place: ids are only ever added."""

    __slots__ = ("all", "nodes", "relationships")

    def __init__(self, erasures: Iterable[Erasure] = ()) -> None:
        #: by number; replaced whole
        self.all: Mapping[int, Erasure] = {one.number: one for one in erasures}
        self.nodes: set[int] = set()
        self.relationships: set[int] = set()
        for one in self.all.values():
            self._take(one)

    def put(self, erasure: Erasure) -> None:
        """A new one, or a later state of one. Apply only."""
        self.all = {**self.all, erasure.number: erasure}
        self._take(erasure)

    def _take(self, erasure: Erasure) -> None:
        self.nodes.update(erasure.nodes)
        self.relationships.update(erasure.relationships)

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
        prefix = meta_key(META_ERASURE)
        return cls(decode_erasure(value) for _, value in store.scan(prefix, after(prefix)))
