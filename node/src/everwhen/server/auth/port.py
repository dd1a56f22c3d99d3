"""What doors ask about whoever knocks, and the answer of a server that asks nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from everwhen.codec.users import Credential


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who may come in. ``name`` is empty where nobody is asked."""

    name: str = ""
    #: nothing but a change of the password is allowed
    must_change_password: bool = False
    #: what the password was checked against; None where nobody is asked
    credential: Credential | None = None
    #: the one before, if this principal has just changed it and this node may not know that yet
    former: Credential | None = None


class Authenticator(Protocol):
    """Checks credentials."""

    async def authenticate(
        self, scheme: str, principal: str, credentials: str, remote: str
    ) -> Principal:
        """Who this is. ``scheme`` is ``basic`` or ``none``; ``remote`` the client's address.

        :raises Unauthorized: wrong or missing credentials, or a scheme that is not taken.
        :raises AuthenticationRateLimit: too many wrong ones from there.
        """
        ...

    async def expect(self, principal: str, credentials: str) -> None:
        """Somebody will come with these: what checking them takes is done before. It is no attempt."""
        ...

    def present(self, principal: Principal) -> Principal:
        """Somebody who logged on earlier, as they are now. Asked before each of their statements.

        :raises AuthorizationExpired: changed, suspended or dropped meanwhile.
        """
        ...


class NoAuthentication:
    """Everybody comes in, nobody has a name: for loopback only (the settings see to that)."""

    async def authenticate(
        self, scheme: str, principal: str, credentials: str, remote: str
    ) -> Principal:
        return Principal()

    async def expect(self, principal: str, credentials: str) -> None:
        pass

    def present(self, principal: Principal) -> Principal:
        return principal
