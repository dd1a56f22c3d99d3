"""Commands about users as text; passwords are never printed."""

from __future__ import annotations

from everwhen.query import syntax as s
from everwhen.query.pretty_words import PLAIN, identifier

#: stands for every password
HIDDEN = "'******'"


def discreet(body: s.Body, text: str) -> str:
    """``text``, which is the statement of ``body``, as it may be shown to others."""
    match body:
        case s.CreateUser():
            return create_user(body)
        case s.AlterUser():
            return alter_user(body)
        case s.AlterCurrentUser():
            return alter_current_user(body)
    return text


def create_user(tree: s.CreateUser) -> str:
    text = f"CREATE {'OR REPLACE ' if tree.replace else ''}USER {_name(tree.name)}"
    text += " IF NOT EXISTS" if tree.if_not_exists else ""
    return text + _changes(tree.password, tree.change_required, tree.status)


def alter_user(tree: s.AlterUser) -> str:
    text = f"ALTER USER {_name(tree.name)}{' IF EXISTS' if tree.if_exists else ''}"
    return text + _changes(tree.password, tree.change_required, tree.status)


def alter_current_user(tree: s.AlterCurrentUser) -> str:
    return f"ALTER CURRENT USER SET PASSWORD FROM {_secret(tree.old)} TO {_secret(tree.new)}"


def drop_user(tree: s.DropUser) -> str:
    return f"DROP USER {_name(tree.name)}{' IF EXISTS' if tree.if_exists else ''}"


def _changes(
    password: s.Password | s.Parameter | None, required: bool | None, status: str | None
) -> str:
    change = "" if required is None else f" CHANGE {'' if required else 'NOT '}REQUIRED"
    text = ""
    if password is not None:
        text = f" SET PASSWORD {_secret(password)}{change}"
    elif change:
        text = f" SET PASSWORD{change}"
    return text if status is None else f"{text} SET STATUS {status}"


def _secret(password: s.Password | s.Parameter) -> str:
    return _parameter(password) if isinstance(password, s.Parameter) else HIDDEN


def _name(name: str | s.Parameter) -> str:
    return _parameter(name) if isinstance(name, s.Parameter) else identifier(name)


def _parameter(tree: s.Parameter) -> str:
    plain = PLAIN.fullmatch(tree.name) or (tree.name.isdecimal() and tree.name.isascii())
    return f"${tree.name}" if plain else "$`" + tree.name.replace("`", "``") + "`"
