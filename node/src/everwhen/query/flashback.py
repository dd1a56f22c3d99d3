"""The queries that a flashback asks: the moment it goes back to, and what its pattern matches."""

from __future__ import annotations

from collections.abc import Iterator

from everwhen.errors import SemanticError
from everwhen.query import syntax as s
from everwhen.query.diagnostics import query_error


def value_query(expression: s.Expression, text: str) -> s.Statement:
    """A statement whose one row has the value of an expression. ``text``: where it stands."""
    return _returning((), [expression], text)


def pattern_query(flashback: s.Flashback, text: str) -> s.Statement:
    """A statement whose rows have what the named variables of the pattern match.

    :raises SemanticError: it names nothing.
    """
    names = {variable.name: variable for variable in _variables(flashback.patterns)}
    if not names:
        raise query_error(
            text,
            flashback.patterns[0].at,
            "The pattern names nothing that could be restored",
            hint="name it: FLASHBACK (n:Person) TO …; what has no name only narrows the pattern",
            detail="NoVariablesInScope",
            error=SemanticError,
        )
    match = s.Match(flashback.patterns, False, flashback.where, at=flashback.at)
    return _returning((match,), list(names.values()), text)


def _returning(
    clauses: tuple[s.Clause, ...], expressions: list[s.Expression] | list[s.Variable], text: str
) -> s.Statement:
    items = tuple(
        s.ProjectionItem(each, s.Variable(f"  {at}", at=each.at), at=each.at)
        for at, each in enumerate(expressions)
    )
    returns = s.Return(s.Projection(items, at=items[0].at), at=items[0].at)
    query = s.Query((s.SingleQuery((*clauses, returns)),))
    return s.Statement(s.QueryBody(query), text=text)


def _variables(patterns: tuple[s.PathPattern, ...]) -> Iterator[s.Variable]:
    """Variables that a pattern binds, those of repeated parts too."""
    for path in patterns:
        if path.variable is not None:
            yield path.variable
        for element in path.elements:
            if isinstance(element, s.GroupPattern):
                yield from _variables((element.path,))
            elif element.variable is not None:
                yield element.variable
