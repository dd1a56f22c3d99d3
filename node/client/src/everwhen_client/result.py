"""What a statement answers: rows by name or place, counters, notifications, plan, bookmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from everwhen_client.errors import ClientMisuse, RowsLost
from everwhen_client.wire import decode


class Record(tuple[Any, ...]):  # noqa: SLOT001 - a tuple can have no slots of its own
    """One row: a tuple whose values have names too."""

    _fields: tuple[str, ...]

    @classmethod
    def of(cls, fields: tuple[str, ...], values: Sequence[Any]) -> Record:
        """A row of these columns."""
        record = cls(values)
        record._fields = fields
        return record

    @overload  # type: ignore[override]
    def __getitem__(self, key: int | str) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, key: int | str | slice) -> Any:
        if isinstance(key, str):
            try:
                key = self._fields.index(key)
            except ValueError:
                raise KeyError(key) from None
        return super().__getitem__(key)

    def keys(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self._fields

    def data(self) -> dict[str, Any]:
        """The row as a dict."""
        return dict(zip(self._fields, self, strict=True))


@dataclass(frozen=True, slots=True)
class Summary:
    """What a statement says of itself besides its rows."""

    counters: Mapping[str, Any] = field(default_factory=dict)
    notifications: Sequence[Mapping[str, Any]] = ()
    plan: Mapping[str, Any] | None = None
    profile: Mapping[str, Any] | None = None
    bookmark: str | None = None
    #: an earlier attempt had committed: this answer has its bookmark and none of its rows
    repeated: bool = False

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Summary:
        """From the answer's own words."""
        bookmarks = answer.get("bookmarks") or [None]
        return cls(
            answer.get("counters") or {},
            answer.get("notifications") or (),
            answer.get("queryPlan"),
            answer.get("profiledQueryPlan"),
            bookmarks[-1],
            bool(answer.get("repeated")),
        )


class Result:
    """A whole answer in memory; for more rows than fit there is ``stream`` and ``arrow``."""

    __slots__ = ("_rows", "columns", "summary")

    def __init__(self, columns: tuple[str, ...], rows: list[Record], summary: Summary) -> None:
        self.columns = columns
        self._rows = rows
        self.summary = summary

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Result:
        """From an answer in typed JSON."""
        data = answer.get("data") or {"fields": [], "values": []}
        fields = tuple(data["fields"])
        rows = [Record.of(fields, [decode(cell) for cell in row]) for row in data["values"]]
        return cls(fields, rows, Summary.of(answer))

    @property
    def rows(self) -> list[Record]:
        """All rows.

        :raises RowsLost: the first attempt of this request committed and its answer was lost.
        """
        if self.summary.repeated and self.columns:
            raise RowsLost(
                "the statement was committed by an earlier attempt whose rows were lost with the "
                "connection; read what it wrote with another statement"
            )
        return self._rows

    def __iter__(self) -> Iterator[Record]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def single(self) -> Record:
        """The only row.

        :raises ClientMisuse: there is none, or more than one.
        """
        if len(self.rows) != 1:
            raise ClientMisuse(f"one row was expected, {len(self.rows)} came")
        return self.rows[0]

    def value(self, key: int | str = 0) -> Any:
        """One value of the only row."""
        return self.single()[key]

    def values(self, key: int | str = 0) -> list[Any]:
        """One column."""
        return [row[key] for row in self.rows]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts."""
        return [row.data() for row in self.rows]
