"""Searching full-text indexes (Neo4j 5's names)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from everwhen.errors import IndexNotFound, ProcedureCallFailed
from everwhen.exec.context import ExecutionContext
from everwhen.exec.procedures.definition import ProcedureDefinition, ProcedureField
from everwhen.limits import TEXT_HITS_PER_STEP
from everwhen.model import values as v
from everwhen.model.elements import Node, Relationship
from everwhen.model.graph import GraphView, TextWanted
from everwhen.model.text_analysis import analyzer, analyzers
from everwhen.model.text_query import parse

Rows = Iterator[tuple[Any, ...]]

_WANTS: Final = {"NODE": "queryRelationships", "RELATIONSHIP": "queryNodes"}


def _query(kind: str, ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    ctx.environment.checkpoint()
    name, text, options = arguments
    definition = view.catalog.fulltext_index(name)
    if definition is None:
        raise IndexNotFound(f"there is no full-text index named {name!r}")
    if definition.entity != kind:
        raise ProcedureCallFailed(
            f"the full-text index {name!r} is not about {kind.lower()}s",
            hint=f"call db.index.fulltext.{_WANTS[kind]}",
        )
    if text is None:
        raise ProcedureCallFailed("the query must be a text, got null")
    skip, limit, how = _options(options or {})
    wanted = TextWanted(parse(text), how, ctx.environment.checkpoint)
    ids, scores = view.matching(name, wanted)
    end = len(ids) if limit is None else min(skip + limit, len(ids))
    for at in range(skip, end, TEXT_HITS_PER_STEP):
        part = slice(at, min(at + TEXT_HITS_PER_STEP, end))
        element: Node | Relationship | None
        for entity, score in zip(ids[part].tolist(), scores[part].tolist(), strict=True):
            ctx.tick()
            element = view.node(entity) if kind == "NODE" else view.relationship(entity)
            if element is not None:
                yield (element, score)


def _options(options: dict[str, Any]) -> tuple[int, int | None, str | None]:
    """Skip, limit and analyzer.

    :raises ProcedureCallFailed: another option, or of another type.
    :raises QueryArgumentError: no such analyzer.
    """
    for key, value in options.items():
        if key in ("skip", "limit"):
            if type(value) is not int or value < 0:
                raise _refused(f"`{key}` must be an integer of 0 or more, got {v.to_text(value)}")
        elif key == "analyzer":
            if type(value) is not str:
                raise _refused(f"`analyzer` must be a name, got {v.to_text(value)}")
            analyzer(value)
        else:
            raise _refused(f"there is no option `{key}`: skip, limit, analyzer")
    return options.get("skip", 0), options.get("limit"), options.get("analyzer")


def _refused(what: str) -> ProcedureCallFailed:
    return ProcedureCallFailed(f"full-text query: {what}", detail="InvalidArgumentType")


def _list(ctx: ExecutionContext, view: GraphView, arguments: Sequence[Any]) -> Rows:
    for one in analyzers():
        yield (one.name, one.text, one.stop_words)


def _procedures() -> Iterator[ProcedureDefinition]:
    for kind, plural, name in (
        ("NODE", "Nodes", "node"),
        ("RELATIONSHIP", "Relationships", "relationship"),
    ):
        yield ProcedureDefinition(
            f"db.index.fulltext.query{plural}",
            (
                ProcedureField("indexName", "STRING"),
                ProcedureField("queryString", "STRING"),
                ProcedureField("options", "MAP", {}),
            ),
            (ProcedureField(name, kind), ProcedureField("score", "FLOAT")),
            f"The {plural.lower()} whose texts match a query, at the time asked about, best first.",
            partial(_query, kind),
        )
    yield ProcedureDefinition(
        "db.index.fulltext.listAvailableAnalyzers",
        (),
        (
            ProcedureField("analyzer", "STRING"),
            ProcedureField("description", "STRING"),
            ProcedureField("stopwords", "LIST<STRING>"),
        ),
        "What full-text indexes can make of a text.",
        _list,
    )


FULLTEXT: Final[tuple[ProcedureDefinition, ...]] = tuple(_procedures())
