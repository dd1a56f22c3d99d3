"""Whether a record is whole: everything that stands twice must agree.

Pure over a :class:`~everwhen.mvcc.store.Store` at rest. Every entry of every version is looked
at, not only the newest: history is data. What is wrong is collected in words, up to a bound.

* every key and value decodes, values are canonical;
* every relationship head has its two adjacency entries, every adjacency entry its head, and both
  end nodes are alive while the relationship is; no node is deleted while relationships hang on it;
* the label entries and the label sets say the same, in both directions;
* every index entry is what its entity said at that version, and at the newest version every
  entity that belongs in an index is in it, alone if the index is unique;
* below the horizons only what readers see is there: the horizon itself and every restore point are
  looked at as wholes (``mvcc.verify_view``);
* what an erasure under way names is passed over, and a note says so;
* counts are exact; journal and time table are in ``mvcc.verify_history``.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator

from everwhen.codec import keys, ordered, parse
from everwhen.codec.dump import Names, describe_key
from everwhen.codec.keys import Counter, Kind, kind_range
from everwhen.errors import CorruptData, FormatUnsupported
from everwhen.model.graph import EntityKind
from everwhen.model.schema import IndexDefinition, IndexState
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.erased import UnderWay
from everwhen.mvcc.images import NodeImage, RelationshipImage
from everwhen.mvcc.report import Report
from everwhen.mvcc.row_entries import head_of
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.store import Store
from everwhen.mvcc.verify_bytes import check_bytes
from everwhen.mvcc.verify_history import check_history
from everwhen.mvcc.verify_view import check_view
from everwhen.mvcc.versioned import Versioned


def verify(store: Store, problems_max: int = 100) -> Report:
    """Look at everything in a record."""
    report = Report(problems_max)
    check_bytes(store, report)
    if report.count:
        return report  # what does not decode cannot be compared with anything
    try:
        state = RecordState.load(store)
        _Verifier(state, report).run()
        check_history(state, UnderWay(state.erased), report)
    except (CorruptData, FormatUnsupported) as error:
        report.add(error.message)
    return report


class _Verifier:
    """The comparisons within the record."""

    def __init__(self, state: RecordState, report: Report) -> None:
        self._state = state
        self._report = report
        self._published = state.current
        self._record = Versioned(state.store, self._published.runs)
        self._names = Names(
            dict(enumerate(state.tokens.labels.names)),
            dict(enumerate(state.tokens.types.names)),
            dict(enumerate(state.tokens.keys.names)),
        )
        self._version = self._published.head.version
        #: what was written up to here may be gone, as far as no reader sees it
        self._floor = self._published.horizons.highest
        self._indexes = {index.id: index for index in self._published.catalog.indexes.values()}
        self._going = UnderWay(state.erased)

    def run(self) -> None:
        self._check_node_entries()
        self._check_relationship_entries()
        for kind in (Kind.OUT, Kind.IN):
            self._check_adjacency(kind)
        self._check_label_entries()
        self._check_index_entries()
        self._check_newest()
        alone = {*self._published.horizons.pinned, self._floor} - {0, self._version}
        for version in sorted(alone):
            check_view(self._at(version), self._state, self._going, self._report)

    def _at(self, version: int) -> Entities:
        state = self._state
        segments = self._published.segments
        return Entities(self._record, state.tokens, segments, state.cache, version)

    def _entries(self, kind: Kind) -> Iterator[tuple[bytes, int, bytes]]:
        """What can be judged of :meth:`_all`: not what is about things that are being erased."""
        if not self._going:
            return self._all(kind)
        return (entry for entry in self._all(kind) if not self._passed_over(entry[0]))

    def _passed_over(self, stem: bytes) -> bool:
        of_nodes = True
        if stem[2] == Kind.INDEX:
            definition = parse.decode_index(stem + bytes(8)).definition
            index = self._indexes.get(definition)
            of_nodes = index is None or index.entity == "NODE"
        return self._going.names(stem, of_nodes=of_nodes)

    def _all(self, kind: Kind) -> Iterator[tuple[bytes, int, bytes]]:
        """All versions of all stems of a kind above the horizons; a run's stems count at its
        version."""
        store = self._state.store
        for key, value in store.scan(*kind_range(kind)):
            if keys.version_of(key) > self._floor:
                yield key[:-8], keys.version_of(key), value
        low, high = kind_range(kind)
        for run in self._published.runs:
            start, end = keys.run_prefix(run.id, low), keys.run_prefix(run.id, high)
            skip = len(keys.run_prefix(run.id))
            for key, value in store.scan(start, end):
                yield low[:2] + key[skip:], run.version, value

    def _wrong(self, stem: bytes, version: int, what: str) -> None:
        key = describe_key(parse.decode(keys.at_version(stem, version)), self._names)
        self._report.add(f"{key}: {what}")

    def _entry(self, stem: bytes, version: int) -> bytes | None:
        """The value written at exactly this version."""
        found = self._record.at(stem, version)
        return found[1] if found is not None and found[0] == version else None

    def _head(self, relationship: int, version: int) -> bytes | None:
        """The same of a relationship's head; a row may stand for it."""
        stem = keys.relationship_stem(relationship)
        entry = self._entry(stem, version)
        if entry is not None:
            return entry
        row = self._at(version).row(EntityKind.RELATIONSHIP, relationship)
        if row is None or row.version != version:
            return None
        return head_of(self._state.tokens, relationship, row)[1]

    # --- entries against each other, at every version ---

    def _check_node_entries(self) -> None:
        for stem, version, _ in self._entries(Kind.NODE):
            self._report.looked("node entries")
            part = parse.decode_entity(keys.at_version(stem, version))
            if part.sub >= keys.SUB_PROPERTY:
                continue
            node = part.id
            now, before = self._at(version).node(node), self._at(version - 1).node(node)
            if now is None and part.sub == keys.SUB_HEAD:
                self._check_alone(stem, node, version)
            old = set() if before is None else set(before.label_tokens)
            new = set() if now is None else set(now.label_tokens)
            for token in sorted(old ^ new):
                entry = self._entry(keys.label_stem(token, node), version)
                if entry is None or bool(entry) != (token in new):
                    self._wrong(stem, version, f"the label index misses {self._label(token)}")

    def _label(self, token: int) -> str:
        return ":" + self._names.labels.get(token, f"<label {token}>")

    def _check_alone(self, stem: bytes, node: int, version: int) -> None:
        view = self._at(version)
        for outgoing in (True, False):
            for _, _, relationship in view.adjacent(node, outgoing):
                self._wrong(stem, version, f"relationship {relationship} hangs on it")

    def _check_relationship_entries(self) -> None:
        for stem, version, value in self._entries(Kind.REL):
            self._report.looked("relationship entries")
            part = parse.decode_entity(keys.at_version(stem, version))
            if part.sub != keys.SUB_HEAD:
                continue
            image = self._at(version if value else version - 1).relationship(part.id)
            if image is None:
                if value:
                    self._wrong(stem, version, "unreadable at its own version")
                else:
                    self._wrong(stem, version, "deleted, but was not there before")
                continue
            type_, start, end = image.ends
            for other in (
                keys.out_stem(start, type_, end, part.id),
                keys.in_stem(end, type_, start, part.id),
            ):
                entry = self._entry(other, version)
                if entry is None or bool(entry) != bool(value):
                    text = describe_key(parse.decode(keys.at_version(other, version)), self._names)
                    self._wrong(stem, version, f"no matching entry {text}")
            if value:
                self._check_ends(stem, version, (start, end))

    def _check_ends(self, stem: bytes, version: int, ends: tuple[int, int]) -> None:
        for node in ends:
            found = self._at(version).node_head(node)
            if found is None or not found[1]:
                self._wrong(stem, version, f"dangling: node {node} is not there")

    def _check_adjacency(self, kind: Kind) -> None:
        for stem, version, value in self._entries(kind):
            self._report.looked("adjacency entries")
            part = parse.decode_adjacency(keys.at_version(stem, version))
            head = self._head(part.relationship, version)
            if head is None or bool(head) != bool(value):
                self._wrong(stem, version, "no matching relationship head")
                continue
            image = self._at(version).relationship(part.relationship)
            near, far = part.node, part.other
            ends = (near, far) if kind is Kind.OUT else (far, near)
            if image is not None and image.ends != (part.type, *ends):
                self._wrong(stem, version, f"the relationship says {image.ends}")

    def _check_label_entries(self) -> None:
        for stem, version, value in self._entries(Kind.LABEL):
            self._report.looked("label entries")
            part = parse.decode_label(keys.at_version(stem, version))
            image = self._at(version).node(part.node)
            carried = image is not None and part.label in image.label_tokens
            if carried != bool(value):
                self._wrong(stem, version, "the node says otherwise")

    def _check_index_entries(self) -> None:
        for stem, version, value in self._entries(Kind.INDEX):
            self._report.looked("index entries")
            part = parse.decode_index(keys.at_version(stem, version))
            index = self._indexes.get(part.definition)
            if index is None:
                continue  # left behind by a drop; cleared in bounded steps
            expected = self._expected(index, part.entity, self._at(version))
            if (expected == part.values) != bool(value):
                self._wrong(stem, version, f"the entity says otherwise (index {index.name})")

    def _expected(self, index: IndexDefinition, entity: int, view: Entities) -> bytes | None:
        """The entry an entity should have at a view, or None."""
        if index.entity == "NODE":
            node = view.node(entity)
            return None if node is None else _node_entry(index, node)
        relationship = view.relationship(entity)
        return None if relationship is None else self._relationship_entry(index, relationship)

    def _relationship_entry(self, index: IndexDefinition, one: RelationshipImage) -> bytes | None:
        if self._state.tokens.types.find(index.label) != one.ends[0]:
            return None
        values = [one.get(key) for key in index.properties]
        return None if any(v is None for v in values) else ordered.encode_tuple(values)

    # --- the newest version as a whole ---

    def _check_newest(self) -> None:
        view = self._at(self._version)
        tally: Tally[tuple[Counter, int]] = Tally()
        indexes = [
            index
            for index in self._published.catalog.indexes.values()
            if index.state is IndexState.ONLINE
        ]
        sizes: Tally[int] = Tally()
        for node, image in view.nodes():
            self._report.looked("nodes")
            tally[Counter.NODES, 0] += 1
            for token in image.label_tokens:
                tally[Counter.NODES_WITH_LABEL, token] += 1
            for index in indexes:
                if index.entity == "NODE":
                    self._check_in(index, node, _node_entry(index, image), sizes)
        for relationship, one in view.relationships():
            self._report.looked("relationships")
            tally[Counter.RELATIONSHIPS, 0] += 1
            tally[Counter.RELATIONSHIPS_OF_TYPE, one.ends[0]] += 1
            for index in indexes:
                if index.entity == "RELATIONSHIP":
                    entry = self._relationship_entry(index, one)
                    self._check_in(index, relationship, entry, sizes)
        for index in indexes:
            tally[Counter.INDEX_ENTRIES, index.id] = sizes[index.id]
            if index.unique:
                self._check_unique(index)
        self._check_counts(tally)

    def _check_in(
        self, index: IndexDefinition, entity: int, entry: bytes | None, sizes: Tally[int]
    ) -> None:
        if entry is None:
            return
        sizes[index.id] += 1
        found = self._record.at(keys.index_stem(index.id, entry, entity), self._version)
        if found is None or not found[1]:
            what = "node" if index.entity == "NODE" else "relationship"
            self._report.add(f"{what} {entity} is missing from index {index.name}")

    def _check_unique(self, index: IndexDefinition) -> None:
        last: tuple[bytes, int] | None = None
        for stem, _, value in self._record.prefix(keys.index_prefix(index.id), self._version):
            if not value:
                continue
            part = parse.decode_index(stem + bytes(8))
            if ordered.NAN in part.values:
                continue  # nothing equals NaN (text with these bytes inside is passed over too)
            if last is not None and last[0] == part.values:
                self._report.add(
                    f"entities {last[1]} and {part.entity} have the same value in the unique "
                    f"index {index.name}"
                )
            last = (part.values, part.entity)

    def _check_counts(self, tally: Tally[tuple[Counter, int]]) -> None:
        counters = self._state.counters
        for counter, token, count in counters.items():
            if counter is not Counter.INDEX_DISTINCT and count != tally.get((counter, token), 0):
                known = (counter, token) in tally
                if counter is Counter.INDEX_ENTRIES and not known:
                    continue  # an index that is being built
                self._report.add(
                    f"count {counter.name.lower()} {token} is {count}; there are "
                    f"{tally.get((counter, token), 0)}"
                )
        for (counter, token), count in sorted(tally.items()):
            if count and not counters.get(counter, token):
                self._report.add(
                    f"count {counter.name.lower()} {token} is missing; there are {count}"
                )


def _node_entry(index: IndexDefinition, image: NodeImage) -> bytes | None:
    if index.label not in image.labels:
        return None
    values = [image.get(key) for key in index.properties]
    return None if any(value is None for value in values) else ordered.encode_tuple(values)
