"""A made-up database for planner scripts: counts, indexes, functions, procedures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from everwhen.model.schema import Catalog, IndexDefinition
from everwhen.query.environment import (
    FunctionSignature,
    ProcedureArgument,
    ProcedureSignature,
    StaticEnvironment,
    TableSignature,
)

_FUNCTIONS = """
abs:1 coalesce:1- date:0-1 datetime:0-1 elementId:1 endNode:1 exists:1 head:1 id:1 keys:1 labels:1
last:1 length:1 nodes:1 properties:1 rand:0 range:2-3 relationships:1 size:1 startNode:1 tail:1
toInteger:1 toLower:1 toString:1 toUpper:1 type:1
"""
_AGGREGATES = "avg:1 collect:1 count:1 max:1 min:1 percentileCont:2 sum:1"


def _signatures(text: str, *, aggregate: bool) -> dict[str, FunctionSignature]:
    found = {}
    for word in text.split():
        display, _, arity = word.partition(":")
        least, dash, most = arity.partition("-")
        maximum = int(most) if most else (None if dash else int(least))
        name = display.lower()
        found[name] = FunctionSignature(name, int(least), maximum, aggregate, display)
    return found


ENVIRONMENT = StaticEnvironment(
    {**_signatures(_FUNCTIONS, aggregate=False), **_signatures(_AGGREGATES, aggregate=True)},
    {
        "db.labels": ProcedureSignature("db.labels", (), (("label", "STRING"),)),
        "my.proc": ProcedureSignature(
            "my.proc",
            (ProcedureArgument("name", "STRING?"), ProcedureArgument("limit", "INTEGER", True)),
            (("city", "STRING"), ("code", "INTEGER")),
        ),
        "my.write": ProcedureSignature("my.write", (), (), "WRITE"),
    },
    {"INDEXES": TableSignature(("name", "state"), ("name", "state", "type", "properties"))},
)


@dataclass
class Counts:
    """Statistics by name; what is not named is empty."""

    nodes: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def node_count(self, label: str | None = None) -> int:
        return self.nodes if label is None else self.labels.get(label, 0)

    def relationship_count(self, type: str | None = None) -> int:  # noqa: A002
        return sum(self.types.values()) if type is None else self.types.get(type, 0)

    def index_size(self, index_name: str) -> int:
        return self.sizes[index_name][0]

    def index_distinct(self, index_name: str) -> int:
        return self.sizes[index_name][1]

    def label_names(self) -> list[str]:
        return sorted(self.labels)

    def relationship_type_names(self) -> list[str]:
        return sorted(self.types)

    def property_key_names(self) -> list[str]:
        return sorted(self.keys)


@dataclass
class World:
    """Counts and catalog, built from lines such as ``label Person 100``."""

    counts: Counts = field(default_factory=Counts)
    catalog: Catalog = field(default_factory=Catalog)

    def declare(self, line: str) -> None:
        """``nodes N``, ``label L N``, ``type T N``, ``keys a b``,
        ``index NAME [unique] NODE|RELATIONSHIP LABEL(a,b) SIZE DISTINCT``."""
        word, *rest = line.split()
        if word == "nodes":
            self.counts.nodes = int(rest[0])
        elif word == "label":
            self.counts.labels[rest[0]] = int(rest[1])
        elif word == "type":
            self.counts.types[rest[0]] = int(rest[1])
        elif word == "keys":
            self.counts.keys += rest
        elif word == "index":
            self._index(rest)
        else:
            raise ValueError(line)

    def _index(self, words: list[str]) -> None:
        unique = words[1] == "unique"
        name, entity, on, size, distinct = [w for w in words if w != "unique"]
        label, _, properties = on.rstrip(")").partition("(")
        made = IndexDefinition(
            len(self.catalog.indexes), name, entity, label, tuple(properties.split(",")), unique
        )
        self.counts.sizes[name] = (int(size), int(distinct))
        self.catalog = replace(
            self.catalog,
            version=self.catalog.version + 1,
            indexes={**self.catalog.indexes, name: made},
        )
