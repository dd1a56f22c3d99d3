"""The seam between vectorized execution and the columns in memory: typed arrays, no objects.

``exec.batch`` reads through :class:`GraphColumns`; ``columns`` implements it over the image. One
such view answers for exactly one version, and every array it hands out stays as it is: whoever
follows the journal meanwhile appends behind what a view knows of, or makes new arrays.

**Rows.** Inside a view nodes are *rows*: dense integers that stand for ids. A row is given once and
keeps its node in every view of the same image (``GraphColumns.generation``), so that nodes bound at
two versions can be compared and walked on from. Relationships are rows of the table of their type.
A *reference* to a relationship is ``table number << 32 | row``; it is good within one view only.

**Validity.** A vector's ``valid`` is None where no element is null; otherwise False marks the nulls
(and what ``data`` holds there means nothing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int32]
Ids = npt.NDArray[np.int64]
References = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Versions = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]

#: kinds of vectors, and the dtype of their data
NULL: Final = "null"  #: nothing but nulls; bool
INT: Final = "int"  #: int64
FLOAT: Final = "float"  #: float64
BOOLEAN: Final = "boolean"  #: bool
STRING: Final = "string"  #: int32 codes of ``texts``
NODE: Final = "node"  #: int32 rows of ``graph``
RELATIONSHIP: Final = "relationship"  #: int64 references of ``graph``
ANY: Final = "any"  #: object: values of the language where they truly mix

#: an end that has not come; begins and ends are versions less ``GraphColumns.epoch``
NEVER: Final = 0xFFFF_FFFF
#: bits of a relationship's row in a reference
REFERENCE_BITS: Final = 32


class Texts(Protocol):
    """Distinct texts by code. Codes are given once; equal texts have equal codes."""

    def __len__(self) -> int: ...

    def some(self, codes: npt.NDArray[np.int32]) -> list[str]:
        """The texts of codes; at most 20,000 at a time."""

    def find(self, text: str) -> int:
        """The code of a text, -1 if no element has it."""

    def ranks(self) -> npt.NDArray[np.int32]:
        """By code: the place of the text among all of them in the order of code points."""


@dataclass(slots=True)
class Vector:
    """One column of a batch; see the module for ``valid`` and the kinds for ``data``."""

    kind: str
    data: npt.NDArray[Any]
    valid: Mask | None = None
    texts: Texts | None = None
    graph: GraphColumns | None = None

    def __len__(self) -> int:
        return len(self.data)

    def take(self, indexes: npt.NDArray[Any]) -> Vector:
        """The elements at some positions (or under a mask), in that order."""
        valid = None if self.valid is None else self.valid[indexes]
        return Vector(self.kind, self.data[indexes], valid, self.texts, self.graph)


class Adjacency(NamedTuple):
    """Relationships of one type by the node they start (or end) at, as kernels take them.

    The base: those of node row ``n`` are at ``offsets[n] : offsets[n + 1]`` (rows behind the end of
    ``offsets`` have none), ascending by the other node's row, then by their own row. An entry is
    visible if ``begins <= version < ends`` there; empty arrays: all of the base are visible.

    What came since: a chain from ``heads[n]`` over ``nexts`` until -1, newest first, always to be
    checked; empty arrays: nothing came. Chains may be grown by a writer meanwhile: what a reader at
    ``version`` must not see begins later.
    """

    version: int
    offsets: Offsets
    others: Rows
    edges: Rows
    begins: Versions
    ends: Versions
    heads: Rows
    nexts: Rows
    later_others: Rows
    later_edges: Rows
    later_begins: Versions
    later_ends: Versions


class TypeColumns(Protocol):
    """The relationships of one type at the version of their view."""

    @property
    def type(self) -> str: ...

    @property
    def number(self) -> int:
        """What its references begin with."""

    def count(self) -> int:
        """How many there are, exactly."""

    def rows(self) -> Rows:
        """All of them, ascending by id where that costs nothing, else by row."""

    def ids(self, rows: Rows) -> Ids: ...

    def ends(self, rows: Rows) -> tuple[Rows, Rows]:
        """Rows of the nodes they start and end at."""

    def rows_of(self, ids: Ids) -> Rows:
        """Rows of relationship ids, -1 for what is not here at this version."""

    def values(self, key: str, rows: Rows) -> Vector:
        """One property."""

    def adjacency(self, outgoing: bool) -> Adjacency: ...

    @property
    def parallel(self) -> bool:
        """Whether two of them may have the same start and end (False: surely not)."""


class GraphColumns(Protocol):
    """The committed graph at one version, as columns."""

    @property
    def version(self) -> int: ...

    @property
    def generation(self) -> int:
        """Views of one generation share their node rows."""

    @property
    def node_rows(self) -> int:
        """One more than the highest node row."""

    def nodes(self) -> Rows:
        """All nodes, ascending by id."""

    def labelled(self, label: str) -> Rows:
        """Nodes that carry a label, ascending by id."""

    def has_label(self, label: str, rows: Rows) -> Mask: ...

    def node_ids(self, rows: Rows) -> Ids: ...

    def node_rows_of(self, ids: Ids) -> Rows:
        """Rows of node ids, -1 for what is not there at this version."""

    def node_values(self, key: str, rows: Rows | slice) -> Vector:
        """One property, of consecutive rows (a slice with both ends) without copying; raises
        nothing for keys that no node has: all null."""

    def types(self) -> Sequence[str]:
        """Types that any relationship in memory has, ascending."""

    def relationships(self, type: str) -> TypeColumns | None:  # noqa: A002 - the field's name
        """None: there is no such type."""

    def table(self, number: int) -> TypeColumns:
        """The table of a reference."""
