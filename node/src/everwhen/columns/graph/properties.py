"""One property of all rows (nodes, or relationships of a type), through versions.

An immutable typed base as of one version, and a log of changes. A reader at another version takes
the base and patches what changed in between, forward or back: nothing is copied that is not asked
for, and nothing is looked at where nothing changed. In the background the base moves forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from everwhen.columns.arena import Arena
from everwhen.columns.graph.coding import (
    DTYPES,
    NULL_TAG,
    OTHER_TAG,
    UNBORN_TAG,
    Coder,
    Payloads,
    Tags,
    data_of,
    payloads_of,
)
from everwhen.columns.graph.log import VALUES, Log, decisive
from everwhen.columns.graph.recent import Recent
from everwhen.model.columns import Mask, Rows, Vector

Array = npt.NDArray[Any]

KIND: Final = "properties"
#: of what is worked out for one version
PATCHES: Final = "patches"
#: of all rows so many are searched one by one in a patch before it gets a table
_TABLE_SHARE: Final = 16


@dataclass(frozen=True, slots=True)
class Base:
    """Values by row; rows behind its end have none.

    One tag: ``data`` as vectors have it, with ``valid`` (None: all are). OTHER: ``tags``, and
    ``data`` holds payloads.
    """

    tag: int
    data: Array
    valid: Mask | None = None
    tags: Tags | None = None

    def __len__(self) -> int:
        return len(self.data)

    def coded(self, rows: Rows) -> tuple[Tags, Payloads]:
        """Tags and payloads of rows, new arrays."""
        inside, rows = self._within(rows)
        if self.tags is not None:
            tags, payloads = self.tags[rows], self.data[rows]
        else:
            tags = np.full(len(rows), self.tag, np.uint8)
            payloads = payloads_of(self.tag, self.data[rows])
            if self.valid is not None:
                tags[~self.valid[rows]] = NULL_TAG
        if inside is not None:
            tags, payloads = _spread(tags, inside), _spread(payloads, inside)
        return tags, payloads

    def typed(self, rows: Rows) -> tuple[Array, Mask | None]:
        """Data and validity of rows, new arrays; only where there is one tag."""
        inside, rows = self._within(rows)
        data = self.data[rows]
        valid = None if self.valid is None else self.valid[rows]
        if inside is not None:
            valid = _spread(np.ones(len(rows), np.bool_) if valid is None else valid, inside)
            data = _spread(data, inside)
        return data, valid

    def _within(self, rows: Rows) -> tuple[Mask | None, Rows]:
        """Which rows are before its end (None: all), and those."""
        if not len(rows) or int(rows.max()) < len(self.data):
            return None, rows
        inside = rows < len(self.data)
        return inside, rows[inside]


def _spread(values: Array, inside: Mask) -> Array:
    found = np.zeros(len(inside), values.dtype)
    found[inside] = values
    return found


class _Patch:
    """What differs from the base at a version."""

    __slots__ = ("_arena", "_looked_up", "_places", "payloads", "rows", "tags")

    def __init__(self, arena: Arena, rows: Rows, tags: Tags, payloads: Payloads) -> None:
        self._arena = arena
        #: ascending
        self.rows = rows
        self.tags = tags
        self.payloads = payloads
        #: by row: one more than its position, 0 if it is not here
        self._places: Rows | None = None
        self._looked_up = 0

    def hits(self, rows: Rows, size: int) -> tuple[Array, Array]:
        """Positions among ``rows`` that differ, and the position here of each; ``size``: rows of
        the whole column."""
        places = self._places
        if places is None:
            self._looked_up += len(rows)
            if self._looked_up * _TABLE_SHARE <= size:
                found: Array = self.rows.searchsorted(rows)
                found[found == len(self.rows)] = 0
                (at,) = (self.rows[found] == rows).nonzero()
                return at, found[at]
            size = max(size, int(self.rows[-1]) + 1)
            places = self._arena.filled(size, 0, np.int32, PATCHES)
            places[self.rows] = np.arange(1, len(self.rows) + 1, dtype=np.int32)
            self._places = places
        if len(rows) and int(rows.max()) >= len(places):
            # rows that came after the table was made are not in the patch
            found = np.where(rows < len(places), places[np.minimum(rows, len(places) - 1)], 0)
        else:
            found = places[rows]
        (at,) = found.nonzero()
        return at, found[at] - 1


class Property:
    """See the module. One writer of the log, any readers."""

    __slots__ = ("_arena", "_patches", "at", "base", "coder", "log")

    def __init__(
        self, arena: Arena, coder: Coder, base: Base, at: int, log: Log | None = None
    ) -> None:
        """``at``: the version (less the epoch) at which ``base`` is right."""
        self._arena = arena
        self.coder = coder
        self.base = base
        self.at = at
        self.log = Log(arena, VALUES) if log is None else log
        self._patches: Recent[_Patch] = Recent()

    def __len__(self) -> int:
        return len(self.base)

    def take(self, rows: Rows | slice, version: int, size: int) -> Vector:
        """Its values at a version; ``size``: how many rows there are."""
        base, patch = self.base, self._patch(version)
        if isinstance(rows, slice):
            if patch is None and base.tags is None and rows.stop <= len(base):
                return self._run(rows)
            rows = np.arange(rows.start, rows.stop, dtype=np.int32)
        if patch is not None:
            at, places = patch.hits(rows, size)
            if len(at):
                return self._patched(rows, at, patch.tags[places], patch.payloads[places])
        if base.tags is not None:
            return self.coder.vector(*base.coded(rows))
        if not len(base):
            nothing = np.zeros(len(rows), np.bool_)
            return self.coder.typed(NULL_TAG, nothing, nothing)
        return self.coder.typed(base.tag, *base.typed(rows))

    def _run(self, rows: slice) -> Vector:
        """Values of the base as they stand there."""
        base = self.base
        valid = None if base.valid is None else base.valid[rows]
        return self.coder.typed(base.tag, base.data[rows], valid)

    def _patched(self, rows: Rows, at: Array, tags: Tags, payloads: Payloads) -> Vector:
        base, tag = self.base, self.base.tag
        there = tags != NULL_TAG
        if base.tags is None and len(base) and bool((tags[there] == tag).all()):
            data, valid = base.typed(rows)
            data[at] = data_of(tag, payloads)
            if valid is not None:
                valid[at] = there
            elif not bool(there.all()):
                valid = np.ones(len(rows), np.bool_)
                valid[at] = there
            return self.coder.typed(tag, data, valid)
        all_tags, all_payloads = base.coded(rows)
        all_tags[at], all_payloads[at] = tags, payloads
        return self.coder.vector(all_tags, all_payloads)

    def _patch(self, version: int) -> _Patch | None:
        here, there = place = self.log.between(self.at, version)
        if here == there:
            return None
        found = self._patches.get(place)
        if found is None:
            _, rows, old_tags, old, new_tags, new = self.log.slice(min(place), max(place))
            forward = here < there
            touched, at = decisive(rows, forward)
            if not forward:
                born = old_tags[at] != UNBORN_TAG
                touched, at = touched[born], at[born]
            tags, payloads = (new_tags, new) if forward else (old_tags, old)
            found = _Patch(self._arena, touched, tags[at], payloads[at])
            self._patches.put(place, found)
        return found if len(found.rows) else None

    def with_log(self, log: Log) -> Property:
        """The same property with a longer past."""
        return Property(self._arena, self.coder, self.base, self.at, log)

    def behind(self, version: int) -> int:
        """Changes between the base and a version."""
        here, there = self.log.between(self.at, version)
        return there - here

    def merged(self, version: int, size: int) -> Property:
        """The same property with its base at a version, for so many rows."""
        base, patch = self.base, self._patch(version)
        if patch is None:
            return Property(self._arena, self.coder, base, version, self.log)
        tags = set(np.unique(patch.tags).tolist()) - {NULL_TAG}
        if len(base):
            tags.add(base.tag)
        made = make_base(self._arena, size, tags.pop() if len(tags) == 1 else OTHER_TAG)
        every = np.arange(len(base), dtype=np.int32)
        if made.tags is None and len(base):
            fill_typed(made, every, base.data, base.valid)
        elif len(base):
            fill_coded(made, every, *base.coded(every))
        fill_coded(made, patch.rows, patch.tags, patch.payloads)
        return Property(self._arena, self.coder, tidied(made), version, self.log)


# --- making a base ---


def make_base(arena: Arena, size: int, tag: int) -> Base:
    """For so many rows, without values; OTHER: for any."""
    tags = arena.filled(size, NULL_TAG, np.uint8, KIND) if tag == OTHER_TAG else None
    valid = None if tag == OTHER_TAG else arena.filled(size, 0, np.bool_, KIND)
    return Base(tag, arena.filled(size, 0, DTYPES[tag], KIND), valid, tags)


def fill_typed(base: Base, rows: Rows | slice, data: Array, valid: Mask | None) -> None:
    """Values of a base of one tag. Only while it is made."""
    base.data[rows] = data
    if base.valid is not None:
        base.valid[rows] = True if valid is None else valid


def fill_coded(base: Base, rows: Rows | slice, tags: Tags, payloads: Payloads) -> None:
    """Values of any base that can hold them. Only while it is made."""
    if base.tags is not None:
        base.data[rows] = payloads
        base.tags[rows] = tags
    else:
        base.data[rows] = data_of(base.tag, payloads)
        if base.valid is not None:
            base.valid[rows] = tags != NULL_TAG


def tidied(base: Base) -> Base:
    """The same without a validity that says nothing."""
    if base.valid is not None and bool(base.valid.all()):
        return Base(base.tag, base.data, None, base.tags)
    return base
