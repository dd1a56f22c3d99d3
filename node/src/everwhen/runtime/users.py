"""Commands about users: passwords are hashed here, before anything is proposed.

Everybody who may log on may manage users, as in Neo4j's community edition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from everwhen.codec.cluster import LEVEL_USERS, check_level
from everwhen.codec.users import Credential
from everwhen.errors import ParameterMissing, QueryArgumentError, QueryTypeError
from everwhen.query import syntax
from everwhen.runtime.cursor import Summary
from everwhen.runtime.passwords import check_password, check_user_name, hash_password, matches
from everwhen.runtime.requests import Caller
from everwhen.txn import commands as c

if TYPE_CHECKING:
    from everwhen.runtime.database import Database

UserBody = syntax.CreateUser | syntax.AlterUser | syntax.AlterCurrentUser | syntax.DropUser


class UserRunner:
    """Runs statements about users; any worker thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, body: UserBody, parameters: Mapping[str, Any], caller: Caller) -> Summary:
        """One command, replicated and applied.

        :raises QueryArgumentError: a name or password that is not taken, or as apply answers.
        :raises PreconditionFailed: the cluster's feature level is too low.
        """
        self._check_level()
        command: c.Command
        match body:
            case syntax.CreateUser():
                command = self._create(body, parameters, caller)
            case syntax.AlterUser():
                command = self._alter(body, parameters, caller)
            case syntax.AlterCurrentUser():
                command = self._alter_current(body, parameters, caller)
            case syntax.DropUser():
                command = self._drop(body, parameters, caller)
        reply = self._database.backend.propose(command)
        summary = Summary("s")
        if isinstance(reply, c.SchemaChanged) and reply.changed:
            summary.counters.system_updates = 1
        if isinstance(body, syntax.AlterCurrentUser) and isinstance(command, c.AlterUser):
            summary.own_credential = command.credential
        return summary

    def _check_level(self) -> None:
        check_level(self._database.state.current.cluster, LEVEL_USERS, "users")

    def _create(
        self, body: syntax.CreateUser, parameters: Mapping[str, Any], caller: Caller
    ) -> c.CreateUser:
        name = _text(body.name, parameters, "the name of a user")
        check_user_name(name)
        if body.replace and name == caller.principal:
            raise QueryArgumentError(
                f"Failed to replace the specified user '{name}': Deleting yourself is not allowed."
            )
        return c.CreateUser(
            c.FORMAT,
            name,
            self._hashed(body.password, parameters),
            body.change_required is not False,
            body.status == "SUSPENDED",
            body.if_not_exists,
            body.replace,
            by=caller.principal,
        )

    def _alter(
        self, body: syntax.AlterUser, parameters: Mapping[str, Any], caller: Caller
    ) -> c.AlterUser:
        name = _text(body.name, parameters, "the name of a user")
        if body.status is not None and name == caller.principal:
            raise QueryArgumentError(
                f"Failed to alter the specified user '{name}': "
                "Changing your own activation status is not allowed."
            )
        credential = None
        if body.password is not None:
            credential = self._hashed(body.password, parameters)
        suspended = None if body.status is None else body.status == "SUSPENDED"
        return c.AlterUser(
            c.FORMAT,
            name,
            credential,
            body.change_required,
            suspended,
            body.if_exists,
            by=caller.principal,
        )

    def _alter_current(
        self, body: syntax.AlterCurrentUser, parameters: Mapping[str, Any], caller: Caller
    ) -> c.AlterUser:
        old = _text(body.old, parameters, "a password")
        new = _text(body.new, parameters, "a password")
        check_password(new, self._database.password_chars_min)
        name = caller.principal
        user = self._database.state.current.users.get(name)
        failed = f"User '{name}' failed to alter their own password: "
        if user is None:
            raise QueryArgumentError(f"{failed}User does not exist.")
        if not matches(user.credential, old):
            raise QueryArgumentError(f"{failed}Invalid principal or credentials.")
        if old == new:
            raise QueryArgumentError(f"{failed}Old password and new password cannot be the same.")
        credential = hash_password(new, self._database.random)
        return c.AlterUser(
            c.FORMAT, name, credential, False, None, expected=user.credential, by=name
        )

    def _drop(
        self, body: syntax.DropUser, parameters: Mapping[str, Any], caller: Caller
    ) -> c.DropUser:
        name = _text(body.name, parameters, "the name of a user")
        if name == caller.principal:
            raise QueryArgumentError(
                f"Failed to delete the specified user '{name}': Deleting yourself is not allowed."
            )
        return c.DropUser(c.FORMAT, name, body.if_exists, caller.principal)

    def _hashed(
        self, password: syntax.Password | syntax.Parameter, parameters: Mapping[str, Any]
    ) -> Credential:
        text = _text(password, parameters, "a password")
        check_password(text, self._database.password_chars_min)
        return hash_password(text, self._database.random)


def _text(
    given: str | syntax.Password | syntax.Parameter, parameters: Mapping[str, Any], what: str
) -> str:
    """A name or password as it stands, or out of a parameter, whose value no error shows."""
    if isinstance(given, str):
        return given
    if isinstance(given, syntax.Password):
        return given.value
    if given.name not in parameters:
        raise ParameterMissing(f"the statement needs the parameter ${given.name}")
    value = parameters[given.name]
    if type(value) is not str:
        raise QueryTypeError(
            f"${given.name} must be a string: {what}", detail="InvalidArgumentType"
        )
    return value
