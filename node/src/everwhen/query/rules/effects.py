"""What operators read and write, as far as it matters for the order of doing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.traverse import walk

#: functions that look at all properties of what they are given
_WHOLE = frozenset({"properties", "keys", "validfrom", "validto", "version"})
_LABELS = frozenset({"labels", "validfrom", "validto", "version"})


@dataclass(slots=True)
class Effects:
    """``None`` in a set stands for "any". Node reads and creations are label sets."""

    nodes_read: set[frozenset[str]] = field(default_factory=set)
    types_read: set[str | None] = field(default_factory=set)
    keys_read: set[str | None] = field(default_factory=set)
    labels_read: set[str | None] = field(default_factory=set)
    nodes_made: set[frozenset[str] | None] = field(default_factory=set)
    types_made: set[str | None] = field(default_factory=set)
    keys_set: set[str | None] = field(default_factory=set)
    labels_set: set[str | None] = field(default_factory=set)
    deletes: bool = False
    anything: bool = False

    @property
    def reads(self) -> bool:
        return (
            bool(self.nodes_read or self.types_read or self.keys_read or self.labels_read)
            or self.anything
        )

    @property
    def writes(self) -> bool:
        return (
            bool(self.nodes_made or self.types_made or self.keys_set or self.labels_set)
            or self.deletes
        )

    def add(self, other: Effects) -> None:
        """Take in another operator's effects."""
        for item in fields(self):
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            setattr(self, item.name, mine | theirs)


def _meets(read: set[str | None], written: set[str | None]) -> bool:
    if not read or not written:
        return False
    return None in read or None in written or bool(read & written)


def _scan_meets(reading: Effects, writing: Effects) -> bool:
    for wanted in reading.nodes_read:
        for made in writing.nodes_made:
            if made is None or wanted <= made:
                return True
        if wanted and writing.labels_set and (None in writing.labels_set):
            return True
        if wanted & {label for label in writing.labels_set if label is not None}:
            return True
    return False


def conflict(reading: Effects, writing: Effects) -> bool:
    """Whether what ``writing`` does can change what ``reading`` sees."""
    if not reading.reads or not writing.writes:
        return False
    if reading.anything or writing.deletes:
        return True
    return (
        _scan_meets(reading, writing)
        or _meets(reading.types_read, writing.types_made)
        or _meets(reading.keys_read, writing.keys_set)
        or _meets(reading.labels_read, writing.labels_set)
    )


# --- one operator --------------------------------------------------------------------------


def of_operator(op: p.Operator) -> Effects:
    """Effects of one operator without its child; inner plans belong to it."""
    found = Effects()
    for item in fields(op):
        if item.name == "child":
            continue
        for part in _parts(getattr(op, item.name)):
            for node in walk(part):
                _expression(node, found)
                if isinstance(node, p.Operator):
                    _operator(node, found)
    _operator(op, found)
    return found


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _parts(item)
    elif hasattr(value, "__dataclass_fields__"):
        yield value


def _expression(node: Any, found: Effects) -> None:
    if isinstance(node, b.Property):
        found.keys_read.add(node.key)
    elif isinstance(node, b.Subscript):
        index = node.index
        if not (isinstance(index, b.Literal) and type(index.value) is int):
            found.keys_read.add(None)
    elif isinstance(node, b.MapProjection) and node.all_properties:
        found.keys_read.add(None)
    elif isinstance(node, b.HasLabels):
        found.labels_read |= _names(node.labels)
    elif isinstance(node, b.FunctionCall):
        if node.name in _WHOLE:
            found.keys_read.add(None)
        if node.name in _LABELS:
            found.labels_read.add(None)


def reads_graph(node: Any) -> bool:
    """Whether an expression node looks at properties, labels or relationships of something."""
    if isinstance(node, (b.Subquery, b.Subscript, b.MapProjection)):
        return True
    if isinstance(node, b.FunctionCall):
        return node.name in _WHOLE or node.name in _LABELS
    return isinstance(node, (b.Property, b.HasLabels))


def _names(labels: b.LabelExpression) -> set[str | None]:
    if isinstance(labels, b.LabelName):
        return {labels.name}
    if isinstance(labels, b.LabelNot):
        return _names(labels.operand)
    if isinstance(labels, (b.LabelAnd, b.LabelOr)):
        return set().union(*[_names(x) for x in labels.operands])
    return {None}


def _operator(op: p.Operator, found: Effects) -> None:
    reader = _READERS.get(type(op))
    if reader is not None:
        reader(op, found)


def _scan_all(op: p.Operator, found: Effects) -> None:
    found.nodes_read.add(frozenset())


def _scan_label(op: p.LabelScan, found: Effects) -> None:
    found.nodes_read.add(frozenset({op.label}))


def _count(op: p.NodeCount, found: Effects) -> None:
    found.nodes_read.add(frozenset() if op.label is None else frozenset({op.label}))


def _index(op: p.IndexSeek, found: Effects) -> None:
    found.keys_read.update(op.properties)
    if op.entity == "NODE":
        found.nodes_read.add(frozenset({op.label}))
    else:
        found.types_read.add(op.label)


def _types(op: Any, found: Effects) -> None:
    found.types_read |= {None} if op.types is None else set(op.types)


def _any_type(op: p.Operator, found: Effects) -> None:
    found.types_read.add(None)


def _call(op: p.ProcedureCall, found: Effects) -> None:
    found.anything = True


def _make(op: p.Create | p.Merge, found: Effects) -> None:
    for spec in op.specs:
        if isinstance(spec, p.NodeSpec):
            known = frozenset(spec.labels.names)
            found.nodes_made.add(None if spec.labels.dynamic else known)
        else:
            found.types_made.add(spec.type if isinstance(spec.type, str) else None)
    changes = (*op.on_create, *op.on_match) if isinstance(op, p.Merge) else ()
    for change in changes:
        _change(change, found)


def _change(change: p.Change, found: Effects) -> None:
    if isinstance(change, (p.SetProperty, p.RemoveProperty)):
        found.keys_set.add(change.key if isinstance(change.key, str) else None)
    elif isinstance(change, p.SetProperties):
        found.keys_set.add(None)
    else:
        names = set(change.labels.names)
        found.labels_set |= {None} if change.labels.dynamic else names


def _update(op: p.Update, found: Effects) -> None:
    for change in op.changes:
        _change(change, found)


def _delete(op: p.Delete, found: Effects) -> None:
    found.deletes = True


_READERS: dict[type, Any] = {
    p.AllNodesScan: _scan_all,
    p.LabelScan: _scan_label,
    p.NodeCount: _count,
    p.IndexSeek: _index,
    p.NodeByIdSeek: _scan_all,
    p.RelationshipByIdSeek: _any_type,
    p.RelationshipScan: _types,
    p.Expand: _types,
    p.VarExpand: _types,
    p.ShortestPath: _types,
    p.ProcedureCall: _call,
    p.Create: _make,
    p.Merge: _make,
    p.Update: _update,
    p.Delete: _delete,
}
