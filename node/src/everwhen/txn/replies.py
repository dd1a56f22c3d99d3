"""Replies of apply as bytes: a reply struct, or an error of the tree by its class name."""

from __future__ import annotations

import msgspec

from everwhen import errors
from everwhen.txn.commands import (
    Begun,
    Committed,
    Done,
    Leased,
    MemberAdded,
    Reply,
    SchemaChanged,
    Vacuumed,
)


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """An error: ``name`` is its class in ``everwhen.errors``."""

    name: str
    message: str
    hint: str | None
    detail: str | None


class _Committed(msgspec.Struct, frozen=True, array_like=True, tag=1):
    reply: Committed


class _Leased(msgspec.Struct, frozen=True, array_like=True, tag=2):
    reply: Leased


class _SchemaChanged(msgspec.Struct, frozen=True, array_like=True, tag=3):
    reply: SchemaChanged


class _Done(msgspec.Struct, frozen=True, array_like=True, tag=4):
    reply: Done


class _Begun(msgspec.Struct, frozen=True, array_like=True, tag=5):
    reply: Begun


class _MemberAdded(msgspec.Struct, frozen=True, array_like=True, tag=6):
    reply: MemberAdded


class _Vacuumed(msgspec.Struct, frozen=True, array_like=True, tag=7):
    reply: Vacuumed


_WRAPPERS: dict[type, type] = {
    Committed: _Committed,
    Leased: _Leased,
    SchemaChanged: _SchemaChanged,
    Done: _Done,
    Begun: _Begun,
    MemberAdded: _MemberAdded,
    Vacuumed: _Vacuumed,
}
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(
    Failed | _Committed | _Leased | _SchemaChanged | _Done | _Begun | _MemberAdded | _Vacuumed
)


def encode_reply(reply: Reply | errors.EverwhenError) -> bytes:
    """Bytes of what apply answered."""
    if isinstance(reply, errors.EverwhenError):
        failed = Failed(type(reply).__name__, reply.message, reply.hint, reply.detail)
        return _ENCODER.encode(failed)
    return _ENCODER.encode(_WRAPPERS[type(reply)](reply))


def decode_reply(data: bytes) -> Reply:
    """The reply.

    :raises EverwhenError: the error that apply answered with, of its own class.
    :raises OutcomeUnknown: one that a member of a later version knows and this build does not.
    """
    decoded = _DECODER.decode(data)
    if isinstance(decoded, Failed):
        kind = getattr(errors, decoded.name, None)
        if not isinstance(kind, type) or not issubclass(kind, errors.EverwhenError):
            raise errors.OutcomeUnknown(f"{decoded.name}: {decoded.message}", hint=decoded.hint)
        raise kind(decoded.message, hint=decoded.hint, detail=decoded.detail)
    reply: Reply = decoded.reply
    return reply
