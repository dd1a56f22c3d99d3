"""Commands about keeping and forgetting as text."""

from __future__ import annotations

from collections.abc import Callable

from everwhen.query import syntax as s
from everwhen.query.pretty_words import PLAIN, identifier

Print = Callable[[s.Expression], str]


def alter_retention(tree: s.AlterRetention, expression: Print) -> str:
    text = f"ALTER DATABASE {identifier(tree.database)} "
    if tree.keep is None:
        text += "REMOVE RETENTION"
    elif tree.keep == "FOREVER":
        text += "SET RETENTION KEEP FOREVER"
    else:
        assert not isinstance(tree.keep, str)
        text += f"SET RETENTION {expression(tree.keep)}"
    if tree.entity == "NODE":
        return f"{text} FOR (n:{identifier(tree.label)})"
    return f"{text} FOR ()-[r:{identifier(tree.label)}]-()" if tree.entity else text


def create_restore_point(tree: s.CreateRestorePoint, time: str) -> str:
    text = f"CREATE RESTORE POINT {_name(tree.name)}"
    return text + (" IF NOT EXISTS" if tree.if_not_exists else "") + time


def drop_restore_point(tree: s.DropRestorePoint) -> str:
    return f"DROP RESTORE POINT {_name(tree.name)}{' IF EXISTS' if tree.if_exists else ''}"


def erase(tree: s.Erase) -> str:
    time = f" {tree.time}" if tree.time else ""
    return f"{tree.reading}{time} ERASE {erased(tree)}{' FORCE' if tree.force else ''}"


def erased(tree: s.Erase) -> str:
    """The variables of an ERASE."""
    return ", ".join(map(identifier, tree.variables))


def _name(name: str | s.Parameter) -> str:
    if isinstance(name, s.Parameter):
        plain = PLAIN.fullmatch(name.name) or (name.name.isdecimal() and name.name.isascii())
        return f"${name.name}" if plain else "$`" + name.name.replace("`", "``") + "`"
    return identifier(name)
