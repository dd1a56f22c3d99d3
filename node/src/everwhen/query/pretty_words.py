"""Names, strings and the words that have to be quoted, for :mod:`everwhen.query.pretty`."""

from __future__ import annotations

import re
from typing import Final

from everwhen.query.parser_core import KEYWORDS

PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MEMBERSHIP: Final = re.compile(r"(?:`(?:[^`]|``)*`|\w+) IN ")
#: names that are quoted where a variable stands, because they begin something else there
QUOTED: Final = frozenset(KEYWORDS) | {
    "TRUE", "FALSE", "NULL", "AT", "OF", "FROM", "ANY", "NONE", "SINGLE", "SHORTEST", "REDUCE",
    "COUNT", "COLLECT", "SHORTESTPATH", "ALLSHORTESTPATHS", "INSERT", "NODETACH", "USING",
    "REPEATABLE", "DIFFERENT", "TO", "DESCENDING", "ASCENDING", "REPORT",
}  # fmt: skip
#: function names that would begin another form
QUOTED_FUNCTIONS: Final = frozenset((
    "ALL", "ANY", "NONE", "SINGLE", "REDUCE", "SHORTESTPATH", "ALLSHORTESTPATHS", "CASE", "NOT",
))  # fmt: skip
#: words that mean something else than a label after IS
AFTER_IS: Final = frozenset((
    "NULL", "NOT", "TYPED", "NORMALIZED", "NFC", "NFD", "NFKC", "NFKD",
))  # fmt: skip
_ESCAPES: Final = {
    "\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f",
}  # fmt: skip


def identifier(name: str) -> str:
    """A name where any word may stand (keys, labels)."""
    return name if PLAIN.fullmatch(name) else "`" + name.replace("`", "``") + "`"


def variable_name(name: str) -> str:
    """A name where some words would begin something else."""
    if name.upper() in QUOTED:
        return f"`{name}`"
    return identifier(name)


def dotted(name: str) -> str:
    return ".".join(identifier(part) for part in name.split("."))


def quoted(value: str) -> str:
    """A string literal."""
    pieces = [
        _ESCAPES.get(char) or (char if char >= " " else f"\\u{ord(char):04x}") for char in value
    ]
    return "'" + "".join(pieces) + "'"
