"""Whoever can write to the store alters history; the audit must find every alteration.

Alterations are made through the store's own batches, so every checksum of its files is right. Two
kinds are consistent in themselves: cutting off the newest commits, and rewriting a commit with all
chain hashes after it. These two only a head that was kept elsewhere can show.

    python -m tests.audit.tampering --count 10000 --seed 1
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from everwhen.codec import journal, keys, records
from everwhen.codec.audit_head import AuditHead
from everwhen.codec.keys import Kind
from everwhen.errors import CorruptData, FormatUnsupported
from everwhen.model.audit import PROBLEM, Finding
from everwhen.mvcc.audit import Auditor, head_of, head_problems
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Batch, Store
from everwhen.txn import commit
from tests.compat.history import write as write_forms
from tests.unit.apply.harness import Database, origin_of
from tests.unit.apply.test_flashback import Flashback
from tests.unit.apply.test_histories import History

HISTORIC = (
    *(Kind.JOURNAL, Kind.PIECE, Kind.TIME, Kind.SEGMENT, Kind.SEGREF, Kind.RUN, Kind.TOKEN),
    *(Kind.NODE, Kind.REL, Kind.OUT, Kind.IN, Kind.LABEL),
)
VERSIONED = (Kind.NODE, Kind.REL, Kind.OUT, Kind.IN, Kind.LABEL)
SECRET = b"a secret of test"


@dataclass
class Original:
    """A record that is whole, and the head of it that somebody keeps."""

    pairs: dict[bytes, bytes]
    head: AuditHead

    def copy(self) -> MemoryStore:
        store = MemoryStore()
        batch = Batch()
        batch.put_all(self.pairs.items())
        store.write(batch)
        return store

    def of(self, *kinds: Kind) -> list[bytes]:
        """Keys of some kinds; entries of indexes, which are derived, are no history."""
        return sorted(key for key in self.pairs if key[2] in kinds and not _of_an_index(key))


def _of_an_index(key: bytes) -> bool:
    """In a run the kind of the entry stands behind the run."""
    return key[2] == Kind.RUN and key[11] == Kind.INDEX


def original(seed: int) -> Original:
    """Random commits, and every physical form: runs folded and not, pieces, segments, staging."""
    history = History(seed, Database())
    for _ in range(250):
        history.step()
    for one in list(history.open):
        history.rollback(one)
    write_forms(history.db)
    _with_texts(history.db)
    before = history.db.view().version
    Flashback(history.db, history.random.randrange(1, 5), "whole").commit()
    Flashback(history.db, before, "chunks").commit()
    pairs = dict(history.db.store.scan(b"", b"\xff" * 32))
    unpublished = _staged(history.db)
    kept = {key: value for key, value in pairs.items() if not key.startswith(unpublished)}
    return Original(kept, head_of(history.db.state))


def _with_texts(db: Database) -> None:
    for number in range(3):
        t = db.begin()
        t.create_node(["Said"], {"number": number})
        texts = [f"CREATE (:Said {{number: {number}}})", "RETURN 1"]
        origin = msgspec.structs.replace(origin_of(), statement_hash=journal.statement_hash(texts))
        t.prepare()
        command = commit.commit_of(t, origin, texts=texts)
        assert command is not None
        db.do(commit.stamp(command, db.tick()))


def _staged(db: Database) -> tuple[bytes, ...]:
    """What belongs to no commit yet is no history."""
    prefixes = []
    for transaction in db.machine.open_stagings:
        prefixes += [keys.run_prefix(transaction), keys.piece_prefix(transaction)]
        prefixes.append(keys.stage_prefix(transaction))
        staging = db.machine._stagings.get(transaction)
        assert staging is not None
        prefixes += [keys.segment_prefix(ref.id) for ref in staging.refs]
    return tuple(prefixes)


def audit(store: Store, head: AuditHead | None = None) -> list[Finding]:
    """The problems found, with a kept head or without."""
    state = RecordState.load(store)
    last = state.current.head.version
    found = [f for f in Auditor(state, SECRET, lambda: None).run(1, last) if f.event == PROBLEM]
    return found if head is None else [*found, *head_problems(state, head)]


# --- alterations: each changes the store and says what it did ----------------------------------

Alteration = Callable[[random.Random, Original, MemoryStore], str]


def _put(store: MemoryStore, key: bytes, value: bytes) -> None:
    batch = Batch()
    batch.put(key, value)
    store.write(batch)


def _drop(store: MemoryStore, *dropped: bytes) -> None:
    batch = Batch()
    for key in dropped:
        batch.delete(key)
    store.write(batch)


def flip(chance: random.Random, whole: Original, store: MemoryStore) -> str:
    """One bit of one value."""
    key = chance.choice([key for key in whole.of(chance.choice(HISTORIC)) if whole.pairs[key]])
    value = bytearray(whole.pairs[key])
    at = chance.randrange(len(value))
    value[at] ^= 1 << chance.randrange(8)
    _put(store, key, bytes(value))
    return f"a bit of byte {at} of {key.hex()}"


def remove(chance: random.Random, whole: Original, store: MemoryStore) -> str:
    """One pair."""
    key = chance.choice(whole.of(chance.choice(HISTORIC)))
    _drop(store, key)
    return f"removed {key.hex()}"


def exchange(chance: random.Random, whole: Original, store: MemoryStore) -> str:
    """The values of two keys of a kind: commits in another order, somebody else's properties."""
    kind = chance.choice([kind for kind in HISTORIC if len(_values(whole, kind)) > 1])
    one, other = chance.sample(sorted(_values(whole, kind)), 2)
    mine, theirs = (
        chance.choice([key for key in whole.of(kind) if whole.pairs[key] == value])
        for value in (one, other)
    )
    _put(store, mine, other)
    _put(store, theirs, one)
    return f"exchanged {mine.hex()} and {theirs.hex()}"


def _values(whole: Original, kind: Kind) -> set[bytes]:
    return {whole.pairs[key] for key in whole.of(kind)}


def move(chance: random.Random, whole: Original, store: MemoryStore) -> str:
    """An entry to another version."""
    key = chance.choice(whole.of(*VERSIONED))
    newest = whole.head.version
    versions = [
        version
        for version in range(1, newest + 3)
        if keys.at_version(key[:-8], version) not in whole.pairs
    ]
    moved = keys.at_version(key[:-8], chance.choice(versions))
    _drop(store, key)
    _put(store, moved, whole.pairs[key])
    return f"moved {key.hex()} to {moved.hex()}"


def add(chance: random.Random, whole: Original, store: MemoryStore) -> str:
    """An entry that no commit wrote: a value that was never there, or a removal."""
    key = chance.choice(whole.of(*VERSIONED))
    while key in whole.pairs:
        key = keys.at_version(key[:-8], chance.randrange(1, whole.head.version + 3))
    _put(store, key, chance.choice((b"", b"\x01", chance.choice(sorted(whole.pairs.values())))))
    return f"added {key.hex()}"


def blank(chance: random.Random, whole: Original, store: MemoryStore) -> str:
    """A commit's content or texts, as if they had been forgotten."""
    key = chance.choice(whole.of(Kind.JOURNAL))
    record = journal.decode_record(whole.pairs[key])
    _put(store, key, journal.encode_record(msgspec.structs.replace(record, content=b"", texts=[])))
    return f"blanked commit {record.header.version}"


def cut(chance: random.Random, whole: Original, store: MemoryStore) -> str:
    """The newest commits, with everything they wrote; the head says that they never were."""
    last = chance.randrange(1, whole.head.version)
    record = journal.decode_record(whole.pairs[keys.journal_key(last)])
    gone = []
    for key in whole.pairs:
        versioned = key[2] in (*VERSIONED, Kind.INDEX) and keys.version_of(key) > last
        journalled = key[2] == Kind.JOURNAL and int.from_bytes(key[3:], "big") > last
        timed = key[2] == Kind.TIME and records.decode_version(whole.pairs[key]) > last
        segment = key[2] == Kind.SEGREF and int.from_bytes(key[3:11], "big") > last
        run = key[2] == Kind.PUBLISH and records.decode_publish(whole.pairs[key]).version > last
        if versioned or journalled or timed or segment or run:
            gone.append(key)
    _drop(store, *gone)
    _put_head(whole, store, version=last, time=record.header.time, chain=record.chain)
    return f"cut after commit {last}"


def _put_head(whole: Original, store: MemoryStore, **changes: Any) -> None:
    key = keys.meta_key(records.META_HEAD)
    head = records.decode_head(whole.pairs[key])
    _put(store, key, records.encode_head(msgspec.structs.replace(head, **changes)))


def rewrite(chance: random.Random, whole: Original, store: MemoryStore) -> str:
    """Who made a commit, with the right hash of everything after it."""
    first = chance.randrange(1, whole.head.version + 1)
    chain = b""
    for version in range(first, whole.head.version + 1):
        key = keys.journal_key(version)
        record = journal.decode_record(whole.pairs[key])
        header = record.header
        if version == first:
            origin = msgspec.structs.replace(header.origin, principal="somebody else")
            header = msgspec.structs.replace(header, origin=origin)
        else:
            header = msgspec.structs.replace(header, previous=chain)
        chain = journal.chain_hash(header)
        _put(
            store,
            key,
            journal.encode_record(msgspec.structs.replace(record, header=header, chain=chain)),
        )
    _put_head(whole, store, chain=chain)
    return f"rewrote commit {first}"


#: needs the head that was kept, or does not
ALTERATIONS: dict[Alteration, bool] = {
    flip: False,
    remove: False,
    exchange: False,
    move: False,
    add: False,
    blank: False,
    cut: True,
    rewrite: True,
}


def play(count: int, seed: int) -> Counter[str]:
    """So many alterations, each alone; how many of each kind. All must be found.

    :raises AssertionError: one was not.
    """
    chance = random.Random(seed)
    done: Counter[str] = Counter()
    while sum(done.values()) < count:
        whole = original(chance.randrange(1 << 30))
        assert audit(whole.copy(), whole.head) == []
        for _ in range(min(250, count - sum(done.values()))):
            alteration = chance.choice([*ALTERATIONS])
            store = whole.copy()
            said = alteration(chance, whole, store)
            done[alteration.__name__] += 1
            if ALTERATIONS[alteration]:
                assert audit(store) == [], f"{said}: consistent, so nothing shows it from inside"
            kept = whole.head if ALTERATIONS[alteration] or _names(said) else None
            assert found(store, kept), f"seed {seed}, not found: {alteration.__name__}: {said}"
    return done


def _names(said: str) -> bool:
    """Names are bound by the kept head."""
    return keys.kind_prefix(Kind.TOKEN).hex() in said


def found(store: Store, head: AuditHead | None) -> bool:
    """Whether the audit sees anything; a record that does not even open says so itself."""
    try:
        return bool(audit(store, head))
    except (CorruptData, FormatUnsupported):
        return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    done = play(options.count, options.seed)
    kinds = ", ".join(f"{number} {name}" for name, number in sorted(done.items()))
    print(f"seed {options.seed}: {sum(done.values())} alterations, each found: {kinds}")


if __name__ == "__main__":
    main()
