"""Users: created, changed, dropped. What they may do is decided at the doors, not here."""

from __future__ import annotations

from msgspec.structs import replace

from everwhen.apply.work import Work
from everwhen.codec.cluster import LEVEL_USERS, check_level
from everwhen.codec.keys import meta_key
from everwhen.codec.users import META_USER, User, encode_user
from everwhen.errors import PreconditionFailed, QueryArgumentError
from everwhen.limits import USERS_MAX
from everwhen.txn import commands as c


class Users:
    """Applies commands about users to the work at hand."""

    __slots__ = ("_work",)

    def __init__(self, work: Work) -> None:
        self._work = work

    def create(self, command: c.CreateUser) -> c.SchemaChanged:
        """:raises QueryArgumentError: the name is taken, or there are too many."""
        self._check_level()
        users = self._work.users
        if command.first and users:
            return self._answer(changed=False)
        if command.name in users and not command.replace:
            if command.if_not_exists:
                return self._answer(changed=False)
            raise QueryArgumentError(
                f"Failed to create the specified user '{command.name}': User already exists."
            )
        if command.name not in users and len(users) >= USERS_MAX:
            raise QueryArgumentError(f"{USERS_MAX:,} users exist, which is the limit")
        self._put(User(command.name, command.credential, command.must_change, command.suspended))
        return self._answer(changed=True)

    def alter(self, command: c.AlterUser) -> c.SchemaChanged:
        """:raises QueryArgumentError: there is no such user.
        :raises PreconditionFailed: the password was changed meanwhile."""
        self._check_level()
        user = self._work.users.get(command.name)
        if user is None:
            if command.if_exists:
                return self._answer(changed=False)
            raise QueryArgumentError(
                f"Failed to alter the specified user '{command.name}': User does not exist."
            )
        if command.expected is not None and command.expected != user.credential:
            raise PreconditionFailed(f"the password of '{command.name}' was changed meanwhile")
        changed = user
        if command.credential is not None:
            changed = replace(changed, credential=command.credential)
        if command.must_change is not None:
            changed = replace(changed, must_change=command.must_change)
        if command.suspended is not None:
            changed = replace(changed, suspended=command.suspended)
        if changed != user:
            self._put(changed)
        return self._answer(changed=changed != user)

    def drop(self, command: c.DropUser) -> c.SchemaChanged:
        """:raises QueryArgumentError: there is no such user."""
        self._check_level()
        work = self._work
        if command.name not in work.users:
            if command.if_exists:
                return self._answer(changed=False)
            raise QueryArgumentError(
                f"Failed to delete the specified user '{command.name}': User does not exist."
            )
        work.layer.delete(meta_key(META_USER + command.name))
        work.users = {name: user for name, user in work.users.items() if name != command.name}
        return self._answer(changed=True)

    def _check_level(self) -> None:
        check_level(self._work.cluster, LEVEL_USERS, "users")

    def _put(self, user: User) -> None:
        work = self._work
        value = encode_user(user)
        work.layer.put(meta_key(META_USER + user.name), value)
        work.note(value)
        work.users = {**work.users, user.name: user}

    def _answer(self, *, changed: bool) -> c.SchemaChanged:
        return c.SchemaChanged(changed, self._work.catalog_version)
