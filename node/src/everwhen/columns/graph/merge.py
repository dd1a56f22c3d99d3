"""Bases moved forward: what changed since is worked into new arrays, while readers and the
follower go on with the old ones, which answer for the same versions."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final

from everwhen.columns.graph.content import Content
from everwhen.columns.graph.table import Table

#: merged from so many changes on, or a share of the base if that is more
CHANGES_MIN: Final = 4_096
#: relationships in chains from which they are sorted in
CHAINED_MIN: Final = 65_536
_SHARE: Final = 32
#: of all rows, so many may have ended before they get a base of their own
_ENDED_SHARE: Final = 16


def merge(content: Content, lock: Lock, check: Callable[[], None]) -> bool:
    """One part, if one is due; whether one was. ``lock`` is that of the follower."""
    at = content.upto - content.epoch
    for label, members in [(None, content.existing), *list(content.labels.items())]:
        if members.behind(at) >= max(CHANGES_MIN, len(members) // _SHARE):
            check()
            newer = members.merged(at)
            with lock:
                # an extension into the past may have replaced it meanwhile
                if content.members(label) is members:
                    content.put_members(label, newer)
            return True
    tables = list(content.tables.items())
    for type_, size in [(None, content.nodes.count), *((n, one.count) for n, one in tables)]:
        held = content.properties_of(type_)
        for key, one in list(held.items()):
            if one.behind(at) >= max(CHANGES_MIN, len(one) // _SHARE):
                check()
                merged = one.merged(at, size)
                with lock:
                    if held[key] is one:
                        held[key] = merged
                return True
    return any(_sort(table, at, check) for _, table in tables)


def _sort(table: Table, at: int, check: Callable[[], None]) -> bool:
    """One side of a table whose chains are long, or of which much has ended."""
    for side in table.sides:
        base = side.base
        due = max(CHAINED_MIN, len(base.edges) // _SHARE)
        past = side is table.past_outgoing or side is table.past_incoming
        if table.count - base.rows >= due or (base.ended >= due and not past):
            check()
            ended = table.count - table.alive
            apart = not past and ended * _ENDED_SHARE > table.count
            table.renew(side.outgoing, at if apart else 0, past=past)
            return True
    return False
