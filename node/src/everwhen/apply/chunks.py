"""Large transactions: begin, chunks, commit or abort, and folding what was published.

A chunk is checked like a commit when it arrives and written into the transaction's run, out of
every reader's sight. The commit entry looks at no change again: it writes one PUBLISH key and one
directory entry per segment, so a million changes become visible in the time of a small commit.
Bounded fold steps move the run into the main keys afterwards.
"""

from __future__ import annotations

import sys
from itertools import islice

from everwhen.apply import detaching
from everwhen.apply.attempt import Attempt, Unresolved
from everwhen.apply.bulk import Bulk
from everwhen.apply.commits import Commits
from everwhen.apply.conflicts import staged_conflict
from everwhen.apply.effects import Effects
from everwhen.apply.staging import Staging
from everwhen.apply.work import Work
from everwhen.codec import journal
from everwhen.codec.cluster import LEVEL_AUDIT, LEVEL_DETACHING, check_level
from everwhen.codec.keys import (
    VERSION,
    VERSION_MAX,
    Counter,
    Kind,
    after,
    index_prefix,
    piece_key,
    piece_prefix,
    publish_key,
    run_prefix,
    segment_prefix,
    segref_key,
    stage_prefix,
)
from everwhen.codec.ordered import encode_tuple, is_equal_to_something
from everwhen.codec.records import (
    Publish,
    decode_publish,
    encode_publish,
    encode_segment_entry,
)
from everwhen.errors import (
    CorruptData,
    TransactionNotFound,
    TransactionStateError,
)
from everwhen.index.maintenance import IndexRule
from everwhen.model.graph import EntityKind
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.images import NodeImage, RelationshipImage
from everwhen.mvcc.segments import SegmentRef
from everwhen.mvcc.versioned import Run
from everwhen.txn import commands as c
from everwhen.txn.constraints import broken, connected_error, duplicate_error


class Chunks:
    """Applies the entries of large transactions."""

    __slots__ = ("_commits", "_work")

    def __init__(self, work: Work, commits: Commits) -> None:
        self._work = work
        self._commits = commits

    def begin(self, command: c.BeginChunks) -> c.Begun:
        work = self._work
        transaction = command.transaction or work.next_transaction
        if transaction < work.next_transaction:
            raise TransactionStateError(f"The transaction number {transaction} was used before")
        work.next_transaction = transaction + 1
        if command.texts:
            check_level(work.cluster, LEVEL_AUDIT, "statement texts")
        self._commits.stagings.begin(
            transaction, command.read_version, command.origin, command.texts
        )
        return c.Begun(transaction)

    def _staging(self, transaction: int) -> Staging:
        staging = self._commits.stagings.get(transaction)
        if staging is None:
            raise TransactionNotFound(
                f"No large transaction {transaction} is open: it ended or was given up",
                hint="Run the transaction again",
            )
        return staging

    # --- a chunk ---

    def chunk(self, command: c.Chunk) -> c.Done:
        staging = self._staging(command.transaction)
        header = staging.header
        if command.number < header.chunks:
            return c.Done(more=bool(staging.noted))  # it came twice
        if command.number > header.chunks:
            raise TransactionStateError(
                f"Chunk {command.number} came where {header.chunks} was expected"
            )
        if header.doomed:
            raise staged_conflict(header.doomed)
        work = self._work
        run = staging.transaction
        own = work.with_staged(run, staging.refs)
        unresolved: Unresolved = {}
        bounded = work.cluster.feature_level >= LEVEL_DETACHING
        attempt = Attempt(
            work,
            command.names,
            command.mutations,
            header.read_version,
            own if header.chunks else None,
            unresolved,
            None if staging.refs else run,
            detaching.Detaching(detaching.CHUNK_ROOM, header.read_version) if bounded else None,
        )
        attempt.check()
        bulk = Bulk(work, staging, own, unresolved)
        for data in command.segments:
            bulk.check(data)
        self._commits.stagings.meet_chunk(staging, attempt, command.checks.merges)
        bulk.meet(self._commits.stagings)
        counts = staging.counts

        def count(counter: Counter, token: int, by: int) -> None:
            key = (int(counter), token)
            counts[key] = counts.get(key, 0) + by

        effects = Effects(attempt, work.run_putter(run), count, run)
        effects.write()
        digests = bulk.write(count, header.origin.salt)
        piece = journal.encode_piece(journal.Piece(effects.changes, digests))
        work.layer.put(piece_key(run, command.number), piece)
        self._resolve(staging, attempt, unresolved)
        header.numbers = [
            one + two + three
            for one, two, three in zip(header.numbers, effects.numbers, bulk.numbers, strict=True)
        ]
        staging.add_chunk(work.layer, command.checks, journal.digest(header.origin.salt, piece))
        staging.note(work.layer, attempt.noted)
        staging.save(work.layer)
        return c.Done(more=bool(staging.noted))

    def check(self, command: c.CheckChunks) -> c.Done:
        """Look at deleted nodes that no chunk had the room for.

        :raises DeleteConnectedNode: one of them has a relationship.
        :raises TransactionConflict: it got that from a transaction that committed first.
        """
        check_level(self._work.cluster, LEVEL_DETACHING, "checks of chunks")
        staging = self._staging(command.transaction)
        self._check_whole(staging, command.chunks)
        staging.heard += 1
        self._check_noted(staging, command.limit)
        return c.Done(more=bool(staging.noted))

    def _check_whole(self, staging: Staging, chunks: int) -> None:
        """All its chunks are here, and it can still commit."""
        header = staging.header
        if chunks != header.chunks:
            raise TransactionStateError(
                f"{header.chunks} chunks are staged, the commit speaks of {chunks}"
            )
        if header.doomed:
            raise staged_conflict(header.doomed)

    def _check_noted(self, staging: Staging, room: int) -> None:
        """Go on with deleted nodes, as far as there is room."""
        own = self._work.with_staged(staging.transaction, staging.refs)
        step = detaching.Detaching(room, staging.header.read_version)
        for number, noted in [*islice(staging.noted.items(), room)]:
            if step.room <= 0:
                return
            left, found = step.look(own, noted)
            if found:
                raise connected_error(noted.node)
            step.room -= 1
            staging.noted_again(self._work.layer, number, left)

    def _resolve(self, staging: Staging, attempt: Attempt, unresolved: Unresolved) -> None:
        """What was not right in earlier chunks stays to be looked at; what is not now comes
        to it."""
        open_ = dict.fromkeys(staging.header.unresolved)
        open_.update({(kind is EntityKind.NODE, entity): None for kind, entity in unresolved})
        staging.header.unresolved = list(open_)

    # --- the end ---

    def commit(self, command: c.CommitChunks) -> c.Committed:
        """Publish; whatever the answer, the staging is over.

        :raises TransactionConflict: :raises ConstraintViolation: nothing became visible.
        """
        staging = self._staging(command.transaction)
        try:
            return self._commit(staging, command)
        except BaseException:
            self._discard(staging)
            raise

    def _commit(self, staging: Staging, command: c.CommitChunks) -> c.Committed:
        header = staging.header
        commits = self._commits
        known = commits.repeated(header.origin)
        if known is not None:
            self._discard(staging)
            return known
        self._check_whole(staging, command.chunks)
        commits.check_time(command.time, command.own_time)
        commits.check_window(
            header.read_version, c.Checks(list(staging.merges), list(staging.reads))
        )
        self._check_unresolved(staging)
        self._check_noted(staging, sys.maxsize)
        version = self._work.version + 1
        self._publish(staging, version)
        record = journal.seal(
            version=version,
            time=command.time,
            own_time=command.own_time,
            read_version=header.read_version,
            origin=header.origin,
            counts=journal.Counts(*header.numbers),
            merges=list(staging.merges),
            previous=self._work.chain,
            transaction=staging.transaction,
            piece_digests=staging.digests,
            texts=header.texts,
        )
        commits.stagings.committed(staging)
        commits.stagings.end(staging.transaction)
        prefix = stage_prefix(staging.transaction)
        self._work.layer.delete_range(prefix, after(prefix))
        return commits.enter(record)

    def _publish(self, staging: Staging, version: int) -> None:
        work = self._work
        run = staging.transaction
        prefix = run_prefix(run)
        if work.layer.first(prefix, after(prefix)) is not None:
            work.layer.put(publish_key(run), encode_publish(Publish(version)))
            work.change_runs((*work.runs, Run(run, version)))
        refs = [SegmentRef(ref.id, version, ref.entry) for ref in staging.refs]
        for ref in refs:
            work.layer.put(segref_key(version, ref.id), encode_segment_entry(ref.entry))
        if refs:
            work.add_segments(refs)
        work.take_counts(staging.counts)

    def _check_unresolved(self, staging: Staging) -> None:
        """Look again at what was not right when its chunk arrived."""
        if not staging.header.unresolved:
            return
        own = self._work.with_staged(staging.transaction, staging.refs)
        rules = self._work.rules
        for is_node, entity in staging.header.unresolved:
            image: NodeImage | RelationshipImage
            if is_node:
                node = own.node(entity)
                if node is None:
                    self._check_alone(own, entity)
                    continue
                image = node
                labels = node.label_tokens
                constraints, indexes = rules.node_constraints, rules.node_indexes
            else:
                relationship = own.relationship(entity)
                if relationship is None:
                    continue
                image = relationship
                labels = [relationship.ends[0]]
                constraints = rules.relationship_constraints
                indexes = rules.relationship_indexes
            for label in labels:
                for constraint in constraints.get(label, ()):
                    error = broken(constraint, entity, image)
                    if error is not None:
                        raise error
                for rule in indexes.get(label, ()):
                    if rule.unique:
                        _check_owner(own, rule, entity, image)

    def _check_alone(self, own: Entities, node: int) -> None:
        """A deleted node must have no relationship left."""
        for outgoing in (True, False):
            if next(own.adjacent(node, outgoing), None) is not None:
                raise connected_error(node)

    def abort(self, command: c.AbortChunks) -> c.Done:
        staging = self._commits.stagings.get(command.transaction)
        if staging is not None:
            self._discard(staging)
        return c.Done()

    def _discard(self, staging: Staging) -> None:
        """Forget everything staged."""
        transaction = staging.transaction
        self._commits.stagings.end(transaction)
        layer = self._work.layer
        prefixes = [stage_prefix(transaction), run_prefix(transaction), piece_prefix(transaction)]
        prefixes += [segment_prefix(ref.id) for ref in staging.refs]
        for prefix in prefixes:
            layer.delete_range(prefix, after(prefix))

    # --- folding ---

    def fold(self, limit: int) -> c.Done:
        """Move up to ``limit`` keys of the oldest published run into the main keys."""
        work = self._work
        if not work.runs:
            return c.Done()
        run = work.runs[0]
        value = work.layer.get(publish_key(run.id))
        if value is None:
            raise CorruptData(f"run {run.id} is published without a PUBLISH key")
        publish = decode_publish(value)
        prefix = run_prefix(run.id)
        skip, database = len(prefix), prefix[:2]
        start = prefix + publish.folded + b"\x00" if publish.folded else prefix
        suffix = VERSION.pack(VERSION_MAX - run.version)
        living = {index.id for index in work.catalog.indexes.values()}
        moved = 0
        last = b""
        for key, staged in work.layer.scan(start, after(prefix)):
            if moved >= limit:
                work.layer.put(publish_key(run.id), encode_publish(Publish(run.version, last)))
                return c.Done(more=True)
            last = key[skip:]
            moved += 1
            if last[0] == Kind.INDEX and int.from_bytes(last[1:5], "big") not in living:
                continue  # the index was dropped meanwhile
            work.layer.put(database + last + suffix, staged)
        work.layer.delete_range(prefix, after(prefix))
        work.layer.delete(publish_key(run.id))
        work.change_runs(work.runs[1:])
        return c.Done(more=bool(work.runs))


def _check_owner(
    own: Entities, rule: IndexRule, entity: int, image: NodeImage | RelationshipImage
) -> None:
    """Nobody else may have the entity's values."""
    values = [image.get(key) for key in rule.definition.properties]
    if not all(map(is_equal_to_something, values)):
        return
    for stem, _, there in own.record.prefix(
        index_prefix(rule.id, encode_tuple(values)), VERSION_MAX
    ):
        owner = int.from_bytes(stem[-8:], "big")
        if there and owner != entity:
            raise duplicate_error(rule.definition, owner, values)
