"""Cells of the TCK's tables: ``(:L {a: 1})``, ``[:T]``, ``<(a)-[:T]->(b)>``, maps, lists, …

A small recursive-descent parser into the neutral values of :mod:`tests.engine`. It is written
apart from the database's own parser on purpose.
"""

from __future__ import annotations

import re
from typing import Final

from tests.engine import Neutral, NodeValue, PathValue, RelationshipValue

_NUMBER: Final = re.compile(r"-?(\d+(\.\d+)?([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?)")
_NAME: Final = re.compile(r"[^\W\d]\w*")
_WORDS: Final[dict[str, Neutral]] = {
    "null": None,
    "true": True,
    "false": False,
    "NaN": float("nan"),
    "Inf": float("inf"),
    "Infinity": float("inf"),
}
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class CellError(ValueError):
    """A cell that is no value of the TCK's notation."""


def parse(cell: str) -> Neutral:
    """The value a cell denotes."""
    parser = _Parser(cell.strip())
    value = parser.value()
    parser.end()
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, wanted: str) -> CellError:
        return CellError(f"expected {wanted} at {self.at} of {self.text!r}")

    def blank(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def peek(self, token: str) -> bool:
        self.blank()
        return self.text.startswith(token, self.at)

    def accept(self, token: str) -> bool:
        if self.peek(token):
            self.at += len(token)
            return True
        return False

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise self.fail(repr(token))

    def end(self) -> None:
        self.blank()
        if self.at != len(self.text):
            raise self.fail("the end")

    def value(self) -> Neutral:
        if self.peek("'"):
            return self.string()
        if self.peek("("):
            return self.node()
        if self.peek("<"):
            return self.path()
        if self.peek("{"):
            return self.map()
        if self.peek("["):
            return self.list_or_relationship()
        return self.number_or_word()

    def number_or_word(self) -> Neutral:
        for sign, factor in (("-Inf", -1), ("+Inf", 1)):
            if self.accept(sign):
                self.accept("inity")
                return factor * float("inf")
        number = _NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            digits = number.group()
            return int(digits) if re.fullmatch(r"-?\d+", digits) else float(digits)
        name = _NAME.match(self.text, self.at)
        if name and name.group() in _WORDS:
            self.at = name.end()
            return _WORDS[name.group()]
        raise self.fail("a value")

    def string(self) -> str:
        self.expect("'")
        out: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char == "'":
                return "".join(out)
            if char == "\\":
                char = self.text[self.at : self.at + 1]
                self.at += 1
                char = _ESCAPES.get(char, char)
            out.append(char)
        raise self.fail("a closing quote")

    def name(self) -> str:
        self.blank()
        if self.accept("`"):
            end = self.text.index("`", self.at)
            name, self.at = self.text[self.at : end], end + 1
            return name
        found = _NAME.match(self.text, self.at)
        if not found:
            raise self.fail("a name")
        self.at = found.end()
        return found.group()

    def map(self) -> dict[str, Neutral]:
        self.expect("{")
        out: dict[str, Neutral] = {}
        while not self.accept("}"):
            if out:
                self.expect(",")
            key = self.name()
            self.expect(":")
            out[key] = self.value()
        return out

    def list_or_relationship(self) -> Neutral:
        self.expect("[")
        if self.peek(":"):
            return self.relationship_body()
        out: list[Neutral] = []
        while not self.accept("]"):
            if out:
                self.expect(",")
            out.append(self.value())
        return out

    def relationship_body(self) -> RelationshipValue:
        self.expect(":")
        kind = self.name()
        properties = self.map() if self.peek("{") else {}
        self.expect("]")
        return RelationshipValue(kind, properties)

    def node(self) -> NodeValue:
        self.expect("(")
        labels: list[str] = []
        while self.accept(":"):
            labels.append(self.name())
        properties = self.map() if self.peek("{") else {}
        self.expect(")")
        return NodeValue(frozenset(labels), properties)

    def path(self) -> PathValue:
        self.expect("<")
        nodes = [self.node()]
        relationships: list[RelationshipValue] = []
        forward: list[bool] = []
        while not self.accept(">"):
            backward = self.accept("<-")
            if not backward:
                self.expect("-")
            self.expect("[")
            relationships.append(self.relationship_body())
            self.expect("-" if backward else "->")
            forward.append(not backward)
            nodes.append(self.node())
        return PathValue(tuple(nodes), tuple(relationships), tuple(forward))
