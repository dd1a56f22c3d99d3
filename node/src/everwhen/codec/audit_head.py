"""Exported heads: what an outside party keeps so that history cannot be rewritten or cut off unseen.

A JSON object. Its signature is an HMAC-SHA256 over all other fields, under a key of the operator's
choosing: who holds the key can tell a head that this cluster gave out from one that was made up.
Without a key the head is not signed; it then proves as much as the place where it is kept.
"""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from everwhen.codec.instants import text_of
from everwhen.errors import AuditHeadInvalid
from everwhen.limits import AUDIT_HEAD_BYTES_MAX, AUDIT_KEY_BYTES_MIN

FORMAT: Final = 1
_ALGORITHM: Final = "HMAC-SHA256"


class AuditHead(NamedTuple):
    """Nothing up to this commit can be altered unseen by who keeps it."""

    cluster: str
    history: str
    version: int
    #: µs since 1970 UTC
    time: int
    chain: bytes
    #: how many labels, types and property keys had a name, and the digest of these names
    names: tuple[int, int, int]
    names_digest: bytes


class _Document(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    format: int
    cluster: str
    history: str
    version: int
    time: str
    time_micros: int
    chain: str
    names: tuple[int, int, int]
    names_digest: str
    signature: dict[str, str] | None = None


_DECODER = msgspec.json.Decoder(_Document)


def document(head: AuditHead, key: bytes | None) -> dict[str, Any]:
    """A head as JSON, signed if there is a key."""
    found: dict[str, Any] = {
        "format": FORMAT,
        "cluster": head.cluster,
        "history": head.history,
        "version": head.version,
        "time": text_of(head.time),
        "timeMicros": head.time,
        "chain": head.chain.hex(),
        "names": list(head.names),
        "namesDigest": head.names_digest.hex(),
    }
    signature = None if key is None else {"algorithm": _ALGORITHM, "value": _mac(found, key)}
    return {**found, "signature": signature}


def parse(data: bytes, key: bytes | None) -> AuditHead:
    """A head from JSON; with a key, its signature must be right.

    :raises AuditHeadInvalid: it is none, or not signed with this key.
    """
    if len(data) > AUDIT_HEAD_BYTES_MAX:
        raise AuditHeadInvalid(f"a head of {len(data)} bytes: this is something else")
    try:
        read = _DECODER.decode(data)
        chain, digest = bytes.fromhex(read.chain), bytes.fromhex(read.names_digest)
    except (msgspec.MsgspecError, ValueError) as error:
        raise AuditHeadInvalid(f"this is no exported head: {error}") from error
    if read.format != FORMAT:
        raise AuditHeadInvalid(f"a head of format {read.format}; this build reads {FORMAT}")
    if key is not None:
        fields = msgspec.to_builtins(read)
        signature = fields.pop("signature") or {}
        if signature.get("algorithm") != _ALGORITHM:
            raise AuditHeadInvalid(f"the head is not signed with {_ALGORITHM}")
        fields["names"] = list(read.names)
        if not hmac.compare_digest(signature.get("value", ""), _mac(fields, key)):
            raise AuditHeadInvalid("the head was not signed with this key, or was altered since")
    return AuditHead(
        read.cluster,
        read.history,
        read.version,
        read.time_micros,
        chain,
        read.names,
        digest,
    )


def check_key(key: bytes) -> bytes:
    """A key as it is used: without white space around it.

    :raises AuditHeadInvalid: it is too short to be one.
    """
    key = key.strip()
    if len(key) < AUDIT_KEY_BYTES_MIN:
        raise AuditHeadInvalid(
            f"the key has {len(key)} bytes, it needs {AUDIT_KEY_BYTES_MIN}",
            hint="make one: head -c 32 /dev/urandom | base64",
        )
    return key


def _mac(fields: dict[str, Any], key: bytes) -> str:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, text.encode(), sha256).hexdigest()
