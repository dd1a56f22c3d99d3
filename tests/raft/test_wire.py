"""Messages and membership entries survive their bytes, and damaged bytes are refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from everwhen import raft
from everwhen.errors import CorruptData
from everwhen.raft.wire import (
    decode_conf_change,
    decode_message,
    encode_conf_change,
    encode_conf_change_v1,
    encode_message,
)

Messages = st.SearchStrategy[raft.Message]
U64 = st.integers(0, 2**64 - 1)
ENTRIES = st.builds(
    raft.Entry, U64, U64, st.sampled_from(list(raft.EntryType)), st.binary(max_size=20)
)
TRAVELLING = [
    kind
    for kind in raft.MessageType
    if kind.name.startswith(("APP", "VOTE", "HEARTBEAT", "PROP", "PRE_VOTE", "READ_INDEX"))
]
VOTES = [kind for kind in TRAVELLING if "VOTE" in kind.name]
OTHERS = [kind for kind in TRAVELLING if kind not in VOTES]


def messages(kinds: list[raft.MessageType], **more: st.SearchStrategy[int]) -> Messages:
    return st.builds(
        raft.Message,
        st.sampled_from(kinds),
        to=U64,
        from_=U64,
        term=U64,
        log_term=U64,
        index=U64,
        entries=st.lists(ENTRIES, max_size=4),
        commit=U64,
        reject=st.booleans(),
        context=st.binary(max_size=20),
        **more,
    )


MESSAGES = messages(OTHERS, reject_hint=U64) | messages(VOTES, commit_term=U64)
CHANGES = st.builds(raft.Change, st.sampled_from(list(raft.ChangeType)), U64)


@given(MESSAGES)
def test_messages_round_trip(message: raft.Message) -> None:
    assert decode_message(encode_message(message)) == message


@given(MESSAGES, st.data())
def test_a_cut_message_is_refused(message: raft.Message, data: st.DataObject) -> None:
    encoded = encode_message(message)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    try:
        decode_message(cut)
    except CorruptData:
        return
    raise AssertionError("a cut message was taken")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        message = decode_message(data)
    except CorruptData:
        return
    assert encode_message(message) == data


@given(
    st.sampled_from(list(raft.Transition)),
    st.lists(CHANGES, max_size=5).map(tuple),
    st.binary(max_size=10),
)
def test_membership_entries_round_trip(
    transition: raft.Transition, changes: tuple[raft.Change, ...], context: bytes
) -> None:
    change = raft.ConfChangeV2(transition, changes, context)
    entry = raft.Entry(type=raft.EntryType.CONF_CHANGE_V2, data=encode_conf_change(change))
    assert decode_conf_change(entry) == change


@given(CHANGES, st.binary(max_size=10))
def test_simple_membership_entries_round_trip(change: raft.Change, context: bytes) -> None:
    simple = raft.ConfChange(change.type, change.node, context)
    entry = raft.Entry(type=raft.EntryType.CONF_CHANGE, data=encode_conf_change_v1(simple))
    assert decode_conf_change(entry) == simple.as_v2()


@given(st.sampled_from(list(raft.EntryType)[1:]), st.binary(max_size=40))
def test_any_bytes_are_a_change_or_refused(kind: raft.EntryType, data: bytes) -> None:
    try:
        decode_conf_change(raft.Entry(type=kind, data=data))
    except CorruptData:
        return
