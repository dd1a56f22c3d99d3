"""Who asks over HTTP: the basic scheme, or the cluster's secret where the group is administered."""

from __future__ import annotations

import hmac
from base64 import b64decode
from typing import Final

from everwhen.codec.peer_frames import HEADER_SECRET
from everwhen.errors import CredentialsExpired
from everwhen.runtime.requests import Caller
from everwhen.server.auth.port import Authenticator
from everwhen.server.http.media import Asked

_TAG_CHARS: Final = 200


async def caller_of(authenticator: Authenticator, request: Asked) -> Caller:
    """Who asks, by name and password.

    :raises Unauthorized: none or wrong ones.
    :raises AuthenticationRateLimit: wrong ones too often.
    """
    client = request.remote or ""
    tag = request.headers.get("User-Agent", "")[:_TAG_CHARS]
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    user, password = "", ""
    if scheme.lower() == "basic":
        try:
            user, _, password = b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            scheme = "malformed"
    who = await authenticator.authenticate(scheme.lower() or "none", user, password, client)
    return Caller(who.name, client, tag, who.must_change_password)


def knows_secret(request: Asked, secret: str) -> bool:
    """Whether the request carries the cluster's secret; never, where there is none."""
    given = request.headers.get(HEADER_SECRET, "")
    return bool(secret) and hmac.compare_digest(given.encode(), secret.encode())


def need_own_password(caller: Caller) -> None:
    """:raises CredentialsExpired: only a statement may be sent, which changes the password."""
    if caller.must_change_password:
        raise CredentialsExpired(
            "The credentials you provided were valid, but must be changed before you can use this "
            "instance.",
            hint="ALTER CURRENT USER SET PASSWORD FROM '…' TO '…'",
        )
