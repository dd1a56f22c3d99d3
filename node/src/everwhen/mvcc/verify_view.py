"""One version of the record as a whole: everything that points at each other must agree.

For versions that vacuum left standing alone: the horizon, and restore points.
"""

from __future__ import annotations

from everwhen.codec import keys, ordered, parse
from everwhen.codec.keys import Kind, kind_range
from everwhen.model.schema import IndexState
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.erased import UnderWay
from everwhen.mvcc.images import NodeImage, RelationshipImage
from everwhen.mvcc.report import Report
from everwhen.mvcc.state import RecordState


def check_view(view: Entities, state: RecordState, going: UnderWay, report: Report) -> None:
    """Labels, adjacency, ends and index entries at the version of ``view``, except of what is being
    erased."""
    _View(view, state, going, report).run()


class _View:
    def __init__(self, view: Entities, state: RecordState, going: UnderWay, report: Report) -> None:
        self._view = view
        self._state = state
        self._going = going
        self._report = report
        self._nodes: dict[int, set[int]] = {}
        self._relationships: dict[int, tuple[int, int, int]] = {}
        #: of each index: what should be in it
        self._entries: dict[int, set[bytes]] = {}
        self._indexes = [
            index
            for index in state.current.catalog.indexes.values()
            if index.state is IndexState.ONLINE and index.created_version <= view.version
        ]

    def _wrong(self, what: str) -> None:
        self._report.add(f"version {self._view.version}: {what}")

    def run(self) -> None:
        view = self._view
        self._report.looked("versions as a whole")
        going = self._going
        for node, image in view.nodes():
            if node in going.nodes:
                continue
            self._nodes[node] = set(image.label_tokens)
            self._enter("NODE", image.labels, node, image)
        types = view.tokens.types.names
        for relationship, one in view.relationships():
            if relationship in going.relationships:
                continue
            self._relationships[relationship] = one.ends
            self._enter("RELATIONSHIP", (types[one.ends[0]],), relationship, one)
            for end in one.ends[1:]:
                if end not in self._nodes:
                    self._wrong(f"dangling: relationship {relationship} ends at node {end}")
        self._check_labels()
        self._check_adjacency()
        for index in self._indexes:
            found = {
                stem
                for stem, _, there in view.record.prefix(keys.index_prefix(index.id), view.version)
                if there and not going.names(stem, of_nodes=index.entity == "NODE")
            }
            for stem in sorted(found ^ self._entries.get(index.id, set())):
                part = parse.decode_index(keys.at_version(stem, 0))
                self._wrong(f"index {index.name} and entity {part.entity} disagree")

    def _enter(
        self,
        entity: str,
        names: tuple[str, ...],
        identity: int,
        image: NodeImage | RelationshipImage,
    ) -> None:
        for index in self._indexes:
            if index.entity == entity and index.label in names:
                values = [image.get(key) for key in index.properties]
                if not any(value is None for value in values):
                    stem = keys.index_stem(index.id, ordered.encode_tuple(values), identity)
                    self._entries.setdefault(index.id, set()).add(stem)

    def _check_labels(self) -> None:
        view = self._view
        for token, name in enumerate(view.tokens.labels.names):
            carried = {node for node, labels in self._nodes.items() if token in labels}
            for node in sorted(carried ^ set(view.labelled(token)) - self._going.nodes):
                self._wrong(f"node {node} and the label index of :{name} disagree")

    def _check_adjacency(self) -> None:
        view = self._view
        for outgoing in (True, False):
            found = {
                relationship: (type_, node, other) if outgoing else (type_, other, node)
                for node in self._nodes
                for type_, other, relationship in view.adjacent(node, outgoing)
                if relationship not in self._going.relationships
            }
            for relationship in sorted(found.keys() | self._relationships.keys()):
                if found.get(relationship) != self._relationships.get(relationship):
                    self._wrong(f"relationship {relationship} and its adjacency disagree")
            self._check_loose(Kind.OUT if outgoing else Kind.IN)

    def _check_loose(self, kind: Kind) -> None:
        """Adjacency of nodes that are not there."""
        for stem, version, there in self._view.record.scan(*kind_range(kind), self._view.version):
            part = parse.decode_adjacency(keys.at_version(stem, version))
            if part.relationship in self._going.relationships:
                continue
            if there and part.node not in self._nodes:
                self._wrong(f"relationship {part.relationship} hangs on no node")
