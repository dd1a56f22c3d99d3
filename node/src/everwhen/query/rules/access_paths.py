"""Ways to find a node (or relationship) without coming from another one.

By id, by a range index, by label, or by looking at everything; each with the guess of its rows
and the predicates it makes superfluous. A predicate is only dropped where the seek is exact:
an index compares as the total order does, so equality with NaN, with lists that hold null, or
with a value whose type is not known beforehand keeps its filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from everwhen.model.schema import IndexDefinition
from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.cost import EQUALITY, PREFIX, RANGE, SCAN_COST_MIN
from everwhen.query.rules.context import PlanContext
from everwhen.query.traverse import slots_of, volatile

_ID_FUNCTIONS: Final = {"id": False, "elementid": True}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_EXACT: Final = (bool, int, str)


@dataclass(slots=True)
class Access:
    """One way: ``rows`` found per input row, ``cost`` looked at, ``implied`` predicates."""

    operator: p.Unary
    rows: float
    cost: float
    implied: tuple[b.Expression, ...]
    seek: bool


def node_accesses(
    ctx: PlanContext,
    child: p.Operator,
    slot: int,
    predicates: Sequence[b.Expression],
    unknown: frozenset[int],
    needs: Mapping[int, frozenset[int]],
    view: int | None,
) -> Iterator[Access]:
    """Every way to find the node in ``slot``.

    ``unknown``: slots of the pattern without a value yet; a seek's values may not use them.
    ``needs``: slots of the pattern that a predicate (by its ``id``) uses.
    """
    others = unknown - {slot}
    usable = _usable(predicates, needs, others)
    labels = [x for x in usable if _label_of(x, slot) is not None]
    yield from _id_seeks(child, slot, usable, view)
    for has_label in labels:
        label = str(_label_of(has_label, slot))
        for index in ctx.catalog.online_indexes("NODE", label):
            found = _index_access(ctx, child, slot, index, usable, view)
            if found is not None:
                operator, rows, implied = found
                yield Access(operator, rows, rows, (has_label, *implied), seek=True)
    for has_label in labels:
        label = str(_label_of(has_label, slot))
        rows = ctx.estimator.nodes(label)
        cost = max(rows, SCAN_COST_MIN)
        yield Access(p.LabelScan(child, slot, label, view), rows, cost, (has_label,), seek=False)
    if not labels:
        rows = ctx.estimator.nodes()
        cost = max(rows, SCAN_COST_MIN)
        yield Access(p.AllNodesScan(child, slot, view), rows, cost, (), seek=False)


def _usable(
    predicates: Sequence[b.Expression],
    needs: Mapping[int, frozenset[int]],
    unknown: frozenset[int],
) -> list[b.Expression]:
    """Those a seek may look at: of what is known, and the same for all that it finds."""
    return [x for x in predicates if not needs[id(x)] & unknown and not volatile(x)]


def _label_of(predicate: b.Expression, slot: int) -> str | None:
    """The label, if the predicate says that the slot's entity has exactly this one."""
    if (
        isinstance(predicate, b.HasLabels)
        and isinstance(predicate.subject, b.Slot)
        and predicate.subject.index == slot
        and isinstance(predicate.labels, b.LabelName)
    ):
        return predicate.labels.name
    return None


# --- by id ---------------------------------------------------------------------------------


def _id_seeks(
    child: p.Operator, slot: int, predicates: Sequence[b.Expression], view: int | None
) -> Iterator[Access]:
    for predicate in predicates:
        found = id_lookup(predicate, slot)
        if found is not None:
            ids, element, rows = found
            yield Access(p.NodeByIdSeek(child, slot, ids, element, view), rows, rows, (), seek=True)


def id_lookup(predicate: b.Expression, slot: int) -> tuple[b.Expression, bool, float] | None:
    """(ids, whether element ids, rows) of ``id(x) = …``, ``id(x) IN …``, ``elementId(x) …``."""
    if not isinstance(predicate, b.Binary) or predicate.operator not in ("=", "IN"):
        return None
    sides = [(predicate.left, predicate.right)]
    if predicate.operator == "=":
        sides.append((predicate.right, predicate.left))
    for call, other in sides:
        if (
            isinstance(call, b.FunctionCall)
            and call.name in _ID_FUNCTIONS
            and isinstance(call.arguments[0], b.Slot)
            and call.arguments[0].index == slot
            and slot not in slots_of(other)
        ):
            rows = 1.0 if predicate.operator == "=" else 10.0
            return other, _ID_FUNCTIONS[call.name], rows
    return None


# --- by index ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Wanted:
    """What predicates say about one property of the entity."""

    equal: b.Expression | None = None
    in_list: b.Expression | None = None
    lower: p.RangeSpec | None = None
    upper: p.RangeSpec | None = None
    prefix: b.Expression | None = None
    exists: b.Expression | None = None
    #: the predicates behind ``equal`` and ``exists``, which an exact seek implies
    equal_predicate: b.Expression | None = None


def _index_access(
    ctx: PlanContext,
    child: p.Operator,
    slot: int,
    index: IndexDefinition,
    predicates: Sequence[b.Expression],
    view: int | None,
) -> tuple[p.IndexSeek, float, tuple[b.Expression, ...]] | None:
    """A seek of the index, if the predicates say anything about its first property."""
    equal: list[b.Expression] = []
    implied: list[b.Expression] = []
    in_list: int | None = None
    seek = p.IndexSeek(
        child, slot, index.name, index.entity, index.label, index.properties, view=view
    )
    rows = 0.0
    for position, key in enumerate(index.properties):
        wanted = _wanted(predicates, slot, key)
        if wanted.equal is not None:
            equal.append(wanted.equal)
            if _is_exact(ctx, wanted.equal) and wanted.equal_predicate is not None:
                implied.append(wanted.equal_predicate)
            continue
        if wanted.in_list is not None and in_list is None:
            in_list = position
            equal.append(wanted.in_list)
            continue
        if wanted.prefix is not None:
            seek.prefix = wanted.prefix
        elif wanted.lower is not None or wanted.upper is not None:
            seek.lower, seek.upper = wanted.lower, wanted.upper
        elif not equal and wanted.exists is None:
            return None
        break
    implied += [
        found.exists
        for found in (_wanted(predicates, slot, key) for key in index.properties)
        if found.exists is not None
    ]
    rows = ctx.estimator.index_rows(index, len(equal)) * (5.0 if in_list is not None else 1.0)
    if seek.prefix is not None:
        rows *= PREFIX
    elif seek.lower is not None or seek.upper is not None:
        rows *= RANGE if seek.lower is None or seek.upper is None else EQUALITY
    if len(equal) < len(index.properties) and not _all_demanded(
        predicates, slot, index.properties[len(equal) :]
    ):
        return None
    seek.equal, seek.in_list = tuple(equal), in_list
    return seek, rows, tuple(implied)


def _all_demanded(
    predicates: Sequence[b.Expression], slot: int, properties: tuple[str, ...]
) -> bool:
    """An index holds only entities with all its properties: each must be demanded."""
    for key in properties:
        wanted = _wanted(predicates, slot, key)
        if not any(
            (
                wanted.equal,
                wanted.in_list,
                wanted.lower,
                wanted.upper,
                wanted.prefix,
                wanted.exists,
            )
        ):
            return False
    return True


def _is_exact(ctx: PlanContext, value: b.Expression) -> bool:
    """Whether index equality and ``=`` agree for every value this expression can have."""
    if isinstance(value, b.Literal):
        return type(value.value) in _EXACT
    if isinstance(value, b.Parameter):
        known = ctx.lifted.get(value.name)
        return known is not None and known.name in ("BOOLEAN", "INTEGER", "STRING")
    return False


def _wanted(predicates: Sequence[b.Expression], slot: int, key: str) -> _Wanted:
    wanted = _Wanted()
    for predicate in predicates:
        _note(predicate, slot, key, wanted)
    return wanted


def _note(predicate: b.Expression, slot: int, key: str, wanted: _Wanted) -> None:
    """Add what one predicate says."""
    if isinstance(predicate, b.IsNull):
        if predicate.negated and _is_property(predicate.operand, slot, key):
            wanted.exists = predicate
        return
    if not isinstance(predicate, b.Binary):
        return
    operator, other = predicate.operator, predicate.right
    if not _is_property(predicate.left, slot, key):
        if not _is_property(predicate.right, slot, key) or operator == "IN":
            return
        operator = _MIRRORED.get(operator, operator)
        other = predicate.left
        if operator == "STARTS_WITH":
            return
    if slot in slots_of(other):
        return
    if operator == "=" and wanted.equal is None:
        wanted.equal, wanted.equal_predicate = other, predicate
    elif operator == "IN" and wanted.in_list is None:
        wanted.in_list = other
    elif operator == "STARTS_WITH" and wanted.prefix is None:
        wanted.prefix = other
    elif operator in (">", ">=") and wanted.lower is None:
        wanted.lower = p.RangeSpec(other, operator == ">=")
    elif operator in ("<", "<=") and wanted.upper is None:
        wanted.upper = p.RangeSpec(other, operator == "<=")


def _is_property(e: b.Expression, slot: int, key: str) -> bool:
    return (
        isinstance(e, b.Property)
        and e.key == key
        and isinstance(e.subject, b.Slot)
        and e.subject.index == slot
    )


# --- relationships -------------------------------------------------------------------------


def relationship_index_access(
    ctx: PlanContext,
    child: p.Operator,
    slot: int,
    type_: str,
    predicates: Sequence[b.Expression],
    unknown: frozenset[int],
    needs: Mapping[int, frozenset[int]],
    view: int | None,
) -> Access | None:
    """The best index seek for a relationship of one type, if any."""
    others = unknown - {slot}
    usable = _usable(predicates, needs, others)
    best: Access | None = None
    for index in ctx.catalog.online_indexes("RELATIONSHIP", type_):
        found = _index_access(ctx, child, slot, index, usable, view)
        if found is not None and (best is None or found[1] < best.rows):
            best = Access(found[0], found[1], found[1], found[2], seek=True)
    return best
