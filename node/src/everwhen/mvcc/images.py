"""Nodes and relationships as of one version, put together from the record's entries.

An image starts from a *base*, a head key or a row of a segment, and adds the deltas that belong
to the same lifetime. Only what is asked for is decoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from everwhen.codec.keys import SUB_HEAD, SUB_LABELS, SUB_PROPERTY
from everwhen.codec.records import decode_labels, decode_node_head, decode_relationship_head
from everwhen.codec.segments import NodeSegment, RelationshipSegment
from everwhen.codec.values import decode_value
from everwhen.mvcc.tokens import Tokens

Value = Any


class Part(NamedTuple):
    """One entry of an entity: ``sub`` as in its key, version, value."""

    sub: int
    version: int
    value: bytes


class NodeRow(NamedTuple):
    """A node's place in a segment, and the version it was published at."""

    version: int
    segment: NodeSegment
    row: int


class RelationshipRow(NamedTuple):
    """A relationship's place in a segment, and the version it was published at."""

    version: int
    segment: RelationshipSegment
    row: int


class _Image:
    """What nodes and relationships share: properties of a base and deltas over them."""

    __slots__ = ("_base", "_deltas", "_raw", "_row", "_tokens", "version")

    def __init__(
        self,
        tokens: Tokens,
        version: int,
        raw: bytes,
        row: NodeRow | RelationshipRow | None,
        deltas: dict[int, Part] | None,
    ) -> None:
        self._tokens = tokens
        #: version at which this lifetime began
        self.version = version
        self._raw = raw
        self._row = row
        self._deltas = deltas
        self._base: dict[int, Value] | None = None

    def _decode(self) -> dict[int, Value]:
        raise NotImplementedError

    def get(self, key: str) -> Value:
        """One property, or None."""
        token = self._tokens.keys.ids.get(key)
        if token is None:
            return None
        deltas = self._deltas
        if deltas is not None:
            part = deltas.get(token)
            if part is not None:
                return decode_value(part.value) if part.value else None
        if self._row is not None:
            return self._row.segment.property(self._row.row, key)
        base = self._base
        if base is None:
            base = self._decode()
        return base.get(token)

    def properties(self) -> dict[str, Value]:
        """All properties, ascending by key."""
        names = self._tokens.keys.names
        if self._row is not None:
            found = self._row.segment.properties(self._row.row)
        else:
            base = self._base
            if base is None:
                base = self._decode()
            found = {names[token]: value for token, value in base.items()}
        if self._deltas is not None:
            for token, part in self._deltas.items():
                if part.value:
                    found[names[token]] = decode_value(part.value)
                else:
                    found.pop(names[token], None)
        return dict(sorted(found.items()))

    def _with(self, parts: Iterable[Part]) -> dict[int, Part]:
        """Its deltas after some of its properties were written again."""
        return {**(self._deltas or {}), **{part.sub - SUB_PROPERTY: part for part in parts}}

    def property_version(self, token: int) -> int:
        """The version that last wrote (or removed) a property in this lifetime."""
        part = None if self._deltas is None else self._deltas.get(token)
        return self.version if part is None else part.version

    @property
    def last_version(self) -> int:
        """The newest version that wrote anything of this lifetime."""
        deltas = self._deltas
        newest = 0 if not deltas else max(part.version for part in deltas.values())
        return max(self.version, newest)


class NodeImage(_Image):
    """One node."""

    __slots__ = ("_label_names", "_label_part", "_label_tokens")

    def __init__(
        self,
        tokens: Tokens,
        version: int,
        raw: bytes,
        row: NodeRow | None,
        labels: Part | None,
        deltas: dict[int, Part] | None,
    ) -> None:
        super().__init__(tokens, version, raw, row, deltas)
        self._label_part = labels
        self._label_tokens: list[int] | None = None
        self._label_names: tuple[str, ...] | None = None

    def _decode(self) -> dict[int, Value]:
        labels, base = decode_node_head(self._raw)
        self._base = base
        if self._label_part is None:
            self._label_tokens = labels
        return base

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names in ascending code point order."""
        names = self._label_names
        if names is None:
            table = self._tokens.labels.names
            names = tuple(sorted(table[token] for token in self.label_tokens))
            self._label_names = names
        return names

    @property
    def label_tokens(self) -> list[int]:
        """Label tokens, ascending."""
        tokens = self._label_tokens
        if tokens is None:
            if self._label_part is not None:
                tokens = decode_labels(self._label_part.value)
            elif self._row is not None:
                assert isinstance(self._row, NodeRow)
                ids = self._tokens.labels.ids
                tokens = sorted(ids[name] for name in self._row.segment.labels)
            else:
                self._decode()
                tokens = self._label_tokens or []
            self._label_tokens = tokens
        return tokens

    def followed(self, parts: Iterable[Part]) -> NodeImage:
        """What it is after some of its properties were written again; the rest is shared."""
        row = self._row
        assert row is None or isinstance(row, NodeRow)
        names = self.labels  # decoded once for all that follow
        found = NodeImage(
            self._tokens, self.version, self._raw, row, self._label_part, self._with(parts)
        )
        found._base, found._label_tokens, found._label_names = self._base, self._label_tokens, names
        return found

    @property
    def labels_version(self) -> int:
        """The version that last wrote the label set in this lifetime."""
        return self.version if self._label_part is None else self._label_part.version

    @property
    def last_version(self) -> int:
        """The newest version that wrote anything of this lifetime."""
        return max(super().last_version, self.labels_version)


class RelationshipImage(_Image):
    """One relationship."""

    __slots__ = ("_ends",)

    def __init__(
        self,
        tokens: Tokens,
        version: int,
        raw: bytes,
        row: RelationshipRow | None,
        deltas: dict[int, Part] | None,
    ) -> None:
        super().__init__(tokens, version, raw, row, deltas)
        self._ends: tuple[int, int, int] | None = None

    def _decode(self) -> dict[int, Value]:
        type_, start, end, base = decode_relationship_head(self._raw)
        self._ends = (type_, start, end)
        self._base = base
        return base

    @property
    def ends(self) -> tuple[int, int, int]:
        """Type token, start, end."""
        ends = self._ends
        if ends is None:
            if self._row is not None:
                assert isinstance(self._row, RelationshipRow)
                segment = self._row.segment
                start, end = segment.ends_of(self._row.row)
                ends = self._tokens.types.ids[segment.type], start, end
                self._ends = ends
            else:
                self._decode()
                ends = self._ends
                assert ends is not None
        return ends

    def followed(self, parts: Iterable[Part]) -> RelationshipImage:
        """See :meth:`NodeImage.followed`."""
        row = self._row
        assert row is None or isinstance(row, RelationshipRow)
        ends = self.ends
        found = RelationshipImage(self._tokens, self.version, self._raw, row, self._with(parts))
        found._base, found._ends = self._base, ends
        return found


def node_image(
    tokens: Tokens, parts: Iterable[Part], row: NodeRow | None = None
) -> NodeImage | None:
    """The node of its entries (one per ``sub``, head first) and its row in a segment, if any."""
    base, labels, deltas = _split(parts, None if row is None else row.version)
    if base is None:
        return None if row is None else NodeImage(tokens, row.version, b"", row, labels, deltas)
    if not base.value:
        return None
    return NodeImage(tokens, base.version, base.value, None, labels, deltas)


def relationship_image(
    tokens: Tokens, parts: Iterable[Part], row: RelationshipRow | None = None
) -> RelationshipImage | None:
    """The same for a relationship."""
    base, _, deltas = _split(parts, None if row is None else row.version)
    if base is None:
        return None if row is None else RelationshipImage(tokens, row.version, b"", row, deltas)
    if not base.value:
        return None
    return RelationshipImage(tokens, base.version, base.value, None, deltas)


def _split(
    parts: Iterable[Part], row_version: int | None
) -> tuple[Part | None, Part | None, dict[int, Part] | None]:
    """Head, label delta and property deltas, without those of earlier lifetimes."""
    head: Part | None = None
    labels: Part | None = None
    deltas: dict[int, Part] | None = None
    born = 0 if row_version is None else row_version
    for part in parts:
        sub = part.sub
        if sub == SUB_HEAD:
            head = part
            born = part.version
        elif part.version < born:
            continue
        elif sub == SUB_LABELS:
            labels = part
        else:
            if deltas is None:
                deltas = {}
            deltas[sub - SUB_PROPERTY] = part
    return head, labels, deltas
