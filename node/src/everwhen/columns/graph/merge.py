"""Bases moved forward: what changed since is worked into new arrays, while readers and the
follower go on with the old ones, which answer for the same versions."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final

from everwhen.columns.graph.adjacency import Side, Sorted
from everwhen.columns.graph.content import Content
from everwhen.columns.graph.table import Table

#: merged from so many changes on, or an eighth of the base if that is more
CHANGES_MIN: Final = 4_096
#: relationships in chains from which they are sorted in
CHAINED_MIN: Final = 65_536
_SHARE: Final = 8


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
    return any(_sort(content, table, lock, check) for _, table in tables)


def _sort(content: Content, table: Table, lock: Lock, check: Callable[[], None]) -> bool:
    """One direction of a table whose chains are long."""
    for side in (table.outgoing, table.incoming):
        if table.count - side.base.rows >= max(CHAINED_MIN, side.base.rows // _SHARE):
            check()
            rows, nodes = table.count, content.nodes.count
            newer = Sorted(side.arena, table, side.outgoing, rows, nodes)
            with lock, table.lock:
                _swap(table, side, newer, content.nodes.count)
            return True
    return False


def _swap(table: Table, side: Side, newer: Sorted, nodes: int) -> None:
    """Under both locks: what came meanwhile goes into chains; ends that came are in the table."""
    newer.last_begin = int(table.begins[: newer.rows].max(initial=0))
    newer.first_end = int(table.ends[: newer.rows].min())
    rebased = side.rebased(newer, nodes)
    if side.outgoing:
        table.outgoing = rebased
        since = slice(newer.rows, table.count)
        pairs = list(zip(table.start[since].tolist(), table.finish[since].tolist(), strict=True))
        table.parallel = newer.parallel() or len(set(pairs)) < len(pairs)
        table.parallel |= any(newer.has(*pair) for pair in pairs)
    else:
        table.incoming = rebased
