"""Header conventions of ``neo4j-admin import``: what each column of a file means.

``name:type`` is a property; ``name:ID(Group)`` the key by which relationships refer to a node
(stored as property ``name`` if that is not empty); ``:START_ID(Group)``, ``:END_ID(Group)``,
``:TYPE``, ``:LABEL`` and ``:IGNORE`` say what they are. A type with ``[]`` is a list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from everwhen.cli.loading.problems import ImportFailed

#: types as written, and what they are here
TYPES: Final = {
    "string": "string",
    "char": "string",
    "int": "int",
    "integer": "int",
    "long": "int",
    "short": "int",
    "byte": "int",
    "float": "float",
    "double": "float",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "localtime": "localtime",
    "datetime": "datetime",
    "localdatetime": "localdatetime",
    "duration": "duration",
}
TEMPORAL: Final = frozenset({"date", "time", "localtime", "datetime", "localdatetime", "duration"})
_ROLES: Final = frozenset({"ID", "START_ID", "END_ID", "TYPE", "LABEL", "IGNORE"})
_TYPE: Final = re.compile(
    r"(?P<type>[A-Za-z_]+)(?P<list>\[\])?(?:\((?P<group>[^()]*)\))?(?:\{[^{}]*\})?"
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``role`` is ``property`` or one of the words in capitals; ``type`` is empty
    where the header names none (then text in CSV, its own type in Parquet)."""

    name: str
    role: str
    type: str = ""
    is_list: bool = False
    group: str = ""


def column(text: str) -> Column:
    """What one header field means.

    :raises ImportFailed: an unknown type.
    """
    name, colon, rest = text.strip().rpartition(":")
    if not colon:
        return Column(rest, "property")
    found = _TYPE.fullmatch(rest.strip())
    if found is None:
        raise ImportFailed(f"the column header {text!r} has no type that is known")
    word = found["type"]
    if word.upper() in _ROLES:
        return Column(name, word.upper(), group=found["group"] or "")
    if word.lower() not in TYPES:
        raise ImportFailed(
            f"the column header {text!r} has an unknown type {word!r}; "
            f"known are {', '.join(sorted(TYPES))}, ID, START_ID, END_ID, TYPE, LABEL, IGNORE"
        )
    if not name:
        raise ImportFailed(f"the column header {text!r} names no property")
    return Column(name, "property", TYPES[word.lower()], found["list"] is not None)


def columns(
    header: Sequence[str], mapping: Mapping[str, str], *, nodes: bool, where: str
) -> list[Column]:
    """All columns of a file; ``mapping`` gives other headers for some of its columns.

    :raises ImportFailed: a column that a file of this kind cannot have, or lacks.
    """
    for name in mapping:
        if name not in header:
            raise ImportFailed(f"{where}: the mapping speaks of a column {name!r} it does not have")
    found = [column(mapping.get(text, text)) for text in header]
    allowed = {"ID", "LABEL"} if nodes else {"START_ID", "END_ID", "TYPE"}
    for one, text in zip(found, header, strict=True):
        if one.role not in allowed | {"property", "IGNORE"}:
            kind = "nodes" if nodes else "relationships"
            raise ImportFailed(f"{where}: a file of {kind} cannot have the column {text!r}")
        if one.role == "property" and not one.name:
            raise ImportFailed(f"{where}: a column has no name in the header")
    for role in ("ID", "LABEL", "START_ID", "END_ID", "TYPE"):
        count = sum(one.role == role for one in found)
        if count > 1:
            raise ImportFailed(f"{where}: more than one column is :{role}")
        if role in ("START_ID", "END_ID") and not nodes and not count:
            raise ImportFailed(f"{where}: the header has no :{role} column")
    names = [one.name for one in found if one.role == "property" or (one.role == "ID" and one.name)]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ImportFailed(f"{where}: the property {min(twice)!r} is there twice")
    return found


def place(found: Sequence[Column], role: str) -> int | None:
    """Where the column of a role stands."""
    for at, one in enumerate(found):
        if one.role == role:
            return at
    return None
