"""Commands about users; part of the vocabulary of ``txn.commands``, whose rules hold here.

They need feature level ``codec.cluster.LEVEL_USERS``. ``by`` is the principal who asked, for
whoever reads the log.
"""

from __future__ import annotations

import msgspec

from everwhen.codec.users import Credential


class CreateUser(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=39):
    """A new user. ``first``: only if there is none at all, otherwise nothing happens."""

    format: int
    name: str
    credential: Credential
    must_change: bool
    suspended: bool
    if_not_exists: bool = False
    replace: bool = False
    first: bool = False
    by: str = ""


class AlterUser(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=40):
    """Changes what is not None. ``expected``: only while this is the user's credential."""

    format: int
    name: str
    credential: Credential | None = None
    must_change: bool | None = None
    suspended: bool | None = None
    if_exists: bool = False
    expected: Credential | None = None
    by: str = ""


class DropUser(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=41):
    """Forgets a user."""

    format: int
    name: str
    if_exists: bool = False
    by: str = ""
