"""Names and their numbers: labels, relationship types and property keys.

A name gets its token when apply first writes it and keeps it for ever, so the tables only grow,
what was looked up never has to be invalidated, and readers on other threads need no lock: a name
is put into ``names`` before it is put into ``ids``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from everwhen.codec.keys import Kind, Space, kind_range, token_key
from everwhen.codec.parse import decode_token
from everwhen.errors import CorruptData, QueryArgumentError
from everwhen.limits import LABELS_MAX, PROPERTY_KEYS_MAX, RELATIONSHIP_TYPES_MAX
from everwhen.mvcc.store import Batch, Store

_MAXIMA: Final = {
    Space.LABEL: (LABELS_MAX, "labels"),
    Space.TYPE: (RELATIONSHIP_TYPES_MAX, "relationship types"),
    Space.KEY: (PROPERTY_KEYS_MAX, "property keys"),
}


class TokenTable:
    """The names of one space, numbered from 0 without gaps."""

    __slots__ = ("ids", "names", "space")

    def __init__(self, space: Space, names: Iterable[str] = ()) -> None:
        self.space = space
        self.names: list[str] = list(names)
        self.ids: dict[str, int] = {name: token for token, name in enumerate(self.names)}

    def find(self, name: str) -> int | None:
        """The token of a name, or None if nothing of that name was ever written."""
        return self.ids.get(name)

    def name(self, token: int) -> str:
        """:raises CorruptData: no such token."""
        try:
            return self.names[token]
        except IndexError as error:
            raise CorruptData(f"{self.space.name} token {token} has no name") from error

    def assign(self, name: str, batch: Batch) -> int:
        """The token of a name; a new one is written with ``batch``. Apply only.

        Every replica decides alike, so the error is a deterministic one.

        :raises QueryArgumentError: as many names as there may be.
        """
        token = self.ids.get(name)
        if token is None:
            token = len(self.names)
            maximum, what = _MAXIMA[self.space]
            if token >= maximum:
                raise QueryArgumentError(f"the database has {maximum} {what}, which is the limit")
            batch.put(token_key(self.space, token), name.encode())
            self.names.append(name)
            self.ids[name] = token
        return token


class Tokens:
    """The three tables."""

    __slots__ = ("keys", "labels", "types")

    def __init__(self) -> None:
        self.labels = TokenTable(Space.LABEL)
        self.types = TokenTable(Space.TYPE)
        self.keys = TokenTable(Space.KEY)

    def table(self, space: Space) -> TokenTable:
        """The table of a space."""
        if space is Space.LABEL:
            return self.labels
        return self.types if space is Space.TYPE else self.keys

    @classmethod
    def load(cls, store: Store) -> Tokens:
        """Read all names.

        :raises CorruptData: a gap in the numbers, or a name that is no text or stands twice.
        """
        tokens = cls()
        for key, value in store.scan(*kind_range(Kind.TOKEN)):
            space, token = decode_token(key)
            table = tokens.table(space)
            try:
                name = value.decode()
            except UnicodeDecodeError as error:
                raise CorruptData(f"the name of {space.name} token {token} is no text") from error
            if token != len(table.names) or name in table.ids:
                raise CorruptData(f"{space.name} token {token} ({name!r}) is out of line")
            table.names.append(name)
            table.ids[name] = token
        return tokens
