"""Every kind of key and value in words."""

from __future__ import annotations

import numpy as np
import pytest

from everwhen.codec import journal as j
from everwhen.codec import keys as k
from everwhen.codec import records as r
from everwhen.codec.columns import column_of
from everwhen.codec.dump import Names, line
from everwhen.codec.ordered import encode_tuple
from everwhen.codec.origin import Origin
from everwhen.codec.segment_making import node_segment
from everwhen.codec.segments import encode_segment
from everwhen.codec.values import encode_value
from everwhen.model.schema import ConstraintDefinition, ConstraintKind, IndexDefinition

NAMES = Names({0: "Person", 1: "Dog"}, {0: "KNOWS"}, {0: "name", 1: "age"})


def _segment() -> bytes:
    ids = np.array([5, 6], np.int64)
    return encode_segment(node_segment(["Person"], ids, {"name": column_of(["a", "b"])}))


def _journal() -> bytes:
    sealed = j.seal(
        version=7,
        time=1_000_000,
        own_time=False,
        read_version=6,
        origin=Origin("neo4j", "", "app", {}, b"", b""),
        counts=j.Counts(nodes_created=1),
        merges=[],
        previous=b"",
        changes=[
            j.NodeCreated(3, [0], {0: encode_value("Ann")}),
            j.NodeChanged(4, [0], {1: (encode_value(1), None)}),
            j.RelationshipDeleted(5, 0, 3, 4, {}),
        ],
    )
    return j.encode_record(sealed)


NAME = {0: encode_value("Ann")}
LINES = [
    (
        k.at_version(k.node_stem(3), 7),
        r.encode_node_head([0, 1], NAME),
        "node 3 head @ 7 = (:Person:Dog {name: 'Ann'})",
    ),
    (k.at_version(k.node_stem(3), 9), b"", "node 3 head @ 9 = deleted"),
    (
        k.at_version(k.node_stem(3, 1), 8),
        r.encode_labels([1]),
        "node 3 labels @ 8 = :Dog",
    ),
    (
        k.at_version(k.node_stem(3, 2), 8),
        encode_value(1.5),
        "node 3 property name @ 8 = 1.5",
    ),
    (k.at_version(k.node_stem(3, 9), 8), b"", "node 3 property <key 7> @ 8 = removed"),
    (
        k.at_version(k.relationship_stem(5), 7),
        r.encode_relationship_head(0, 3, 4, {1: encode_value(True)}),
        "relationship 5 head @ 7 = (3)-[:KNOWS {age: True}]->(4)",
    ),
    (
        k.at_version(k.out_stem(3, 0, 4, 5), 7),
        k.PRESENT,
        "adjacent (3)-[5 :KNOWS]->(4) @ 7 = present",
    ),
    (
        k.at_version(k.in_stem(4, 9, 3, 5), 7),
        b"",
        "adjacent (4)<-[5 :<type 9>]-(3) @ 7 = removed",
    ),
    (
        k.at_version(k.label_stem(1, 3), 7),
        k.PRESENT,
        "label :Dog of node 3 @ 7 = present",
    ),
    (
        k.at_version(k.index_stem(2, encode_tuple(["x", 1.5]), 3), 7),
        k.PRESENT,
        "index 2 ('x', 1.5) of 3 @ 7 = present",
    ),
    (
        k.at_version(k.index_stem(2, b"\x1e", 3), 7),
        k.PRESENT,
        "index 2 (unreadable 1e) of 3 @ 7 = present",
    ),
    (k.time_key(1_500_000), r.encode_version(7), "time 1970-01-01T00:00:01.500000Z = commit 7"),
    (
        k.request_key("c", 4),
        r.encode_outcome(7, 0),
        "request 'c' number 4 = commit 7 at 1970-01-01T00:00:00.000000Z",
    ),
    (k.token_key(k.Space.LABEL, 0), b"Person", "token label 0 = Person"),
    (k.stats_key(k.Counter.NODES), r.encode_count(3), "count nodes 0 = 3"),
    (
        k.run_key(2, k.node_stem(3)),
        b"",
        "run 2: node 3 head = deleted",
    ),
    (k.publish_key(2), r.encode_publish(r.Publish(7)), "published run 2 = Publish(version=7"),
    (k.segment_key(1, 0), _segment(), "segment 1 piece 0 = "),
    (k.segment_key(1, 0), _segment(), "2 rows of Person: 'name' s"),
    (k.journal_key(7), _journal(), "NodeCreated 3 labels :Person {name: 'Ann'}"),
    (k.journal_key(7), _journal(), "NodeChanged 4 labels :Person {age: 1 -> None}"),
    (k.journal_key(7), _journal(), "RelationshipDeleted 5 :KNOWS start 3 end 4 {}"),
    (
        k.piece_key(4, 0),
        j.encode_piece(j.Piece([], [j.SegmentDigest(9, b"")])),
        "commit piece 0 of transaction 4 = segments [9]: no changes here",
    ),
    (k.stage_key(4, 0, 1), b"\x01", "staged 4 part 0 number 1 = 01"),
    (k.meta_key("head"), r.encode_head(r.RecordHead(version=9)), "version=9"),
    (
        k.schema_key(1),
        r.encode_definition(IndexDefinition(1, "i", "NODE", "A", ("a",))),
        "schema 1 = IndexDefinition(id=1, name='i'",
    ),
    (
        k.schema_key(2),
        r.encode_definition(
            ConstraintDefinition(2, "c", ConstraintKind.EXISTS, "NODE", "A", ("a",))
        ),
        "schema 2 = ConstraintDefinition(id=2, name='c'",
    ),
    (k.at_version(k.node_stem(3), 7), b"\xc1", "node 3 head @ 7 = CORRUPT VALUE c1"),
    (k.at_version(k.label_stem(1, 3), 7), b"\x02", "CORRUPT VALUE 02"),
    (b"\x00\x01\x77", b"ab", "CORRUPT KEY 000177 = 6162: "),
]


@pytest.mark.parametrize(("key", "value", "expected"), LINES)
def test_in_words(key: bytes, value: bytes, expected: str) -> None:
    assert expected in line(key, value, NAMES)


@pytest.mark.parametrize(("key", "value", "expected"), LINES)
def test_without_names(key: bytes, value: bytes, expected: str) -> None:
    assert line(key, value, Names.none())
