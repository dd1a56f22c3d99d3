"""Brings the database to what files say: only the difference is sent, in one transaction.

Nodes are found by their id within their label and changed property by property. Relationships
have no key: equal ones (type, ends, all properties of the file) stay; with ``delete`` the rest are
paired by type and ends and changed, and what remains is created or deleted.

Everything is compared with one version before anything is sent, and that version is what the
server checks the changes against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from everwhen.cli.loading import wire as w
from everwhen.cli.loading.create import joined
from everwhen.cli.loading.keys import Keys
from everwhen.cli.loading.outbox import PROVISIONAL, Outbox
from everwhen.cli.loading.present import (
    Present,
    codes,
    matched,
    pack_ids,
    present,
    quoted,
)
from everwhen.cli.loading.problems import BadRows, ImportFailed
from everwhen.cli.loading.progress import Meter
from everwhen.cli.loading.rows import Checked, File, Rows

Ids = npt.NDArray[np.int64]


class Merge:
    """One comparison and the load that follows it."""

    def __init__(self, wire: w.Wire, bad: BadRows, meter: Meter, *, delete: bool) -> None:
        self._wire = wire
        self._bad = bad
        self._meter = meter
        self._delete = delete
        self._version = wire.call(wire.client.version())
        self._groups: dict[str, Keys] = {}
        self._out = Outbox()
        self._known: list[Ids] = []
        self._new_nodes = 0

    # --- nodes ---

    def nodes(self, files: Sequence[File]) -> None:
        """Compare all nodes; files of one label belong together."""
        by_label: dict[str, list[File]] = {}
        for file in files:
            if not file.spec.names or file.has_names or not file.key_property:
                raise ImportFailed(
                    f"{file.source.name}: update and sync find nodes by a label and an id that is "
                    "stored: FILE:LABEL, and a column like name:ID"
                )
            by_label.setdefault(file.spec.names[0], []).append(file)
        for label, those in by_label.items():
            self._label(label, those)

    def _label(self, label: str, files: Sequence[File]) -> None:
        fields: dict[str, pa.Field] = {}
        read: list[tuple[File, Rows]] = []
        for file in files:
            group = self._groups.setdefault(file.groups[0], Keys())
            found: list[Rows] = []
            for checked in file.read(self._bad, self._meter, [group]):
                group.add(checked.rows.keys[0], np.full(checked.rows.count, -1, np.int64))
                found.append(checked.rows)
            for rows in found[:1]:
                fields |= {field.name: field for field in rows.fields}
            read.append((file, joined(found or [file.empty()])))
        self._meter.begin(f"comparing {label}")
        old = present(self._wire, f"(x:{quoted(label)})", fields, self._version)
        self._known.append(old.ids)
        seen = np.zeros(len(old.ids), np.bool_)
        for file, rows in read:
            self._compare(file, rows, old, seen)
        if self._delete:
            self._out.delete_nodes(old.ids[~seen])

    def _compare(self, file: File, rows: Rows, old: Present, seen: npt.NDArray[np.bool_]) -> None:
        """One file against what is there; fills in the ids of its keys."""
        names = [field.name for field in rows.fields]
        key = names.index(file.key_property)
        places = places_of(rows.arrays[key], old.columns[file.key_property])
        ids = np.where(places < 0, 0, old.ids[places] if len(old.ids) else 0).astype(np.int64)
        there = places >= 0
        seen[places[there]] = True
        changed = rows.filter(there)
        before = [old.columns[name].take(pa.array(places[there])) for name in names]
        self._out.change("node", ids[there], changed.fields, changed.arrays, before)
        fresh = rows.filter(~there)
        first = PROVISIONAL + self._new_nodes
        ids[~there] = np.arange(first, first + fresh.count)
        self._new_nodes += fresh.count
        self._out.create_nodes(file.spec.names, fresh)
        self._groups[file.groups[0]].assign(rows.keys[0], ids)

    # --- relationships ---

    def relationships(self, files: Sequence[File]) -> None:
        """Compare all relationships; files of one type belong together."""
        by_type: dict[str, list[tuple[Rows, Ids, Ids]]] = {}
        for file in files:
            groups = []
            for name in file.groups:
                if name not in self._groups:
                    raise ImportFailed(
                        f"{file.source.name}: no file of nodes has ids of the group {name!r}"
                    )
                groups.append(self._groups[name])
            found: list[Checked] = list(file.read(self._bad, self._meter, groups))
            rows = joined([one.rows for one in found] or [file.empty()])
            starts = np.concatenate([np.zeros(0, np.int64), *(one.ends[0] for one in found)])
            ends = np.concatenate([np.zeros(0, np.int64), *(one.ends[1] for one in found)])
            for names, mask in rows.by_name(file.spec.names):
                part = (rows.filter(mask), starts[mask], ends[mask])
                by_type.setdefault(names[-1], []).append(part)
        known = np.unique(np.concatenate(self._known)) if self._known else np.zeros(0, np.int64)
        for type_, parts in sorted(by_type.items()):
            self._type(type_, parts, known)

    def _type(self, type_: str, parts: Sequence[tuple[Rows, Ids, Ids]], known: Ids) -> None:
        self._meter.begin(f"comparing {type_}")
        rows = joined([part for part, _, _ in parts])
        starts = np.concatenate([one for _, one, _ in parts])
        ends = np.concatenate([one for _, _, one in parts])
        fields = {field.name: field for field in rows.fields}
        pattern = f"(a)-[x:{quoted(type_)}]->(b)"
        found = present(self._wire, pattern, fields, self._version)
        ours = np.flatnonzero(np.isin(found.starts, known) & np.isin(found.ends, known))
        old = Present(
            found.ids[ours],
            found.starts[ours],
            found.ends[ours],
            {name: values.take(pa.array(ours)) for name, values in found.columns.items()},
        )
        new_left, old_left = self._unequal(rows, starts, ends, old)
        if self._delete:
            new_left, old_left = self._paired(rows, starts, ends, old, new_left, old_left)
            self._out.delete_relationships(old.ids[old_left])
        keep = np.zeros(rows.count, np.bool_)
        keep[new_left] = True
        self._out.create_relationships(type_, rows.filter(keep), starts[keep], ends[keep])

    def _unequal(self, rows: Rows, starts: Ids, ends: Ids, old: Present) -> tuple[Ids, Ids]:
        """Rows of both sides that have no equal on the other."""
        count = rows.count
        names = [field.name for field in rows.fields]
        pairs = [(rows.arrays[at], old.columns[name]) for at, name in enumerate(names)]
        values = codes(pairs, count + len(old.ids))
        both = pack_ids(
            np.concatenate([starts, old.starts]), np.concatenate([ends, old.ends]), values
        )
        one, other = matched(both[:count], both[count:])
        return (
            np.setdiff1d(np.arange(count), one),
            np.setdiff1d(np.arange(len(old.ids)), other),
        )

    def _paired(
        self, rows: Rows, starts: Ids, ends: Ids, old: Present, new_left: Ids, old_left: Ids
    ) -> tuple[Ids, Ids]:
        """Changes what has the same ends; what is left of both sides."""
        count = len(new_left)
        both = pack_ids(
            np.concatenate([starts[new_left], old.starts[old_left]]),
            np.concatenate([ends[new_left], old.ends[old_left]]),
        )
        one, other = matched(both[:count], both[count:])
        new, before = pa.array(new_left[one]), pa.array(old_left[other])
        arrays = [values.take(new) for values in rows.arrays]
        befores = [old.columns[field.name].take(before) for field in rows.fields]
        self._out.change("relationship", old.ids[old_left[other]], rows.fields, arrays, befores)
        return np.delete(new_left, one), np.delete(old_left, other)

    # --- sending ---

    def send(self, at: str | None) -> dict[str, Any]:
        """The difference in one transaction; what was done."""
        self._orphans()
        outcome = self._out.counts()
        if not any(outcome.values()):
            return outcome
        wire = self._wire
        begin = wire.client.begin(commit_time=at, at_version=self._version or None)
        load = wire.call(begin)
        self._meter.begin("sending", sum(outcome.values()))
        try:
            self._out.send(wire, load, self._meter)
            wire.settle()
            committed = wire.call(load.commit())
        except BaseException:
            wire.give_up(load)
            raise
        return {**outcome, "version": committed.version, "time": committed.time}

    def _orphans(self) -> None:
        """Relationships of other types go with the nodes they end at."""
        gone = self._out.nodes_to_delete()
        step = 10_000
        found = [np.zeros(0, np.int64)]
        for low in range(0, len(gone), step):
            ids = gone[low : low + step].tolist()
            statement = "UNWIND $ids AS i MATCH (n)-[r]-() WHERE id(n) = i RETURN DISTINCT id(r)"
            table = self._wire.table(statement, {"ids": ids}, at=self._version)
            if table.num_rows:
                found.append(table.column(0).to_numpy())
        self._out.delete_relationships(np.concatenate(found))


def places_of(keys: pa.Array, table: pa.Array) -> Ids:
    """Where keys stand in a column, -1 for nowhere."""
    if keys.type != table.type:
        return np.full(len(keys), -1, np.int64)
    found = pc.fill_null(pc.index_in(keys, value_set=table), -1)
    places: Ids = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return places


def merge(
    wire: w.Wire,
    nodes: Sequence[File],
    edges: Sequence[File],
    bad: BadRows,
    meter: Meter,
    *,
    at: str | None,
    delete: bool,
) -> dict[str, Any]:
    """Compare and send; what was done."""
    work = Merge(wire, bad, meter, delete=delete)
    work.nodes(nodes)
    work.relationships(edges)
    return work.send(at)
