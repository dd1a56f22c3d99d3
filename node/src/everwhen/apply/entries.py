"""What the index edits of one attempt mean for others: duplicates, and distinct values.

Both look at the record as it is before the attempt writes, and at the attempt's edits as a whole,
so that values may be swapped within one commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from everwhen.apply.conflicts import taken_since
from everwhen.codec.keys import VERSION_MAX, index_prefix
from everwhen.index.maintenance import Edit, IndexRule
from everwhen.mvcc.versioned import Versioned

#: holders of one value looked at to keep the number of distinct values (an estimate)
_HOLDERS_MAX: Final = 8


def duplicates(
    edits: Sequence[Edit], record: Versioned, read_version: int
) -> Iterator[tuple[Edit, int]]:
    """Edits that give an entity a unique value that another one has, which is the second part.

    :raises TransactionConflict: the other one got it after the transaction read.
    """
    removed = {(edit.rule.id, edit.old, edit.entity) for edit in edits if edit.old is not None}
    added: dict[tuple[int, bytes], int] = {}
    for edit in edits:
        if edit.new is None or not edit.distinguishable:
            continue
        key = (edit.rule.id, edit.new)
        other = added.setdefault(key, edit.entity)
        if other != edit.entity:
            yield edit, other
        holders = record.prefix(index_prefix(edit.rule.id, edit.new), VERSION_MAX)
        for stem, version, value in holders:
            owner = int.from_bytes(stem[-8:], "big")
            if not value or owner == edit.entity or (*key, owner) in removed:
                continue
            if read_version < version < VERSION_MAX:
                raise taken_since(edit.rule.definition, owner)
            yield edit, owner


def distinct_changes(edits: Sequence[Edit], record: Versioned) -> list[tuple[IndexRule, int]]:
    """By how much the number of distinct values of each index changes."""
    moves: dict[tuple[int, bytes], tuple[IndexRule, set[int], set[int]]] = {}
    for edit in edits:
        for value, at in ((edit.old, 1), (edit.new, 2)):
            if value is not None:
                move = moves.setdefault((edit.rule.id, value), (edit.rule, set(), set()))
                (move[1] if at == 1 else move[2]).add(edit.entity)
    changes = []
    for (index, value), (rule, out, into) in moves.items():
        if rule.unique:
            before, after = bool(out), False
        else:
            before, after = _held(record, index, value, out)
        change = int(after or bool(into)) - int(before)
        if change:
            changes.append((rule, change))
    return changes


def _held(record: Versioned, index: int, value: bytes, leaving: set[int]) -> tuple[bool, bool]:
    """Whether anybody has the value, and whether anybody keeps it."""
    held = False
    for looked, (stem, _, there) in enumerate(
        record.prefix(index_prefix(index, value), VERSION_MAX)
    ):
        if there:
            held = True
            if int.from_bytes(stem[-8:], "big") not in leaving:
                return True, True
        if looked >= _HOLDERS_MAX + len(leaving):
            return True, True
    return held, False
