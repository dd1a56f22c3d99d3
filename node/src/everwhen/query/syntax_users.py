"""Syntax tree, commands about users. Rules and sources: :mod:`everwhen.query.syntax`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from everwhen.query.syntax_base import Syntax
from everwhen.query.syntax_statements import Body

if TYPE_CHECKING:
    from everwhen.query.syntax_expressions import Parameter

UserStatus = Literal["ACTIVE", "SUSPENDED"]


@dataclass(frozen=True, slots=True)
class Password(Syntax):
    """A password that stands in the text: nothing prints it, and trees that differ in nothing else
    are equal."""

    value: str = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CreateUser(Body):
    """``CREATE [OR REPLACE] USER name [IF NOT EXISTS] SET PASSWORD …``.

    ``change_required`` None: not said.
    """

    name: str | Parameter
    password: Password | Parameter
    if_not_exists: bool = False
    replace: bool = False
    change_required: bool | None = None
    status: UserStatus | None = None


@dataclass(frozen=True, slots=True)
class AlterUser(Body):
    """``ALTER USER name [IF EXISTS] SET …``; None is left as it is."""

    name: str | Parameter
    if_exists: bool = False
    password: Password | Parameter | None = None
    change_required: bool | None = None
    status: UserStatus | None = None


@dataclass(frozen=True, slots=True)
class AlterCurrentUser(Body):
    """``ALTER CURRENT USER SET PASSWORD FROM old TO new``."""

    old: Password | Parameter
    new: Password | Parameter


@dataclass(frozen=True, slots=True)
class DropUser(Body):
    """``DROP USER name [IF EXISTS]``."""

    name: str | Parameter
    if_exists: bool = False
