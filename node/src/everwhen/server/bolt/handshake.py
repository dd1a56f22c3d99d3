"""Agreement on a version: four proposals of the client, or a list of ours to choose from.

A proposal is four bytes: 0, how many minor versions below count too, minor, major. From 5.7 on a
client may propose 00 00 01 FF ("show me what you have"); it then gets our versions and a bit mask
of capabilities (we have none) and answers with its choice of both.
"""

from __future__ import annotations

from typing import Final

Version = tuple[int, int]

MAGIC: Final = b"\x60\x60\xb0\x17"
PROPOSALS_BYTES: Final = 16
MANIFEST: Final = b"\x00\x00\x01\xff"

#: major -> lowest and highest minor we speak, best major first
SPOKEN: Final[dict[int, Version]] = {6: (0, 0), 5: (0, 8), 4: (4, 4)}
#: beyond this many bytes a number of variable length is an attack
_VARINT_BYTES_MAX: Final = 8


def choose(proposals: bytes) -> bytes:
    """Our answer to four proposals: a version, the manifest, or zeros for "none of these"."""
    offers = [proposals[at : at + 4] for at in range(0, PROPOSALS_BYTES, 4)]
    if MANIFEST in offers:
        return manifest()
    for _, below, minor, major in offers:
        if major not in SPOKEN:
            continue
        low, high = SPOKEN[major]
        best = min(minor, high)
        if best >= max(low, minor - below):
            return bytes((0, 0, best, major))
    return bytes(4)


def manifest() -> bytes:
    """What we speak, for a client that chooses itself."""
    ranges = [bytes((0, high - low, high, major)) for major, (low, high) in SPOKEN.items()]
    return MANIFEST + varint(len(ranges)) + b"".join(ranges) + varint(0)


def version_of(answer: bytes) -> Version | None:
    """The version that four bytes name, None if we do not speak it."""
    _, _, minor, major = answer[:4]
    low, high = SPOKEN.get(major, (1, 0))
    return (major, minor) if low <= minor <= high else None


def chosen(data: bytes) -> tuple[bytes, int] | None:
    """A client's answer to the manifest: the four bytes of its version, and how many bytes the
    answer has; None while it is not whole.

    :raises ValueError: it is no answer.
    """
    for at in range(4, len(data)):
        if at - 4 >= _VARINT_BYTES_MAX:
            raise ValueError("the capabilities are a number without end")
        if data[at] < 0x80:
            return data[:4], at + 1
    return None


def varint(number: int) -> bytes:
    """A number in groups of seven bits, lowest first."""
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)
