"""The image against the record, at one version: what differs, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np

from everwhen.codec.values import encode_value
from everwhen.model.columns import Adjacency, GraphColumns, Rows, TypeColumns, Vector
from everwhen.mvcc.graph import GraphSnapshot

#: entities compared together
_CHUNK: Final = 4_096

Check = Callable[[], None]


def differences(view: GraphColumns, snapshot: GraphSnapshot, check: Check) -> Iterator[str]:
    """Of the same version. ``check`` is called now and then, and may raise."""
    yield from _nodes(view, snapshot, check)
    tokens = snapshot.state.tokens
    counts = dict.fromkeys(range(len(tokens.types.names)), 0)
    found = snapshot.entities.relationships()
    while chunk := list(islice(found, _CHUNK)):
        check()
        by_type: dict[int, list[tuple[int, Any]]] = {}
        for one, image in chunk:
            by_type.setdefault(image.ends[0], []).append((one, image))
        for type_, some in by_type.items():
            counts[type_] += len(some)
            name = tokens.types.names[type_]
            table = view.relationships(name)
            if table is None:
                yield f"{len(some)} relationships of type {name} are not in the image"
            else:
                yield from _relationships(view, table, snapshot, some)
    for name in view.types():
        check()
        table = view.relationships(name)
        if table is not None:
            yield from _table(view, table, counts[table.number])


def _nodes(view: GraphColumns, snapshot: GraphSnapshot, check: Check) -> Iterator[str]:
    labels = snapshot.state.tokens.labels.names
    seen = dict.fromkeys(labels, 0)
    rows = view.nodes()
    at = 0
    found = snapshot.entities.nodes()
    while chunk := list(islice(found, _CHUNK)):
        check()
        ids = np.array([node for node, _ in chunk], np.int64)
        some, at = rows[at : at + len(chunk)], at + len(chunk)
        if not np.array_equal(view.node_ids(some), ids):
            yield f"nodes from {ids[0]} to {ids[-1]} are not those of the image"
            return
        if not np.array_equal(view.node_rows_of(ids), some):
            yield f"rows of the nodes from {ids[0]} to {ids[-1]} are not found by their ids"
        for name in labels:
            wanted = [name in image.labels for _, image in chunk]
            seen[name] += sum(wanted)
            for place in _unequal(view.has_label(name, some).tolist(), wanted):
                yield f"node {ids[place]}: label {name} is {wanted[place]} in the record"
        properties = [image.properties() for _, image in chunk]
        for key in snapshot.state.tokens.keys.names:
            vector = view.node_values(key, some)
            yield from _values(f"property {key} of node", key, vector, ids.tolist(), properties)
    if at != len(rows):
        yield f"the image has {len(rows)} nodes, the record {at}"
    for name, count in seen.items():
        members = view.labelled(name)
        members_ids = view.node_ids(members)
        if len(members) != count or bool((members_ids[1:] <= members_ids[:-1]).any()):
            yield f"{len(members)} nodes in the set of label {name}, {count} in the record"


def _relationships(
    view: GraphColumns, table: TypeColumns, snapshot: GraphSnapshot, some: list[tuple[int, Any]]
) -> Iterator[str]:
    ids = np.array([one for one, _ in some], np.int64)
    rows = table.rows_of(ids)
    if bool((rows < 0).any()) or not np.array_equal(table.ids(rows), ids):
        yield f"relationships of type {table.type} from {ids[0]} on are not all in the image"
        return
    starts, ends = table.ends(rows)
    near = [image.ends[1] for _, image in some]
    far = [image.ends[2] for _, image in some]
    for place in _unequal(view.node_ids(starts).tolist(), near):
        yield f"relationship {ids[place]} starts at {near[place]} in the record"
    for place in _unequal(view.node_ids(ends).tolist(), far):
        yield f"relationship {ids[place]} ends at {far[place]} in the record"
    properties = [image.properties() for _, image in some]
    for key in snapshot.state.tokens.keys.names:
        vector = table.values(key, rows)
        yield from _values(f"property {key} of relationship", key, vector, ids.tolist(), properties)


def _table(view: GraphColumns, table: TypeColumns, count: int) -> Iterator[str]:
    rows = table.rows()
    if table.count() != count or len(rows) != count:
        yield f"{len(rows)} rows of type {table.type}, {count} in the record"
        return
    starts, ends = table.ends(rows)
    pairs = starts.astype(np.int64) * view.node_rows + ends
    if not table.parallel and len(np.unique(pairs)) < len(pairs):
        yield f"type {table.type} has parallel relationships, which it denies"
    for outgoing, near, far in ((True, starts, ends), (False, ends, starts)):
        found = entries(table.adjacency(outgoing))
        order = np.argsort(found[1], kind="stable")
        nodes, edges, others = (part[order] for part in found)
        right = np.argsort(rows, kind="stable")
        if not (
            np.array_equal(edges, rows[right])
            and np.array_equal(nodes, near[right])
            and np.array_equal(others, far[right])
        ):
            side = "outgoing" if outgoing else "incoming"
            yield f"{side} adjacency of type {table.type} is not what its rows say"


def entries(adjacency: Adjacency) -> tuple[Rows, Rows, Rows]:
    """Node, relationship and other node of all that is visible."""
    a = adjacency
    nodes = np.repeat(np.arange(len(a.offsets) - 1, dtype=np.int32), np.diff(a.offsets))
    edges, others = a.edges, a.others
    if len(a.begins):
        seen = (a.begins <= a.version) & (a.version < a.ends)
        nodes, edges, others = nodes[seen], edges[seen], others[seen]
    parts = [(nodes, edges, others)]
    (at,) = (a.heads >= 0).nonzero()
    links = a.heads[at]
    while len(links):
        seen = (a.later_begins[links] <= a.version) & (a.version < a.later_ends[links])
        some = links[seen]
        parts.append((at[seen].astype(np.int32), a.later_edges[some], a.later_others[some]))
        links = a.nexts[links]
        more = links >= 0
        at, links = at[more], links[more]
    found = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    return found[0], found[1], found[2]


def values_of(vector: Vector) -> list[Any]:
    """Its values; None for null. At most 20,000."""
    if vector.texts is not None:
        codes = vector.data
        if vector.valid is not None:
            codes = np.where(vector.valid, codes, 0)
        values: list[Any] = list(vector.texts.some(codes)) if len(vector.texts) else [""]
    else:
        values = vector.data.tolist()
    if vector.valid is None:
        return values
    return [v if good else None for v, good in zip(values, vector.valid.tolist(), strict=True)]


def _values(
    what: str, key: str, vector: Vector, ids: list[int], properties: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    for identity, value, those in zip(ids, values_of(vector), properties, strict=True):
        wanted = those.get(key)
        if value is None or wanted is None:
            same = value is wanted
        else:
            same = encode_value(value) == encode_value(wanted)
        if not same:
            yield f"{what} {identity} is {value!r}, in the record {wanted!r}"


def _unequal(found: list[Any], wanted: list[Any]) -> list[int]:
    return [at for at, (one, other) in enumerate(zip(found, wanted, strict=True)) if one != other]
