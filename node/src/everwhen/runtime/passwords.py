"""Passwords: hashing, checking, and which ones are taken.

scrypt (RFC 7914) at the cost that OWASP's password storage cheat sheet gives for 16 MiB of memory:
about 0.15 s of one core. Blocking, but it lets other threads run.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from everwhen.codec.users import Credential
from everwhen.errors import QueryArgumentError
from everwhen.limits import PASSWORD_CHARS_MAX, USER_NAME_CHARS_MAX
from everwhen.ports import Random

_N: Final = 1 << 14
_R: Final = 8
_P: Final = 5
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
#: memory that a stored cost may ask for
_MEMORY_BYTES_MAX: Final = 256 << 20
#: HTTP's basic scheme ends a name at a colon; a comma parts names in lists of them
_NOT_IN_NAMES: Final = frozenset(":,")


def hash_password(password: str, random: Random) -> Credential:
    """What is kept of a password. Blocking."""
    salt = random.bytes(_SALT_BYTES)
    return Credential(_N, _R, _P, salt, _scrypt(password, salt, _N, _R, _P, _HASH_BYTES))


def decoy(random: Random) -> Credential:
    """A credential that no password matches, at the same cost as any other."""
    return Credential(_N, _R, _P, random.bytes(_SALT_BYTES), random.bytes(_HASH_BYTES))


def matches(credential: Credential, password: str) -> bool:
    """Whether this is the password. Blocking."""
    kept = credential
    found = _scrypt(password, kept.salt, kept.n, kept.r, kept.p, len(kept.hash))
    return hmac.compare_digest(found, kept.hash)


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MEMORY_BYTES_MAX, dklen=length
    )


def check_password(password: str, chars_min: int) -> None:
    """:raises QueryArgumentError: nobody may have this one."""
    if not password:
        raise QueryArgumentError("A password cannot be empty.")
    if len(password) < chars_min:
        raise QueryArgumentError(f"A password must be at least {chars_min} characters.")
    if len(password) > PASSWORD_CHARS_MAX:
        raise QueryArgumentError(f"A password must be at most {PASSWORD_CHARS_MAX} characters.")


def check_user_name(name: str) -> None:
    """:raises QueryArgumentError: nobody may be called so."""
    if not name or len(name) > USER_NAME_CHARS_MAX:
        raise QueryArgumentError(f"the name of a user has 1 to {USER_NAME_CHARS_MAX} characters")
    if not name.isprintable() or not _NOT_IN_NAMES.isdisjoint(name):
        raise QueryArgumentError(
            f"the name of a user has no colons, commas or control characters: {name!r}"
        )
