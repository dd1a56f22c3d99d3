"""Creates everything the files say: nodes first, then relationships in sorted windows."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from everwhen.cli.loading import wire as w
from everwhen.cli.loading.keys import Keys
from everwhen.cli.loading.problems import BadRows, ImportFailed
from everwhen.cli.loading.progress import Meter
from everwhen.cli.loading.rows import Checked, File, Rows
from everwhen.cli.loading.steps import Stepwise, Target, Whole

Ids = npt.NDArray[np.int64]
#: relationships sorted together, and bytes of their properties
WINDOW_ROWS: Final = 4_000_000
WINDOW_BYTES: Final = 256 << 20


class Creation:
    """One import into whatever is there already."""

    def __init__(self, steps: Whole | Stepwise, bad: BadRows, meter: Meter, rows: int) -> None:
        self._steps = steps
        self._bad = bad
        self._meter = meter
        self._rows = rows
        self.groups: dict[str, Keys] = {}
        self._given: list[tuple[Future[int], Ids, Ids]] = []
        self.nodes = 0
        self.relationships = 0

    # --- nodes ---

    def load_nodes(self, files: Sequence[File]) -> None:
        """All nodes; returns when the server has them."""
        for file in files:
            groups = [self.groups.setdefault(name, Keys()) for name in file.groups]
            for checked in file.read(self._bad, self._meter, groups):
                with self._steps.batch() as target:
                    self._send_nodes(target, file, checked.rows, groups)
        for future, ids, places in self._given:
            ids[places] = future.result() + np.arange(len(places))
        self._given.clear()

    def _send_nodes(self, target: Target, file: File, rows: Rows, groups: Sequence[Keys]) -> None:
        ids = np.full(rows.count, -1, np.int64)
        for labels, mask in rows.by_name(file.spec.names):
            chosen = rows.filter(mask)
            places = np.flatnonzero(mask)
            for part, body in w.parts(chosen.fields, chosen.arrays, chosen.count):
                self._given.append((target.nodes(labels, body), ids, places[part]))
        for keys, group in zip(rows.keys, groups, strict=True):
            group.add(keys, ids)
        self.nodes += rows.count

    # --- relationships ---

    def load_relationships(self, files: Sequence[File]) -> None:
        """All relationships."""
        for file in files:
            groups = []
            for name in file.groups:
                if name not in self.groups:
                    raise ImportFailed(
                        f"{file.source.name}: no file of nodes has ids of the group {name!r}"
                    )
                groups.append(self.groups[name])
            window: list[Checked] = []
            count = size = 0
            for checked in file.read(self._bad, self._meter, groups):
                each = sum(one.nbytes for one in checked.rows.arrays) // max(checked.rows.count, 1)
                low = 0
                while low < checked.rows.count:
                    high = min(checked.rows.count, low + self._rows - count)
                    window.append(checked.cut(low, high))
                    count += high - low
                    size += (high - low) * each
                    low = high
                    if count >= self._rows or size >= WINDOW_BYTES:
                        self._flush(file, window)
                        window, count, size = [], 0, 0
            self._flush(file, window)

    def _flush(self, file: File, window: list[Checked]) -> None:
        """Sort a window and send it."""
        if not sum(one.rows.count for one in window):
            return
        starts = np.concatenate([one.ends[0] for one in window])
        ends = np.concatenate([one.ends[1] for one in window])
        rows = joined([one.rows for one in window])
        window.clear()
        self._meter.begin(f"{file.spec.path.name}: sending", rows.count)
        with self._steps.batch() as target:
            for names, mask in rows.by_name(file.spec.names):
                self._send(target, names[-1], np.flatnonzero(mask), starts, ends, rows)
        self.relationships += rows.count

    def _send(
        self, target: Target, type_: str, places: Ids, starts: Ids, ends: Ids, rows: Rows
    ) -> None:
        order = places[sorted_order(starts[places], ends[places])]
        fields = [pa.field(":start", pa.int64()), pa.field(":end", pa.int64()), *rows.fields]
        each = sum(one.nbytes for one in rows.arrays) // max(rows.count, 1) + 16
        step = max(min(w.PART_ROWS, w.PART_BYTES // each), 1)
        for low in range(0, len(order), step):
            part = order[low : low + step]
            taken = [one.take(pa.array(part)) for one in rows.arrays]
            body = w.ipc(fields, [pa.array(starts[part]), pa.array(ends[part]), *taken])
            target.relationships(type_, body)
            self._meter.at(low + len(part), len(part))


def joined(rows: Sequence[Rows]) -> Rows:
    """Batches of one file as one."""
    first = rows[0]
    if len(rows) == 1:
        return first
    names = None if first.names is None else pa.concat_arrays([_named(one) for one in rows])
    arrays = [pa.concat_arrays([one.arrays[at] for one in rows]) for at in range(len(first.arrays))]
    return Rows(sum(one.count for one in rows), [], names, first.fields, arrays)


def _named(rows: Rows) -> pa.Array:
    return rows.names


def sorted_order(starts: Ids, ends: Ids) -> Ids:
    """The permutation that sorts by (start, end)."""
    if not len(starts):
        return np.zeros(0, np.int64)
    low = int(ends.min())
    span = int(ends.max()) - low + 1
    base = int(starts.min())
    if (int(starts.max()) - base + 1) * span < 2**63:
        # one number a row sorts several times faster than two
        found: Ids = np.argsort((starts - base) * span + (ends - low))
        return found
    order: Ids = np.lexsort((ends, starts))
    return order
