"""Frames between nodes: several in a message, and no bytes that break the reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.codec.peer_frames import Frame, Kind, decode_frames, encode_frame
from everwhen.errors import CorruptData

FRAMES = st.builds(
    Frame,
    st.sampled_from(list(Kind)).map(int),
    st.integers(0, 2**64 - 1),
    st.integers(0, 255),
    st.binary(max_size=40),
)


@given(st.lists(FRAMES, max_size=8))
def test_round_trip(frames: list[Frame]) -> None:
    message = b"".join(encode_frame(*frame) for frame in frames)
    assert list(decode_frames(message)) == frames


@given(st.binary(max_size=60))
def test_any_bytes_are_frames_or_damage(data: bytes) -> None:
    try:
        frames = list(decode_frames(data))
    except CorruptData:
        return
    assert b"".join(encode_frame(*frame) for frame in frames) == data


def test_a_cut_message_is_damage() -> None:
    message = encode_frame(Kind.REQUEST, 7, 1, b"body")
    for cut in range(1, len(message)):
        with pytest.raises(CorruptData):
            list(decode_frames(message[:cut]))
