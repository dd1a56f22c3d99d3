"""The query that finds what an ERASE takes away, and its errors at their places in the statement
that was written."""

from __future__ import annotations

from everwhen.errors import QuerySyntaxError
from everwhen.query.diagnostics import query_error
from everwhen.query.pretty_keeping import erase, erased
from everwhen.query.syntax_keeping import Erase

_RETURN = " RETURN DISTINCT "


def reading(body: Erase) -> str:
    """The query."""
    return f"{body.reading}{_RETURN}{erased(body)} {body.time}".rstrip()


def as_written(body: Erase, error: QuerySyntaxError) -> QuerySyntaxError:
    """An error about :func:`reading` as one about the statement."""
    if error.position is None:
        return error
    text, offset = erase(body), error.position.offset
    names = len(body.reading) + len(_RETURN)
    time = names + len(erased(body)) + 1
    if offset >= time:
        offset += len(body.reading) + 1 - time
    elif offset >= names:
        offset += text.rindex(erased(body)) - names
    problem = error.message.split(" (line ", 1)[0]
    detail = error.detail or "UnexpectedSyntax"
    return query_error(text, offset, problem, hint=error.hint, detail=detail, error=type(error))
