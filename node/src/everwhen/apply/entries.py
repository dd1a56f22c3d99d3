"""What the index edits of one attempt mean for others: duplicates, and distinct values.

Both look at the record as it is before the attempt writes, and at the attempt's edits as a whole,
so that values may be swapped within one commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from everwhen.apply.conflicts import taken_since
from everwhen.codec.keys import VERSION_MAX, index_prefix
from everwhen.codec.keys import after as after_prefix
from everwhen.index.maintenance import Edit, IndexRule
from everwhen.mvcc.versioned import Versioned

#: holders of one value looked at to keep the number of distinct values (an estimate)
_HOLDERS_MAX: Final = 8
_NOBODY: Final[frozenset[int]] = frozenset()


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
    rules: dict[tuple[int, bytes], IndexRule] = {}
    #: who leaves a value, and which values somebody gets
    out: dict[tuple[int, bytes], set[int]] = {}
    into: set[tuple[int, bytes]] = set()
    for edit in edits:
        rule = edit.rule
        if edit.old is not None:
            key = (rule.id, edit.old)
            rules[key] = rule
            out.setdefault(key, set()).add(edit.entity)
        if edit.new is not None:
            key = (rule.id, edit.new)
            rules[key] = rule
            into.add(key)
    changes = []
    for key, rule in rules.items():
        leaving = out.get(key, _NOBODY)
        if rule.unique:
            before, after = bool(leaving), False
        else:
            before, after = _held(record, *key, leaving)
        change = int(after or key in into) - int(before)
        if change:
            changes.append((rule, change))
    return changes


def _held(
    record: Versioned, index: int, value: bytes, leaving: AbstractSet[int]
) -> tuple[bool, bool]:
    """Whether anybody has the value, and whether anybody keeps it."""
    prefix = index_prefix(index, value)
    if not record.runs:
        # most often the newest entry of the first holder tells
        pair = record.store.first(prefix, after_prefix(prefix))
        if pair is None:
            return False, False
        if pair[1] and int.from_bytes(pair[0][-16:-8], "big") not in leaving:
            return True, True
    held = False
    for looked, (stem, _, there) in enumerate(record.prefix(prefix, VERSION_MAX)):
        if there:
            held = True
            if int.from_bytes(stem[-8:], "big") not in leaving:
                return True, True
        if looked >= _HOLDERS_MAX + len(leaving):
            return True, True
    return held, False
