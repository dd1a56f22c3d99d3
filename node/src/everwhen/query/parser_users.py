"""Commands about users.

Source: Neo4j 5 manual ("Manage users"). Passwords are strings or parameters, never expressions, so
that no other part of the language ever sees one.
"""

from __future__ import annotations

from typing import NamedTuple

from everwhen.query.lexer import PARAM, STRING
from everwhen.query.parser_schema import SchemaParser
from everwhen.query.syntax import (
    AlterCurrentUser,
    AlterUser,
    Body,
    CreateUser,
    DropUser,
    Parameter,
    Password,
    UserStatus,
)

_ACTIONS = "PASSWORD, STATUS ACTIVE or STATUS SUSPENDED"


class _Changes(NamedTuple):
    """What the SET parts say."""

    password: Password | Parameter | None = None
    change_required: bool | None = None
    status: UserStatus | None = None


class UserParser(SchemaParser):
    """Adds commands about users."""

    def user_ahead(self) -> bool:
        """At CREATE, ALTER or DROP: whether a user follows."""
        if self.kinds[self.i] == "ALTER":
            return True
        distance = 3 if self.ahead("CREATE", "OR", "REPLACE") else 1
        return self.peek(distance) == "USER" and self.peek(distance + 1) not in ("=", "(")

    def user_command(self) -> Body:
        at = self.starts[self.i]
        if self.take("ALTER"):
            if self.take("CURRENT"):
                return self._alter_current(at)
            self.expect("USER", "USER or CURRENT USER after ALTER")
            return self._alter(at)
        if self.take("DROP"):
            self.expect("USER")
            return DropUser(self._user_name(), self._if_exists(), at=at)
        self.expect("CREATE")
        replace = self.take("OR")
        if replace:
            self.expect("REPLACE")
        self.expect("USER")
        return self._create(at, replace=replace)

    def _user_name(self) -> str | Parameter:
        if self.kinds[self.i] == PARAM:
            return self.parameter()
        return self.name("the name of a user")

    def _create(self, at: int, *, replace: bool) -> CreateUser:
        name = self._user_name()
        place = self.i
        if_not_exists = self._if_not_exists()
        if if_not_exists and replace:
            raise self.fail_at(place, "OR REPLACE and IF NOT EXISTS exclude each other")
        changes = self._changes()
        if changes.password is None:
            raise self.fail("SET PASSWORD and a password")
        return CreateUser(
            name,
            changes.password,
            if_not_exists,
            replace,
            changes.change_required,
            changes.status,
            at=at,
        )

    def _alter(self, at: int) -> AlterUser:
        name, if_exists = self._user_name(), self._if_exists()
        return AlterUser(name, if_exists, *self._changes(), at=at)

    def _changes(self) -> _Changes:
        """``SET …`` once or more, each thing once."""
        self.expect("SET", "SET")
        found = self._change(_Changes())
        while self.take("SET"):
            found = self._change(found)
        return found

    def _change(self, found: _Changes) -> _Changes:
        place = self.i
        if self.take("STATUS"):
            if found.status is not None:
                raise self.fail_at(place, "STATUS is set twice")
            if self.take("ACTIVE"):
                return found._replace(status="ACTIVE")
            self.expect("SUSPENDED", "ACTIVE or SUSPENDED")
            return found._replace(status="SUSPENDED")
        if self.kinds[self.i] == "ENCRYPTED":
            raise self.fail(_ACTIONS, hint="passwords are sent as they are, over TLS")
        if self.kinds[self.i] == "HOME":
            raise self.fail(_ACTIONS, hint="there is one database, so nobody has another home")
        plaintext = self.take("PLAINTEXT")
        self.expect("PASSWORD", "PASSWORD" if plaintext else _ACTIONS)
        if plaintext or self.kinds[self.i] in (STRING, PARAM):
            if found.password is not None:
                raise self.fail_at(place, "PASSWORD is set twice")
            found = found._replace(password=self._password())
            if self.kinds[self.i] != "CHANGE":
                return found
        required = self._change_required()
        if found.change_required is not None:
            raise self.fail_at(place, "CHANGE REQUIRED is set twice")
        return found._replace(change_required=required)

    def _change_required(self) -> bool:
        self.expect("CHANGE", "a password, or CHANGE [NOT] REQUIRED")
        required = not self.take("NOT")
        self.expect("REQUIRED", "REQUIRED")
        return required

    def _password(self) -> Password | Parameter:
        if self.kinds[self.i] == PARAM:
            return self.parameter()
        literal = self.string()
        return Password(literal.value, at=literal.at)

    def _alter_current(self, at: int) -> AlterCurrentUser:
        self.expect("USER")
        self.expect("SET", "SET PASSWORD FROM … TO …")
        self.expect("PASSWORD")
        self.expect("FROM", "FROM and the present password")
        old = self._password()
        self.expect("TO", "TO and the new password")
        return AlterCurrentUser(old, self._password(), at=at)
