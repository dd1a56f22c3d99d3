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


class Place(NamedTuple):
    """How far a node's relationships were looked at: all the outgoing ones come first."""

    outgoing: bool
    #: the last that is known to be gone
    last: Adjacent | None


START: Final = Place(True, None)
#: what a chunk looks at. Every build must stop at the same place: it belongs to the feature level
CHUNK_ROOM: Final = 1_000


class Noted(NamedTuple):
    """A deleted node that is not looked through."""

    node: int
    place: Place


class Detaching:
    """What one step may look at: ``room`` tombstones."""

    __slots__ = ("noted", "read_version", "room")

    def __init__(self, room: int, read_version: int) -> None:
        self.room = room
        self.read_version = read_version
        #: nodes that are to be looked at again
        self.noted: list[Noted] = []

    def look(self, own: Entities, noted: Noted, deleted: Container[int] = ()) -> int | None:
        """Go on with a node until nothing is left, the step has no room, or a relationship is
        found that is not about to be ``deleted``: that is returned. But where nothing is left, the
        node is noted.

        :raises TransactionConflict: the relationship came after the transaction began.
        """
        node, (outgoing, last) = noted
        while True:
            for entry, there in own.adjacency(node, outgoing, last):
                found = entry[2] if there and entry[2] not in deleted else None
                if found is not None or self.room <= 0:
                    self.noted.append(Noted(node, Place(outgoing, last)))
                    if found is not None:
                        refuse_joined(own, node, found, self.read_version)
                    return found
                self.room -= 1
                last = entry
            if not outgoing:
                return None
            outgoing, last = False, None


def refuse_joined(own: Entities, node: int, relationship: int, read_version: int) -> None:
    """:raises TransactionConflict: a relationship came after the transaction began."""
    head = own.relationship_head(relationship)
    if head is not None and read_version < head[0] != VERSION_MAX:
        raise joined_since(node)
