"""The image at one version: see ``model.columns``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from everwhen.columns.graph.adjacency import Side
from everwhen.columns.graph.content import Content
from everwhen.columns.graph.table import Table
from everwhen.errors import Fault
from everwhen.model.columns import NULL, Adjacency, Ids, Mask, Rows, Vector
from everwhen.mvcc.tokens import Tokens


class ColumnsView:
    """A :class:`~everwhen.model.columns.GraphColumns`; it stays as it is."""

    __slots__ = ("_content", "_offset", "_rows", "_tables", "_tokens", "version")

    def __init__(self, content: Content, tokens: Tokens, version: int) -> None:
        self._content = content
        self._tokens = tokens
        self.version = version
        self._offset = version - content.epoch
        self._rows = content.nodes.count
        offset = self._offset
        self._tables = {n: TypeView(one, tokens, offset) for n, one in content.tables.items()}

    @property
    def content(self) -> Content:
        """What it is a view of."""
        return self._content

    @property
    def generation(self) -> int:
        return self._content.generation

    @property
    def node_rows(self) -> int:
        return self._rows

    def nodes(self) -> Rows:
        return self._content.existing.rows(self._offset)

    def labelled(self, label: str) -> Rows:
        token = self._tokens.labels.find(label)
        members = None if token is None else self._content.labels.get(token)
        return np.zeros(0, np.int32) if members is None else members.rows(self._offset)

    def has_label(self, label: str, rows: Rows) -> Mask:
        token = self._tokens.labels.find(label)
        members = None if token is None else self._content.labels.get(token)
        if members is None:
            return np.zeros(len(rows), np.bool_)
        return members.mask(self._offset, self._rows)[rows]

    def node_ids(self, rows: Rows) -> Ids:
        return self._content.nodes.ids[rows]

    def node_rows_of(self, ids: Ids) -> Rows:
        rows = self._content.nodes.rows(ids)
        rows[rows >= self._rows] = -1
        if self._rows:
            mask = self._content.existing.mask(self._offset, self._rows)
            rows[~mask[rows]] = -1  # the last row stands in for -1, and stays -1
        return rows

    def node_values(self, key: str, rows: Rows | slice) -> Vector:
        token = self._tokens.keys.find(key)
        held = None if token is None else self._content.properties.get(token)
        if held is not None:
            return held.take(rows, self._offset, self._rows)
        return nulls(rows.stop - rows.start if isinstance(rows, slice) else len(rows))

    def types(self) -> Sequence[str]:
        names = self._tokens.types.names
        return sorted(names[number] for number in self._tables)

    def relationships(self, type: str) -> TypeView | None:  # noqa: A002 - the field's name
        token = self._tokens.types.find(type)
        return None if token is None else self._tables.get(token)

    def table(self, number: int) -> TypeView:
        """:raises Fault: a reference of another view."""
        try:
            return self._tables[number]
        except KeyError as error:
            raise Fault(f"no relationship type {number} in the image") from error


class TypeView:
    """A :class:`~everwhen.model.columns.TypeColumns`."""

    # without its view: a circle of the two would outlive them, until a collection
    __slots__ = ("_count", "_offset", "_sides", "_table", "_tokens")

    def __init__(self, table: Table, tokens: Tokens, offset: int) -> None:
        self._table = table
        self._tokens = tokens
        self._offset = offset
        self._count = table.count
        self._sides = (table.incoming, table.outgoing)

    @property
    def type(self) -> str:
        return self._tokens.types.names[self._table.number]

    @property
    def number(self) -> int:
        return self._table.number

    def count(self) -> int:
        return self._table.number_at(self._offset, self._count)

    def rows(self) -> Rows:
        found = self._table.visible(self._offset, self._count)
        return np.arange(self._count, dtype=np.int32) if found is None else found

    def ids(self, rows: Rows) -> Ids:
        return self._table.ids[rows]

    def ends(self, rows: Rows) -> tuple[Rows, Rows]:
        return self._table.start[rows], self._table.finish[rows]

    def rows_of(self, ids: Ids) -> Rows:
        return self._table.rows_of(ids, self._offset, self._count)

    def values(self, key: str, rows: Rows) -> Vector:
        token = self._tokens.keys.find(key)
        held = None if token is None else self._table.properties.get(token)
        return nulls(len(rows)) if held is None else held.take(rows, self._offset, self._count)

    def adjacency(self, outgoing: bool) -> Adjacency:
        return self._side(outgoing).adjacency(self._table, self._offset)

    def _side(self, outgoing: bool) -> Side:
        version, side = self._offset, self._sides[outgoing]
        return side if side.base.since <= version else self._table.side(outgoing, version)

    @property
    def parallel(self) -> bool:
        return self._side(outgoing=True).parallel


def nulls(size: int) -> Vector:
    """Nothing but nulls."""
    return Vector(NULL, np.zeros(size, np.bool_), np.zeros(size, np.bool_))
