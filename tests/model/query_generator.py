"""Random valid read queries over small random graphs, from a seed.

The queries are not checked against a model but against the same query under another
configuration: with and without indexes, in the present and at the commit of then. They are
deterministic by construction: LIMIT and collect() only after an ORDER BY on a unique key, no
``rand()``, sums over integers only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

LABELS: Final = ("A", "B", "C")
TYPES: Final = ("T", "S", "U")
KEYS: Final = ("k", "j", "name")
LITERALS: Final = ("0", "1", "2", "3", "1.0", "2.5", "'a'", "'b'", "'ab'", "true", "null", "[1]")


def random_graph(chance: random.Random, nodes: int = 12, relationships: int = 20) -> list[str]:
    """Statements that build a graph; each element has a unique ``uid``."""
    out: list[str] = []
    for uid in range(nodes):
        labels = "".join(f":{label}" for label in LABELS if chance.random() < 0.45)
        out.append(f"CREATE ({labels} {_properties(chance, uid)})")
    for number in range(relationships):
        kind = chance.choice(TYPES)
        start, end = chance.randrange(nodes), chance.randrange(nodes)
        out.append(
            f"MATCH (a {{uid: {start}}}), (b {{uid: {end}}}) "
            f"CREATE (a)-[:{kind} {_properties(chance, 1000 + number)}]->(b)"
        )
    return out


def _properties(chance: random.Random, uid: int) -> str:
    storable = [v for v in LITERALS if v != "null"]
    parts = [f"{key}: {chance.choice(storable)}" for key in KEYS if chance.random() < 0.6]
    return "{" + ", ".join([f"uid: {uid}", *parts]) + "}"


INDEXES: Final = (
    *(f"CREATE INDEX FOR (n:{a}) ON (n.{key})" for a in LABELS for key in (*KEYS, "uid")),
    "CREATE INDEX FOR (n:A) ON (n.k, n.j)",
    "CREATE INDEX FOR (n:B) ON (n.j, n.name)",
    *(f"CREATE INDEX FOR ()-[r:{kind}]-() ON (r.k)" for kind in TYPES),
)


class Generator:
    """One query after another; ``nodes`` and ``relationships`` are the variables in scope."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.nodes: list[str] = []
        self.relationships: list[str] = []
        self.values: list[str] = []
        self.used = 0

    def query(self) -> str:
        """A whole query."""
        if self.chance.random() < 0.08:
            return self._union()
        return self._single()

    def _single(self) -> str:
        self.nodes, self.relationships, self.values = [], [], []
        clauses = [self._match(optional=False)]
        clauses += [self._clause() for _ in range(self.chance.randint(0, 3))]
        clauses.append(self._return())
        return "\n".join(clauses)

    def _union(self) -> str:
        self.nodes, self.relationships, self.values = [], [], []
        parts = []
        for _ in range(2):
            self.nodes, self.relationships, self.values = [], [], []
            parts.append(f"{self._match(optional=False)}\nRETURN {self._scalar()} AS x")
        return self.chance.choice(("\nUNION\n", "\nUNION ALL\n")).join(parts)

    def _clause(self) -> str:
        makers: Sequence[Callable[[], str]] = (
            lambda: self._match(optional=False),
            lambda: self._match(optional=True),
            self._with,
            self._with_aggregate,
            self._unwind,
            self._subquery,
            self._top,
        )
        (maker,) = self.chance.choices(makers, (3, 3, 3, 2, 2, 1, 1))
        return maker()

    def _fresh(self, prefix: str) -> str:
        self.used += 1
        return f"{prefix}{self.used}"

    # --- patterns ---

    def _match(self, optional: bool) -> str:
        known = list(self.nodes)
        pattern = self._path(known)
        if self.chance.random() < 0.15:
            pattern += ", " + self._path(known)
        where = f" WHERE {self._predicate(2)}" if self.chance.random() < 0.6 else ""
        return f"{'OPTIONAL ' if optional else ''}MATCH {pattern}{where}"

    def _path(self, known: Sequence[str]) -> str:
        out = self._node(known)
        for _ in range(self.chance.choice((0, 0, 1, 1, 1, 2))):
            out += self._step() + self._node(known)
        return out

    def _node(self, known: Sequence[str]) -> str:
        if known and self.chance.random() < 0.35:
            return f"({self.chance.choice(list(known))})"
        name = self._fresh("n")
        labels = self._labels() if self.chance.random() < 0.6 else ""
        body = self._inline() if self.chance.random() < 0.25 else ""
        self.nodes.append(name)
        return f"({name}{labels}{body})"

    def _labels(self) -> str:
        one, two = self.chance.sample(LABELS, 2)
        forms = (f":{one}", f":{one}", f":{one}:{two}", f":{one}|{two}", f":!{one}", ":%")
        return self.chance.choice(forms)

    def _inline(self) -> str:
        literal = self.chance.choice([v for v in LITERALS if v != "null"])
        return f" {{{self.chance.choice(KEYS)}: {literal}}}"

    def _step(self) -> str:
        types = self.chance.choice(("", ":T", ":S", ":T|S", ":!U"))
        if self.chance.random() < 0.2:
            length = self.chance.choice(("*1..2", "*0..1", "*2", "*..2"))
            return self._arrow(f"[{types if '!' not in types else ''}{length}]")
        name = self._fresh("r")
        self.relationships.append(name)
        body = self._inline() if self.chance.random() < 0.15 else ""
        return self._arrow(f"[{name}{types}{body}]")

    def _arrow(self, body: str) -> str:
        left, right = self.chance.choice((("-", "->"), ("<-", "-"), ("-", "-")))
        return f"{left}{body}{right}"

    # --- expressions ---

    def _scalar(self) -> str:
        """An expression over what is in scope."""
        elements = self.nodes + self.relationships
        choices: list[str] = [self.chance.choice(LITERALS)]
        if elements:
            element = self.chance.choice(elements)
            choices += [f"{element}.{self.chance.choice((*KEYS, 'uid'))}"] * 4
        if self.nodes:
            node = self.chance.choice(self.nodes)
            choices += [f"size(labels({node}))", f"COUNT {{ ({node})-->() }}"]
        if self.relationships:
            choices.append(f"type({self.chance.choice(self.relationships)})")
        if self.values:
            choices += [self.chance.choice(self.values)] * 2
        return self.chance.choice(choices)

    def _property(self) -> str:
        elements = self.nodes + self.relationships
        if not elements:
            return self._scalar()
        return f"{self.chance.choice(elements)}.{self.chance.choice((*KEYS, 'uid'))}"

    def _predicate(self, depth: int) -> str:
        if depth and self.chance.random() < 0.4:
            left, right = self._predicate(depth - 1), self._predicate(depth - 1)
            operator = self.chance.choice(("AND", "AND", "OR", "XOR"))
            return f"({left} {operator} {right})"
        if depth and self.chance.random() < 0.1:
            return f"NOT {self._predicate(depth - 1)}"
        literal = self.chance.choice(LITERALS)
        subject = self._property()
        forms = [
            f"{subject} = {literal}",
            f"{subject} = {self._scalar()}",
            f"{subject} <> {literal}",
            f"{subject} {self.chance.choice(('<', '<=', '>', '>='))} {literal}",
            f"0 < {subject} <= 2",
            f"{subject} IN [{', '.join(self.chance.sample(LITERALS, 3))}]",
            f"{subject} IS NULL",
            f"{subject} IS NOT NULL",
            f"{subject} STARTS WITH 'a'",
            f"{subject} CONTAINS 'b'",
            f"{subject} ENDS WITH 'b'",
        ]
        if self.nodes:
            node = self.chance.choice(self.nodes)
            forms += [
                f"{node}:{self.chance.choice(LABELS)}",
                f"({node})-[:T]->()",
                f"EXISTS {{ ({node})--(x:A) WHERE x.k = 1 }}",
            ]
        return self.chance.choice(forms)

    # --- projections ---

    def _with(self) -> str:
        """WITH some of the variables and a value."""
        value = self._fresh("v")
        scalar = self._scalar()
        keep_nodes = [n for n in self.nodes if self.chance.random() < 0.7]
        keep_relationships = [r for r in self.relationships if self.chance.random() < 0.6]
        items = [*keep_nodes, *keep_relationships, *self.values, f"{scalar} AS {value}"]
        self.nodes, self.relationships = keep_nodes, keep_relationships
        self.values = [*self.values, value]
        distinct = "DISTINCT " if self.chance.random() < 0.25 else ""
        where = f" WHERE {self._predicate(1)}" if self.chance.random() < 0.4 else ""
        return f"WITH {distinct}{', '.join(items)}{where}"

    def _with_aggregate(self) -> str:
        value = self._fresh("v")
        keep = self.nodes[:1]
        aggregate = self._aggregate()
        self.nodes, self.relationships, self.values = keep, [], [value]
        return f"WITH {', '.join([*keep, f'{aggregate} AS {value}'])}"

    def _aggregate(self) -> str:
        scalar = self._scalar()
        forms = [
            "count(*)",
            f"count({scalar})",
            f"count(DISTINCT {scalar})",
            f"min({scalar})",
            f"max({scalar})",
        ]
        if self.nodes:
            node = self.chance.choice(self.nodes)
            forms += [f"sum({node}.uid)", f"avg({node}.uid)"]
        return self.chance.choice(forms)

    def _unwind(self) -> str:
        value = self._fresh("v")
        source = self.chance.choice(("[1, 2, 'a']", "range(0, 2)", "[null, 1]", "[]"))
        if self.nodes and self.chance.random() < 0.4:
            source = f"[{self._property()}, {self._property()}]"
        self.values.append(value)
        return f"UNWIND {source} AS {value}"

    def _subquery(self) -> str:
        value = self._fresh("v")
        self.values.append(value)
        if not self.nodes:
            return f"CALL {{ MATCH (x:A) RETURN count(x) AS {value} }}"
        node = self.chance.choice(self.nodes)
        return f"CALL ({node}) {{ MATCH ({node})--(x) RETURN count(x) AS {value} }}"

    def _top(self) -> str:
        """ORDER BY a unique key before LIMIT, so that the rows kept are known."""
        if not self.nodes:
            return self._unwind()
        node = self.nodes[0]
        self.nodes, self.relationships, self.values = [node], [], []
        limit = self.chance.randint(1, 5)
        return f"WITH DISTINCT {node} ORDER BY {node}.uid LIMIT {limit}"

    def _return(self) -> str:
        if self.chance.random() < 0.3:
            group = f"{self._scalar()} AS g, " if self.chance.random() < 0.6 else ""
            return f"RETURN {group}{self._aggregate()} AS a"
        distinct = "DISTINCT " if self.chance.random() < 0.3 else ""
        columns = [f"{self._scalar()} AS c{i}" for i in range(self.chance.randint(1, 3))]
        order = " ORDER BY c0" if self.chance.random() < 0.3 else ""
        return f"RETURN {distinct}{', '.join(columns)}{order}"


def random_queries(seed: int, count: int) -> list[str]:
    """``count`` queries of one seed."""
    generator = Generator(random.Random(seed))
    return [generator.query() for _ in range(count)]
