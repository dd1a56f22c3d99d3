"""The users of the replicated state, checked by password.

A check costs a good part of a second of one core on purpose (``runtime.passwords``), in threads of
its own. What was found right is remembered by a digest under a key of this process, so that a
client that sends its password with every request pays once; a change of the user makes it worth
nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Final

from everwhen.codec.users import Credential, User
from everwhen.errors import AuthorizationExpired, TooManyRequests, Unauthorized
from everwhen.limits import AUTH_CHECKS_WAITING_MAX, AUTH_VERIFIED_KEPT, PASSWORD_CHARS_MAX
from everwhen.ports import Random, Threads
from everwhen.runtime.passwords import decoy, matches
from everwhen.server.auth.attempts import Attempts, Ledger
from everwhen.server.auth.port import Principal

#: (event, user, address) of what is worth a log line
Report = Callable[[str, str, str], None]

_POOL: Final = "auth"
_SHOWN_CHARS: Final = 100


class Users:
    """``port.Authenticator`` for the users of a record. On the event loop."""

    def __init__(
        self,
        users: Callable[[], Mapping[str, User]],
        threads: Threads,
        random: Random,
        ledger: Ledger,
        report: Report,
    ) -> None:
        self._users = users
        self._threads = threads
        self._ledger = ledger
        self._report = report
        self._key = random.bytes(32)
        #: checked for names that nobody has, so that they take as long
        self._decoy = decoy(random)
        self._verified: OrderedDict[tuple[str, bytes], Credential] = OrderedDict()
        self._waiting = 0

    async def authenticate(
        self, scheme: str, principal: str, credentials: str, remote: str
    ) -> Principal:
        """See ``port.Authenticator``."""
        if scheme != "basic":
            raise Unauthorized(
                f"the authentication scheme {scheme[:_SHOWN_CHARS]!r} is not taken",
                hint="log on with a user name and a password (scheme `basic`)",
            )
        key = self._key_of(principal, credentials)
        user = self._users().get(principal)
        if not self._is_verified(key, user):
            user = await self._verify(key, credentials, remote)
        assert user is not None  # only what was checked against a user is verified
        if user.suspended:
            self._report("authentication_of_suspended_user", principal, remote)
            raise Unauthorized(f"the user {principal!r} is suspended")
        return Principal(principal, user.must_change, user.credential)

    async def expect(self, principal: str, credentials: str) -> None:
        """See ``port.Authenticator``."""
        key, user = self._key_of(principal, credentials), self._users().get(principal)
        if user is None or self._is_verified(key, user):
            return
        if await self._matches(user.credential, credentials):
            self._remember(key, user.credential)

    def _key_of(self, principal: str, credentials: str) -> tuple[str, bytes]:
        return principal, blake2b(credentials.encode(), key=self._key, digest_size=32).digest()

    def _is_verified(self, key: tuple[str, bytes], user: User | None) -> bool:
        return user is not None and self._verified.get(key) == user.credential

    async def _verify(self, key: tuple[str, bytes], password: str, remote: str) -> User:
        """:raises Unauthorized: wrong.
        :raises AuthenticationRateLimit: too often.
        :raises TooManyRequests: too many wait to be checked."""
        name = key[0][: _SHOWN_CHARS + 1]
        attempts = self._ledger.of(name, remote)
        if self._waiting >= AUTH_CHECKS_WAITING_MAX:
            raise TooManyRequests(f"{self._waiting} passwords wait to be checked")
        self._waiting += 1
        try:
            async with attempts.turn:
                user = self._users().get(key[0])
                if user is None or not self._is_verified(key, user):
                    await self._compare(key, user, password, attempts, remote)
        finally:
            self._waiting -= 1
        assert user is not None  # nobody matches the decoy
        return user

    async def _compare(
        self,
        key: tuple[str, bytes],
        user: User | None,
        password: str,
        attempts: Attempts,
        remote: str,
    ) -> None:
        self._ledger.check(attempts)
        credential = self._decoy if user is None else user.credential
        if not await self._matches(credential, password) or user is None:
            self._ledger.failed(attempts)
            self._report("authentication_failed", key[0][:_SHOWN_CHARS], remote)
            raise Unauthorized("the user name or password is wrong, or missing")
        self._ledger.succeeded(attempts)
        self._remember(key, credential)

    async def _matches(self, credential: Credential, password: str) -> bool:
        if len(password) > PASSWORD_CHARS_MAX:
            return False
        return await self._threads.run(_POOL, matches, credential, password)

    def _remember(self, key: tuple[str, bytes], credential: Credential) -> None:
        self._verified[key] = credential
        self._verified.move_to_end(key)
        while len(self._verified) > AUTH_VERIFIED_KEPT:
            self._verified.popitem(last=False)

    def present(self, principal: Principal) -> Principal:
        """See ``port.Authenticator``."""
        user = self._users().get(principal.name)
        if user is not None and not user.suspended:
            if user.credential == principal.credential:
                if user.must_change == principal.must_change_password and not principal.former:
                    return principal
                return Principal(principal.name, user.must_change, user.credential)
            if user.credential == principal.former:
                return replace(principal, must_change_password=False)
        raise AuthorizationExpired(
            f"the user {principal.name!r} was changed or dropped since they logged on",
            hint="log on again",
        )
