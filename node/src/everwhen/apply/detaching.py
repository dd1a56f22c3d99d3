"""A deleted node must have no relationship left: looked for in bounded steps.

Who deletes a node of a million relationships leaves a million tombstones, and all of them have to
be passed to know that nothing else is there. A commit carries few deletions and looks at once. The
chunks of a large transaction share a budget; nodes that did not fit are *noted* with the place
reached, and ``CheckChunks`` entries go on from there before the commit entry does what is left.

What was passed stays passed: once its deletion is staged, no later chunk brings the node back or
gives it a relationship, and whoever commits one dooms the transaction (``apply.staging``).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final, NamedTuple

from everwhen.apply.conflicts import joined_since
from everwhen.codec.keys import VERSION_MAX
from everwhen.mvcc.adjacency import Adjacent
from everwhen.mvcc.entities import Entities

#: what a chunk looks at. Every build must stop at the same place: it belongs to the feature level
CHUNK_ROOM: Final = 1_000


class Noted(NamedTuple):
    """A deleted node, and how far its relationships were looked at: all the outgoing ones come
    first."""

    node: int
    outgoing: bool = True
    #: the last that is known to be gone
    last: Adjacent | None = None


class Detaching:
    """What one step may look at: ``room`` tombstones."""

    __slots__ = ("read_version", "room")

    def __init__(self, room: int, read_version: int) -> None:
        self.room = room
        self.read_version = read_version

    def look(
        self, own: Entities, noted: Noted, deleted: Container[int] = ()
    ) -> tuple[Noted | None, bool]:
        """Go on with a node until nothing is left, the step has no room, or a relationship is
        found that is not about to be ``deleted``. What is to be looked at again, and whether one
        was found.

        :raises TransactionConflict: the relationship came after the transaction began.
        """
        node, outgoing, last = noted
        while True:
            for entry, there in own.adjacency(node, outgoing, last):
                found = there and entry[2] not in deleted
                if found:
                    refuse_joined(own, node, entry[2], self.read_version)
                if found or self.room <= 0:
                    return Noted(node, outgoing, last), found
                self.room -= 1
                last = entry
            if not outgoing:
                return None, False
            outgoing, last = False, None


def refuse_joined(own: Entities, node: int, relationship: int, read_version: int) -> None:
    """:raises TransactionConflict: a relationship came after the transaction began."""
    head = own.relationship_head(relationship)
    if head is not None and read_version < head[0] != VERSION_MAX:
        raise joined_since(node)
