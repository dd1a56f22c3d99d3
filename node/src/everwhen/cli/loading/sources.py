"""Files as batches of columns: CSV (also compressed) and Parquet.

CSV columns come as text, so that one bad value costs its row and not the file; bytes that are no
UTF-8 are replaced by a mark that the reader of the rows looks for. Batches know the line each row
began on; lines are counted only when somebody asks.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from everwhen.cli.loading.problems import BadRows, ImportFailed, shown

#: bytes of CSV text read at a time; no row may be larger
BLOCK_BYTES: Final = 16 << 20
_PARQUET_ROWS: Final = 1 << 18
_HEADER_BYTES_MAX: Final = 1 << 20
#: stands for bytes that are no UTF-8: a noncharacter, which no text has
NO_TEXT: Final = "\uffff"
codecs.register_error("everwhen-mark", lambda error: (NO_TEXT, _end_of(error)))


def _end_of(error: UnicodeError) -> int:
    """Where decoding goes on."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.end


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a file."""

    file: str
    columns: list[pa.Array]
    rows: int
    #: number of the first row in the file, the header being row 1
    first: int
    #: line on which the first row begins
    line: int
    #: rows among them that were no rows: number, newlines inside
    gaps: list[tuple[int, int]] = field(default_factory=list)
    #: ``NO_TEXT`` stands in some of its values
    marked: bool = False

    def line_of(self, row: int) -> int:
        """The line on which a row of this batch begins."""
        number = self.first + row
        extra = 0
        for gap, newlines in self.gaps:
            if gap <= number:
                number += 1
                extra += newlines
        before = sum(_newlines(one.slice(0, row)) for one in self.columns)
        return self.line + (number - self.first) + before + extra

    def line_of_gap(self, at: int) -> int:
        """The line on which a row that was none begins."""
        number, _ = self.gaps[at]
        rows = number - self.first - at
        before = sum(_newlines(one.slice(0, rows)) for one in self.columns)
        return self.line + (number - self.first) + before + sum(n for _, n in self.gaps[:at])


def _newlines(values: pa.Array) -> int:
    if not (pa.types.is_binary(values.type) or pa.types.is_string(values.type)):
        return 0
    data = values.buffers()[2]
    if data is None or not len(values):
        return 0
    offsets = np.frombuffer(values.buffers()[1], np.int32)
    low, high = offsets[values.offset], offsets[values.offset + len(values)]
    return int(np.count_nonzero(np.frombuffer(data, np.uint8)[low:high] == ord("\n")))


class _Text(io.RawIOBase):
    """A file whose bytes are UTF-8, with marks where they were not."""

    def __init__(self, raw: pa.NativeFile) -> None:
        super().__init__()
        self._raw = raw
        self._left = b""
        self._ended = False
        #: a mark was put in
        self.marked = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, and a few more where something was marked."""
        if self._ended:
            return b""
        data = self._raw.read(None if size < 0 else max(size - len(self._left), 1))
        self._ended = not data
        data = self._left + data
        try:
            # a character cut in two waits for its other half
            whole = codecs.utf_8_decode(data, "strict", self._ended)[1]
        except UnicodeDecodeError:
            self.marked = True
            text, whole = codecs.utf_8_decode(data, "everwhen-mark", self._ended)
            self._left = data[whole:]
            marked: bytes = text.encode()
            return marked
        self._left = data[whole:]
        plain: bytes = data[:whole] if self._left else data
        return plain


class Source:
    """One file. ``read`` it once."""

    def __init__(self, path: Path, delimiter: str = ",", quote: str = '"') -> None:
        self.path = path
        self.name = str(path)
        self._delimiter = delimiter
        self._quote = quote
        try:
            self.bytes = path.stat().st_size
        except OSError as error:
            raise ImportFailed(f"cannot read {path}: {error.strerror}") from error
        self.is_parquet = path.suffix in (".parquet", ".pq")
        #: bytes of the file read so far
        self.done = 0

    # --- header ---

    def header(self) -> list[str]:
        """The names of its columns.

        :raises ImportFailed: it cannot be read, or is empty.
        """
        try:
            if self.is_parquet:
                return list(pq.read_schema(self.path).names)
            with pa.input_stream(str(self.path), compression="detect") as stream:
                raw = stream.read(_HEADER_BYTES_MAX)
        except (OSError, pa.ArrowException) as error:
            raise ImportFailed(f"cannot read {self.name}: {error}") from error
        try:
            text = raw.decode("utf-8-sig", errors="strict" if len(raw) < 4096 else "ignore")
            lines = text.splitlines(keepends=True)
            reader = csv.reader(lines, delimiter=self._delimiter, quotechar=self._quote)
            first = next(reader, None)
        except (UnicodeDecodeError, csv.Error) as error:
            first = self._header_only(raw, error)
        if not first:
            raise ImportFailed(f"{self.name} has no header row")
        return first

    def _header_only(self, raw: bytes, error: Exception) -> list[str]:
        """The header of a file whose further rows are bad."""
        try:
            line = raw.split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")
            return next(csv.reader([line], delimiter=self._delimiter, quotechar=self._quote), [])
        except (UnicodeDecodeError, csv.Error):
            raise ImportFailed(f"{self.name}: the header cannot be read: {error}") from error

    # --- rows ---

    def read(self, header: Sequence[str], bad: BadRows) -> Iterator[Batch]:
        """All rows.

        :raises ImportFailed: the file breaks off or is not what it says.
        """
        try:
            yield from self._parquet() if self.is_parquet else self._csv(len(header), bad)
        except (OSError, pa.ArrowException) as error:
            raise ImportFailed(f"{self.name}: {error}") from error
        self.done = self.bytes

    def _parquet(self) -> Iterator[Batch]:
        file = pq.ParquetFile(self.path)
        total = max(file.metadata.num_rows, 1)
        number = 1
        for batch in file.iter_batches(_PARQUET_ROWS):
            yield Batch(self.name, list(batch.columns), batch.num_rows, number, number)
            number += batch.num_rows
            self.done = self.bytes * number // total

    def _csv(self, width: int, bad: BadRows) -> Iterator[Batch]:
        raw = pa.OSFile(str(self.path))
        packed = self.path.suffix == ".gz"
        stream = _Text(pa.CompressedInputStream(raw, "gzip") if packed else raw)
        names = [str(at) for at in range(width)]
        broken: list[pv.InvalidRow] = []

        def refuse(row: pv.InvalidRow) -> str:
            broken.append(row)
            return "skip"

        reader = pv.open_csv(
            stream,
            pv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=names),
            pv.ParseOptions(
                delimiter=self._delimiter,
                quote_char=self._quote,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=refuse,
            ),
            pv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
        place = _Place(self.name, bad)
        for batch in reader:
            self.done = raw.tell()
            found = place.at(list(batch.columns), batch.num_rows, broken, marked=stream.marked)
            if found.rows:
                yield found
        place.at([], 0, broken, marked=False)


class _Place:
    """Where in a file the next batch begins."""

    def __init__(self, file: str, bad: BadRows) -> None:
        self._file = file
        self._bad = bad
        self._number = 1
        self._line = 1

    def at(
        self, columns: list[pa.Array], rows: int, broken: list[pv.InvalidRow], *, marked: bool
    ) -> Batch:
        """The next batch; tells of the broken rows up to its end and takes them away (the reader
        may be further already). The first row of the file is its header and left out."""
        mine = 0
        end = self._number + rows
        while mine < len(broken) and (not columns or broken[mine].number <= end + mine):
            mine += 1
        own = broken[:mine]
        del broken[:mine]
        gaps = [(row.number, row.text.count("\n")) for row in own]
        found = Batch(self._file, columns, rows, self._number, self._line, gaps, marked=marked)
        for at, row in enumerate(own):
            self._bad.add(self._file, found.line_of_gap(at), _why(row))
        if self._number == 1 and rows:
            found = replace(
                found,
                columns=[one.slice(1) for one in columns],
                rows=rows - 1,
                first=2,
                line=2 + sum(_newlines(one.slice(0, 1)) for one in columns),
            )
        self._line = found.line_of(found.rows)
        self._number = end + mine
        return found


def _why(row: pv.InvalidRow) -> str:
    return f"{row.actual_columns} fields, the header has {row.expected_columns}: {shown(row.text)}"
