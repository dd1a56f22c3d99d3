"""States and messages in the words of the transcripts."""

from __future__ import annotations

from everwhen import raft
from everwhen.raft.confchange import ChangeType
from everwhen.raft.types import HardState, ReadState, SoftState

_STATES = {
    raft.StateType.FOLLOWER: "StateFollower",
    raft.StateType.CANDIDATE: "StateCandidate",
    raft.StateType.LEADER: "StateLeader",
    raft.StateType.PRE_CANDIDATE: "StatePreCandidate",
}
_ENTRIES = {
    raft.EntryType.NORMAL: "EntryNormal",
    raft.EntryType.CONF_CHANGE: "EntryConfChange",
    raft.EntryType.CONF_CHANGE_V2: "EntryConfChangeV2",
}
_CHANGES = {
    ChangeType.ADD_NODE: "v",
    ChangeType.ADD_LEARNER_NODE: "l",
    ChangeType.REMOVE_NODE: "r",
    ChangeType.UPDATE_NODE: "u",
}


def type_name(kind: raft.MessageType) -> str:
    """``MsgAppResp`` and so on."""
    return "Msg" + "".join(word.capitalize() for word in kind.name.split("_"))


def state_name(state: raft.StateType) -> str:
    return _STATES[state]


def target(node: int) -> str:
    return {
        0: "None",
        raft.LOCAL_APPEND: "AppendThread",
        raft.LOCAL_APPLY: "ApplyThread",
    }.get(node, f"{node:x}")


def hard_state(state: HardState) -> str:
    vote = f" Vote:{state.vote}" if state.vote else ""
    return f"Term:{state.term}{vote} Commit:{state.commit}"


def soft_state(state: SoftState) -> str:
    return f"Lead:{state.lead} State:{state_name(state.state)}"


def _list(numbers: list[int]) -> str:
    return "[" + " ".join(str(number) for number in numbers) + "]"


def conf_state(state: raft.ConfState) -> str:
    return (
        f"Voters:{_list(state.voters)} VotersOutgoing:{_list(state.voters_outgoing)} "
        f"Learners:{_list(state.learners)} LearnersNext:{_list(state.learners_next)} "
        f"AutoLeave:{str(state.auto_leave).lower()}"
    )


def snapshot(found: raft.Snapshot) -> str:
    metadata = found.metadata
    return (
        f"Index:{metadata.index} Term:{metadata.term} ConfState:{conf_state(metadata.conf_state)}"
    )


_ESCAPES = {
    **dict(zip("\a\b\f\n\r\t\v", "abfnrtv", strict=True)),
    "\\": "\\",
    '"': '"',
}


def quoted(data: bytes) -> str:
    """Go's %q."""
    return '"' + "".join(map(_quoted, data.decode("utf-8", "surrogateescape"))) + '"'


def _quoted(character: str) -> str:
    code = ord(character)
    if character in _ESCAPES:
        return "\\" + _ESCAPES[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable():
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def entry(found: raft.Entry) -> str:
    if found.type is raft.EntryType.NORMAL:
        text = quoted(found.data)
    else:
        changes = raft.decode_conf_change(found).changes
        text = " ".join(f"{_CHANGES[each.type]}{each.node}" for each in changes)
    return f"{found.term}/{found.index} {_ENTRIES[found.type]}" + (f" {text}" if text else "")


def entries(found: list[raft.Entry]) -> str:
    return "".join(entry(each) + "\n" for each in found)


def message(found: raft.Message, indent: str = "") -> str:
    text = (
        f"{indent}{target(found.from_)}->{target(found.to)} {type_name(found.type)} "
        f"Term:{found.term} Log:{found.log_term}/{found.index}"
    )
    if found.reject:
        text += f" Rejected (Hint: {found.reject_hint})"
    if found.commit:
        text += f" Commit:{found.commit}"
    if found.vote:
        text += f" Vote:{found.vote}"
    if len(found.entries) == 1:
        text += f" Entries:[{entry(found.entries[0])}]"
    elif found.entries:
        inside = "".join(f"\n{indent}  {entry(each)}" for each in found.entries)
        text += f" Entries:[{inside}\n{indent}]"
    if found.snapshot is not None and not found.snapshot.is_empty:
        text += f"\n{indent}  Snapshot: {snapshot(found.snapshot)}"
    if found.responses:
        inside = "".join(f"\n{message(each, indent + '  ')}" for each in found.responses)
        text += f" Responses:[{inside}\n{indent}]"
    return text


def _read_state(state: ReadState) -> str:
    return f"{{{state.index} {_list(list(state.request_ctx))}}}"


def ready(found: raft.Ready) -> str:
    parts: list[str] = []
    if found.soft_state is not None:
        parts.append(soft_state(found.soft_state) + "\n")
    if not found.hard_state.is_empty:
        parts.append(f"HardState {hard_state(found.hard_state)}\n")
    if found.read_states:
        parts.append("ReadStates [" + " ".join(map(_read_state, found.read_states)) + "]\n")
    if found.entries:
        parts.append("Entries:\n" + entries(found.entries))
    if found.snapshot is not None:
        parts.append(f"Snapshot {snapshot(found.snapshot)}\n")
    if found.committed_entries:
        parts.append("CommittedEntries:\n" + entries(found.committed_entries))
    if found.messages:
        parts.append("Messages:\n" + "".join(message(each) + "\n" for each in found.messages))
    if not parts:
        return "<empty Ready>"
    return f"Ready MustSync={str(found.must_sync).lower()}:\n" + "".join(parts)
