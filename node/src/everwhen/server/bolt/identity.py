"""Who asks on one connection: logged on, changed, logged off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from everwhen.codec.users import Credential
from everwhen.runtime.requests import Caller
from everwhen.server.auth.port import Authenticator, Principal
from everwhen.server.bolt import messages as m

_TEXT_MAX: Final = 200


class Identity:
    """See the module. ``caller`` is who the service is told."""

    def __init__(self, authenticator: Authenticator, remote: str) -> None:
        self.caller = Caller("", remote, "")
        self._authenticator = authenticator
        self._principal = Principal()

    def call(self, agent: str) -> None:
        """How the client's program names itself."""
        self.caller = replace(self.caller, tag=agent[:_TEXT_MAX])

    async def log_on(self, auth: m.Extra) -> dict[str, Any]:
        """What SUCCESS says of whoever logged on.

        :raises Unauthorized, AuthenticationRateLimit: see ``Authenticator``.
        """
        parts = [auth.get(name) for name in ("scheme", "principal", "credentials")]
        scheme, principal, credentials = (each if type(each) is str else "" for each in parts)
        who = await self._authenticator.authenticate(
            scheme or "none", principal, credentials, self.caller.client
        )
        self._become(who)
        return {"credentials_expired": True} if who.must_change_password else {}

    def log_off(self) -> None:
        """Nobody asks until somebody logs on."""
        self._become(Principal())

    def check(self) -> None:
        """:raises AuthorizationExpired: the user is not the one who logged on any more."""
        who = self._authenticator.present(self._principal)
        if who is not self._principal:
            self._become(who)

    def note(self, credential: Credential | None) -> None:
        """A statement of this connection changed the password of its own user, unless None."""
        if credential is not None:
            former = self._principal.credential
            self._become(Principal(self._principal.name, False, credential, former))

    def _become(self, who: Principal) -> None:
        self._principal = who
        self.caller = replace(
            self.caller, principal=who.name, must_change_password=who.must_change_password
        )
