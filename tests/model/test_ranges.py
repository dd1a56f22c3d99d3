"""Matches in ranges of time against a model that looks at every version of the range."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.engine import Engine
from tests.engines import open_engine
from tests.model.history import INDEXES, Player, random_transaction
from tests.model.ranges import Pattern, Versions, bound, chain, has_out, longer, nodes, rows
from tests.support.effort import rounds

ROUNDS = rounds("MODEL_ROUNDS", 6, 60)
ONE = "[n.uid, version(n)]"
THREE = "[a.uid, version(a)], [r.uid, version(r)], [b.uid, version(b)]"
FIVE = f"{THREE}, [s.uid, version(s)], [c.uid, version(c)]"
PATTERNS = (
    Pattern("(n)", ONE, nodes(None)),
    Pattern("(n:A)", ONE, nodes("A")),
    Pattern("(n:B {k: 1})", ONE, nodes("B", "k", 1)),
    Pattern("(n:A {k: 'a'})", ONE, nodes("A", "k", "a")),
    Pattern("(a)-[r]->(b)", THREE, chain(None, (None, ">"))),
    Pattern("(a:A)<-[r:T]-(b)", THREE, chain("A", ("T", "<"))),
    Pattern("(a:A)-[r]-(b)", THREE, chain("A", (None, "-"))),
    Pattern("(a)-[r:T]->(b)-[s]-(c)", FIVE, chain(None, ("T", ">"), (None, "-"))),
    Pattern(
        "(a:A)-[rs*0..2]->(b)",
        "[a.uid, version(a)], [b.uid, version(b)], [r IN rs | [r.uid, version(r)]]",
        longer("A", 0, 2),
    ),
    Pattern(
        "(a:B)-[rs*1..3]->(b)",
        "[a.uid, version(a)], [b.uid, version(b)], [r IN rs | [r.uid, version(r)]]",
        longer("B", 1, 3),
    ),
    Pattern(
        "(a:A) ((x)-[r]->(y)){1,2} (b)",
        "[a.uid, version(a)], [b.uid, version(b)], [one IN r | [one.uid, version(one)]]",
        longer("A", 1, 2),
    ),
    Pattern("(n:A) @ WHERE (n)-[:T]->()", ONE, nodes("A"), has_out("T")),
    Pattern("(n:A) @ WHERE NOT (n)-[:T]->()", ONE, nodes("A"), has_out("T"), negated=True),
    Pattern("(a:A) MATCH (a)-[r:T]->(b) @", THREE, bound("A", "T")),
    Pattern(
        "(a)-[r]->(b) @ WHERE EXISTS { MATCH (a)-[:S]->() }",
        THREE,
        chain(None, (None, ">")),
        has_out("S"),
    ),
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    opened = open_engine()
    yield opened
    opened.close()


def now(engine: Engine) -> str:
    """A time after the last commit and before the next."""
    return str(engine.run("RETURN toString(datetime.realtime()) AS t").rows[0][0])


def asked(engine: Engine, pattern: Pattern, first: str, last: str, whole: bool) -> Counter[object]:
    """What the database says: the names of what is returned, flat."""
    clause = "BETWEEN TIME $a AND $b"
    text = pattern.text
    if whole and "MATCH (a)-" not in text:
        query = f"MATCH {text.replace('@ ', '')} RETURN {pattern.returns} {clause}"
    else:
        text = text.replace("@", clause) if "@" in text else f"{text} {clause}"
        query = f"MATCH {text} RETURN {pattern.returns}"
    outcome = engine.run(query, {"a": first, "b": last})
    assert outcome.error is None, f"{query}: {outcome.error}"
    return Counter(tuple(_flat(row)) for row in outcome.rows)


def _flat(row: list[object]) -> Iterator[tuple[object, ...]]:
    for item in row:
        assert isinstance(item, list)
        if item and isinstance(item[0], list):
            yield from (tuple(one) for one in item)
        elif item:
            yield tuple(item)


@pytest.mark.parametrize("indexes", ["none", "midway"])
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_every_version_in_the_range_and_no_other(engine: Engine, seed: int, indexes: str) -> None:
    engine.reset()
    chance = random.Random(seed)
    player = Player(engine)
    times: dict[int, str] = {}
    for number in range(20):
        if indexes == "midway" and number == 8:
            for statement in INDEXES:
                assert engine.run(statement).error is None
        player.play(random_transaction(chance))
        if engine.version():
            times[engine.version()] = now(engine)
    versions = Versions(player.snapshots)
    for pattern in PATTERNS:
        low, high = sorted(chance.choices(sorted(times), k=2))
        wanted = rows(versions, pattern, low, high)
        found = asked(engine, pattern, times[low], times[high], chance.random() < 0.3)
        assert found == wanted, f"{pattern.text} from {low} to {high}"
