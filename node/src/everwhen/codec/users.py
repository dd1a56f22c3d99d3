"""Users as the replicated state knows them: one value per user in the record.

What is kept of a password is its scrypt hash (RFC 7914) with the salt and the cost it was made
with, computed before it is proposed: replicas only store it. Nothing prints a hash.
"""

from __future__ import annotations

from typing import Final

import msgspec

from everwhen.errors import CorruptData, FormatUnsupported

FORMAT: Final = 1
#: META name of a user is this and the user's name
META_USER: Final = "user:"


class Credential(msgspec.Struct, frozen=True, array_like=True):
    """A password's hash. Every change of a password makes a new salt, so that two of these are
    equal only if nothing was changed between them."""

    #: cost, block size and parallelism of scrypt
    n: int
    r: int
    p: int
    salt: bytes
    hash: bytes

    def __repr__(self) -> str:
        return f"scrypt(n={self.n}, r={self.r}, p={self.p}, hidden)"


class User(msgspec.Struct, frozen=True, array_like=True):
    """Somebody who may log on; names are compared byte by byte."""

    name: str
    credential: Credential
    #: nothing but a change of the password is allowed
    must_change: bool = False
    suspended: bool = False
    format: int = FORMAT


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(User)


def encode_user(user: User) -> bytes:
    """The value under META ``user:`` and the name."""
    return _ENCODER.encode(user)


def decode_user(value: bytes) -> User:
    """The user.

    :raises CorruptData: bytes that are none.
    :raises FormatUnsupported: written by a newer build.
    """
    try:
        user = _DECODER.decode(value)
    except msgspec.MsgspecError as error:
        raise CorruptData(f"bytes that are no user: {error}") from error
    if user.format > FORMAT:
        raise FormatUnsupported(f"a user of format {user.format}; this build knows {FORMAT}")
    return user
