"""What operators read and write, as far as it matters for the order of doing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.traverse import walk

#: functions that look at all properties of what they are given
_WHOLE = frozenset({"properties", "keys", "validfrom", "validto", "version"})
_LABELS = frozenset({"labels", "validfrom", "validto", "version"})


class Place(NamedTuple):
    """What a SET or REMOVE writes: ``name`` of a property ("key") or of a label that is added
    ("+") or taken away ("-"); of the entity in ``slot``, for every row. None: any, or not known."""

    slot: int | None
    kind: str
    name: str | None


@dataclass(slots=True)
class Effects:
    """``None`` in a set stands for "any". Node reads and creations are label sets.

    ``touches``: it writes to entities that are there, or links them.
    """

    nodes_read: set[frozenset[str]] = field(default_factory=set)
    types_read: set[str | None] = field(default_factory=set)
    keys_read: set[str | None] = field(default_factory=set)
    labels_read: set[str | None] = field(default_factory=set)
    nodes_made: set[frozenset[str] | None] = field(default_factory=set)
    types_made: set[str | None] = field(default_factory=set)
    keys_set: set[str | None] = field(default_factory=set)
    labels_set: set[str | None] = field(default_factory=set)
    places: set[Place] = field(default_factory=set)
    touches: bool = False
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
    """Whether what ``writing`` does can change what ``reading`` sees, or needs to be there."""
    if writing.deletes and (reading.reads or reading.touches):
        return True
    if not reading.reads or not writing.writes:
        return False
    if reading.anything:
        return True
    return (
        _scan_meets(reading, writing)
        or _meets(reading.types_read, writing.types_made)
        or _meets(reading.keys_read, writing.keys_set)
        or _meets(reading.labels_read, writing.labels_set)
    )


def overwrites(earlier: Effects, later: Effects) -> bool:
    """Whether both may write to one place, so that which came last depends on the rows between."""
    return any(_same_place(one, other) for one in earlier.places for other in later.places)


def _same_place(earlier: Place, later: Place) -> bool:
    if {earlier.kind, later.kind} not in ({"key"}, {"+", "-"}):
        return False
    if earlier.name is None or later.name is None:
        return True
    # of one entity the later has the last word, in every row
    one_entity = earlier.slot is not None and earlier.slot == later.slot
    return earlier.name == later.name and not one_entity


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
    found.places = {place._replace(slot=None) for place in found.places}  # for some rows only
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
    made = {spec.slot for spec in op.specs}
    for spec in op.specs:
        if isinstance(spec, p.NodeSpec):
            known = frozenset(spec.labels.names)
            found.nodes_made.add(None if spec.labels.dynamic else known)
        else:
            found.types_made.add(spec.type if isinstance(spec.type, str) else None)
            found.touches |= not {spec.start, spec.end} <= made
    changes = (*op.on_create, *op.on_match) if isinstance(op, p.Merge) else ()
    for change in changes:
        _change(change, None, found)


def _change(change: p.Change, slot: int | None, found: Effects) -> None:
    found.touches = True
    if isinstance(change, (p.SetProperty, p.RemoveProperty, p.SetProperties)):
        key = None if isinstance(change, p.SetProperties) else change.key
        name = key if isinstance(key, str) else None
        found.keys_set.add(name)
        found.places.add(Place(slot, "key", name))
    else:
        names = {None} if change.labels.dynamic else set(change.labels.names)
        found.labels_set |= names
        kind = "+" if isinstance(change, p.SetLabels) else "-"
        found.places |= {Place(slot, kind, name) for name in names}


def _update(op: p.Update, found: Effects) -> None:
    for change in op.changes:
        slot = change.entity.index if isinstance(change.entity, b.Slot) else None
        _change(change, slot, found)


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
