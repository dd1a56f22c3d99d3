"""One user with a password out of the settings."""

from __future__ import annotations

import hmac

from everwhen.errors import Unauthorized
from everwhen.server.auth.port import Principal


class OneUser:
    """``port.Authenticator`` for the user that ``http.user`` names."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    async def authenticate(
        self, scheme: str, principal: str, credentials: str, remote: str
    ) -> Principal:
        """See ``port.Authenticator``. Both comparisons always run, in constant time."""
        right_user = hmac.compare_digest(principal.encode(), self._user.encode())
        right_password = hmac.compare_digest(credentials.encode(), self._password.encode())
        if scheme != "basic" or not (right_user and right_password):
            raise Unauthorized("the user name or password is wrong, or missing")
        return Principal(principal)
