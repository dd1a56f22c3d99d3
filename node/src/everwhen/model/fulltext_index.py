"""What a full-text index is about: its labels or types, its properties, its analyzer.

Source of the option names: Neo4j 5 manual, "Full-text indexes". The text form is what the record
keeps, so the fields' order and names stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from everwhen.errors import QueryArgumentError
from everwhen.limits import TEXT_FIELDS_MAX
from everwhen.model.text_analysis import DEFAULT, Token, analyzer

#: words between two texts of a list, so that no phrase reaches over
_GAP: Final = 100


class Document(NamedTuple):
    """One entity's texts: per field (position of the property) its tokens; None: not in the
    index then."""

    tokens: tuple[tuple[Token, ...], ...]


@dataclass(frozen=True, slots=True)
class FulltextConfig:
    """See the module. ``eventually_consistent`` is kept to be shown: an index here always shows
    what was committed."""

    labels: tuple[str, ...]
    analyzer: str = DEFAULT
    eventually_consistent: bool = False

    @classmethod
    def of(cls, labels: Iterable[str], options: Mapping[str, Any]) -> FulltextConfig:
        """From labels or types and ``OPTIONS {indexConfig: {...}}``.

        :raises QueryArgumentError: an option nobody knows, or a value that it cannot have.
        """
        for key in options:
            if key not in ("indexConfig", "indexProvider"):
                raise _bad(f"no option of a full-text index is named {key!r}")
        config = options.get("indexConfig", {})
        if not isinstance(config, Mapping):
            raise _bad("`indexConfig` must be a map")
        name, late = DEFAULT, False
        for key, value in config.items():
            if key == "fulltext.analyzer":
                if type(value) is not str:
                    raise _bad(f"`{key}` is the name of an analyzer, not {value!r}")
                name = analyzer(value).name
            elif key == "fulltext.eventually_consistent":
                if type(value) is not bool:
                    raise _bad(f"`{key}` is true or false, not {value!r}")
                late = value
            else:
                raise _bad(f"no setting of a full-text index is named {key!r}")
        return cls(tuple(sorted(set(labels))), name, late)

    def text(self) -> str:
        """For the record."""
        return json.dumps(asdict(self))

    def options(self) -> dict[str, Any]:
        """As ``SHOW INDEXES`` shows it."""
        return {
            "fulltext.analyzer": self.analyzer,
            "fulltext.eventually_consistent": self.eventually_consistent,
        }

    def document(self, values: Iterable[Any]) -> Document | None:
        """What the index knows of an entity with these values of its properties; None if none of
        them is a text or a list of texts."""
        found = analyzer(self.analyzer)
        fields = []
        any_text = False
        for value in values:
            texts = texts_of(value)
            any_text |= texts is not None
            fields.append(tuple(_tokens(found.tokens, texts or ())))
        return Document(tuple(fields)) if any_text else None


@lru_cache(maxsize=64)
def parse_config(text: str) -> FulltextConfig:
    """What :meth:`FulltextConfig.text` wrote."""
    fields = json.loads(text)
    return FulltextConfig(tuple(fields.pop("labels")), **fields)


def texts_of(value: Any) -> list[str] | None:
    """The texts of a property; None if it has none."""
    if type(value) is str:
        return [value]
    if type(value) is list and value and all(type(item) is str for item in value):
        return value
    return None


def check_fields(properties: tuple[str, ...]) -> None:
    """:raises QueryArgumentError: too many properties, or one twice."""
    if len(properties) > TEXT_FIELDS_MAX:
        raise _bad(f"a full-text index is on {TEXT_FIELDS_MAX} properties at most")
    if len(set(properties)) < len(properties):
        raise _bad("a property stands twice")


def _tokens(tokens: Any, texts: Iterable[str]) -> Iterator[Token]:
    first = 0
    for text in texts:
        last = first
        for term, position in tokens(text):
            last = first + position
            yield Token(term, last)
        first = last + _GAP


def _bad(message: str) -> QueryArgumentError:
    return QueryArgumentError(message, detail="InvalidArgumentValue")
