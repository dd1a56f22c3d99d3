"""What a row of a segment stands for, as keys would say it."""

from __future__ import annotations

from collections.abc import Iterator

from everwhen.codec import parse
from everwhen.codec.keys import (
    at_version,
    in_stem,
    label_stem,
    node_stem,
    out_stem,
    relationship_stem,
)
from everwhen.codec.records import encode_node_head, encode_relationship_head
from everwhen.codec.segments import NodeSegment, Segment
from everwhen.codec.values import encode_value
from everwhen.model.graph import EntityKind
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.images import (
    NodeImage,
    NodeRow,
    RelationshipImage,
    RelationshipRow,
    node_image,
    relationship_image,
)
from everwhen.mvcc.segments import SegmentRef
from everwhen.mvcc.tokens import Tokens

Image = NodeImage | RelationshipImage
Row = NodeRow | RelationshipRow


def pictured(tokens: Tokens, row: Row) -> Image:
    """A thing as its row has it, whatever keys say."""
    image: Image | None
    if isinstance(row, NodeRow):
        image = node_image(tokens, (), row)
    else:
        image = relationship_image(tokens, (), row)
    assert image is not None
    return image


def pointers(identity: int, image: Image) -> list[bytes]:
    """Stems of a thing's labels, or of its adjacency."""
    if isinstance(image, NodeImage):
        return [label_stem(token, identity) for token in image.label_tokens]
    type_, start, end = image.ends
    return [out_stem(start, type_, end, identity), in_stem(end, type_, start, identity)]


def rows_of(ref: SegmentRef, segment: Segment) -> Iterator[tuple[int, Row]]:
    """Ids and rows of a segment, in its order."""
    for row, identity in enumerate(segment.ids.whole().tolist()):
        yield identity, row_at(ref, segment, row)


def row_at(ref: SegmentRef, segment: Segment, row: int) -> Row:
    """One row of a segment."""
    version = ref.version_of(segment, row)
    if isinstance(segment, NodeSegment):
        return NodeRow(version, segment, row)
    return RelationshipRow(version, segment, row)


def head_of(tokens: Tokens, identity: int, row: Row) -> tuple[bytes, bytes]:
    """Stem and value of the head that a row stands for."""
    image, ids = pictured(tokens, row), tokens.keys.ids
    values = {ids[key]: encode_value(value) for key, value in image.properties().items()}
    if isinstance(image, NodeImage):
        return node_stem(identity), encode_node_head(image.label_tokens, values)
    return relationship_stem(identity), encode_relationship_head(*image.ends, values)


def row_points(entities: Entities, stem: bytes) -> bool:
    """Whether a row stands for an entry of a label or of adjacency."""
    part = parse.decode(at_version(stem, 0))
    if isinstance(part, parse.AdjacencyKey):
        row: Row | None = entities.row(EntityKind.RELATIONSHIP, part.relationship)
    elif isinstance(part, parse.LabelKey):
        row = entities.row(EntityKind.NODE, part.node)
        if row is not None and stem not in pointers(part.node, pictured(entities.tokens, row)):
            return False
    else:
        return False
    return row is not None and row.segment.versions is None
