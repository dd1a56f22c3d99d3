"""What matches a full-text query at a version: from what is in memory if that knows, or else by
reading every text of the record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from everwhen.errors import IndexNotFound
from everwhen.model.fulltext_index import Document, FulltextConfig, parse_config
from everwhen.model.schema import ConstraintDefinition
from everwhen.model.text_analysis import Analyzer, analyzer
from everwhen.model.text_query import All, Group, Near, Part, Pattern, Words
from everwhen.mvcc.text_search import Corpus, Own, Scores, Searcher, distance
from everwhen.mvcc.text_table import Ids, TextTable

if TYPE_CHECKING:
    from everwhen.model.graph import TextWanted
    from everwhen.mvcc.graph import GraphSnapshot


def definition_of(snapshot: GraphSnapshot, name: str) -> ConstraintDefinition:
    """:raises IndexNotFound: no full-text index of the name."""
    definition = snapshot.catalog.fulltext_index(name)
    if definition is None:
        raise IndexNotFound(f"there is no full-text index named {name!r}")
    return definition


def search(
    snapshot: GraphSnapshot, name: str, wanted: TextWanted, own: Own | None = None
) -> tuple[Ids, Scores]:
    """See ``GraphView.matching``; ``own`` is what a transaction wrote on top."""
    definition = definition_of(snapshot, name)
    columns = snapshot.state.texts
    if columns is not None:
        known = columns.matching(definition, snapshot.version, wanted, own)
        if known is not None:
            return known
    config = parse_config(definition.type_text)
    how = analyzer(wanted.analyzer or config.analyzer)
    wants = _Interest(wanted.query, how).wants
    table = TextTable(len(definition.properties), 0, wants)
    for entity, document in documents_of(snapshot, definition, wanted.tick):
        table.note(0, entity, document)
    return found_in(table, 0, definition, wanted, own)


def found_in(
    table: TextTable,
    version: int,
    definition: ConstraintDefinition,
    wanted: TextWanted,
    own: Own | None,
) -> tuple[Ids, Scores]:
    """Entities and scores, best first."""
    how = analyzer(wanted.analyzer or parse_config(definition.type_text).analyzer)
    corpus = Corpus(table, version, own)
    return Searcher(corpus, definition.properties, how, wanted.tick).search(wanted.query)


def documents_of(
    snapshot: GraphSnapshot, definition: ConstraintDefinition, tick: Callable[[], None]
) -> Iterator[tuple[int, Document]]:
    """(id, texts) of everything in the index, each once."""
    config = parse_config(definition.type_text)
    for entity in _entities(snapshot, definition, config):
        tick()
        document = config.document(_values(snapshot, definition, entity))
        if document is not None:
            yield entity, document


def document_at(
    snapshot: GraphSnapshot, definition: ConstraintDefinition, entity: int
) -> Document | None:
    """One entity's texts; None if it is not in the index."""
    config = parse_config(definition.type_text)
    keys = definition.properties
    if definition.entity == "NODE":
        node = snapshot.node_image(entity)
        if node is None or set(config.labels).isdisjoint(node.labels):
            return None
        return config.document(node.get(key) for key in keys)
    there = snapshot.relationship_image(entity)
    if there is None or snapshot.state.tokens.types.name(there.ends[0]) not in config.labels:
        return None
    return config.document(there.get(key) for key in keys)


def _entities(
    snapshot: GraphSnapshot, definition: ConstraintDefinition, config: FulltextConfig
) -> Iterator[int]:
    if definition.entity != "NODE":
        yield from (one.id for one in snapshot.relationships(config.labels))
        return
    for at, label in enumerate(config.labels):
        before = config.labels[:at]
        for node in snapshot.nodes_with_label(label):
            if not before or set(before).isdisjoint(snapshot.node_labels(node.id)):
                yield node.id


def _values(
    snapshot: GraphSnapshot, definition: ConstraintDefinition, entity: int
) -> Iterable[Any]:
    if definition.entity == "NODE":
        return [snapshot.node_property(entity, key) for key in definition.properties]
    return [snapshot.relationship_property(entity, key) for key in definition.properties]


class _Interest:
    """Which terms a query may ask for, so that reading the record keeps no others."""

    def __init__(self, query: Group, how: Analyzer) -> None:
        self._known: dict[str, bool] = {}
        self._shapes: list[Pattern] = []
        self._near: list[Near] = []
        self._take(query, how)

    def _take(self, part: Part, how: Analyzer) -> None:
        if isinstance(part, Group):
            for _, each in part.parts:
                self._take(each, how)
        elif isinstance(part, Words):
            self._known.update((token.term, True) for token in how.tokens(part.text))
        elif isinstance(part, Pattern):
            shape = tuple(None if one is None else how.plain(one) for one in part.shape)
            self._shapes.append(Pattern(shape=shape))
        elif isinstance(part, Near):
            self._near.append(Near(text=how.plain(part.text), edits=part.edits))
        else:
            assert isinstance(part, All)

    def wants(self, field: int, term: str) -> bool:
        """Whether a term can matter."""
        if not self._shapes and not self._near:
            return term in self._known
        known = self._known.get(term)
        if known is None:
            known = any(shape.matches(term) for shape in self._shapes) or any(
                distance(near.text, term, near.edits) is not None for near in self._near
            )
            self._known[term] = known
        return known
