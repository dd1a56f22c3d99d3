"""Content negotiation: which form the answer takes, and how the request was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from everwhen.errors import RequestInvalid

JSON: Final = "application/json"
TYPED: Final = "application/vnd.neo4j.query"
ARROW: Final = "application/vnd.apache.arrow.stream"
LINES: Final = "application/jsonl"


class Asked(Protocol):
    """What is asked of a request here: aiohttp's, or one that ``front`` read itself."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def content_type(self) -> str: ...

    @property
    def remote(self) -> str | None: ...

    @property
    def path(self) -> str: ...


class Form(Enum):
    """Forms of an answer."""

    PLAIN = JSON
    TYPED = TYPED
    ARROW = ARROW
    LINES = LINES
    TYPED_LINES = TYPED + ".v1.0+jsonl"


@dataclass(frozen=True, slots=True)
class NotAcceptable(Exception):
    """None of the wanted media types is offered."""

    wanted: str


_FORMS: Final = {
    JSON: Form.PLAIN,
    "*/*": Form.PLAIN,
    "application/*": Form.PLAIN,
    TYPED: Form.TYPED,
    "application/vnd.neo4j.query.v1.0": Form.TYPED,
    "application/vnd.neo4j.query.v1.1": Form.TYPED,
    ARROW: Form.ARROW,
    LINES: Form.LINES,
    "application/vnd.neo4j.query+jsonl": Form.TYPED_LINES,
    "application/vnd.neo4j.query.v1.0+jsonl": Form.TYPED_LINES,
    "application/vnd.neo4j.query.v1.1+jsonl": Form.TYPED_LINES,
}


def answer_form(request: Asked) -> Form:
    """The first media type of ``Accept`` that is offered, by weight.

    :raises NotAcceptable: none.
    """
    header = request.headers.get("Accept", "*/*")
    choices: list[tuple[float, int, str]] = []
    for number, item in enumerate(header.split(",")):
        media, *options = (part.strip() for part in item.split(";"))
        weight = 1.0
        for option in options:
            if option.startswith("q="):
                try:
                    weight = float(option[2:])
                except ValueError:
                    weight = 0.0
        choices.append((-weight, number, media.lower()))
    for weight, _, media in sorted(choices):
        if weight < 0 and media in _FORMS:
            return _FORMS[media]
    raise NotAcceptable(header)


#: what an answer without rows, or an error, is written in
_WITHOUT_ROWS: Final = {
    Form.ARROW: Form.PLAIN,
    Form.LINES: Form.PLAIN,
    Form.TYPED_LINES: Form.TYPED,
}


def without_rows(form: Form) -> Form:
    """The form of one JSON object that goes with the form of rows."""
    return _WITHOUT_ROWS.get(form, form)


def content_type(form: Form) -> str:
    """The Content-Type of an answer."""
    return form.value + ("; charset=utf-8" if form is not Form.ARROW else "")


def request_is_typed(request: Asked) -> bool:
    """Whether the body is typed JSON.

    :raises RequestInvalid: the body is announced as something else than JSON.
    """
    media = request.content_type.lower()
    if media in (JSON, "application/octet-stream"):  # the latter: no Content-Type at all
        return False
    if media.startswith(TYPED):
        return True
    raise RequestInvalid(
        f"the Content-Type {media!r} is not understood", hint=f"send {JSON} or {TYPED}"
    )
