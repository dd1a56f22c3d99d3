"""Distinct texts of vectors that a query makes itself, and work on codes of any texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from typing import Any

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import OBJECTS_AT_ONCE
from everwhen.exec.sizes import value_bytes
from everwhen.model.columns import Mask, Texts

Codes = npt.NDArray[np.int32]


class LocalTexts:
    """``model.columns.Texts`` over a list; equal texts must have been given one code."""

    __slots__ = ("_codes", "_ranks", "_texts", "bytes")

    def __init__(self, texts: list[str] | None = None) -> None:
        self._texts: list[str] = []
        self._codes: dict[str, int] = {}
        self._ranks: npt.NDArray[np.int32] | None = None
        #: about how many bytes the texts take
        self.bytes = 0
        for text in texts or ():
            self.add(text)

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> int:
        """The code of a text, a new one if need be. Only while nobody else reads."""
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = len(self._texts)
            self._texts.append(text)
            self.bytes += value_bytes(text)
            self._ranks = None
        return code

    def some(self, codes: Codes) -> list[str]:
        texts = self._texts
        return [texts[code] for code in codes.tolist()]

    def find(self, text: str) -> int:
        return self._codes.get(text, -1)

    def ranks(self) -> npt.NDArray[np.int32]:
        ranks = self._ranks
        if ranks is None:
            ranks = np.empty(len(self._texts), np.int32)
            order = sorted_in_pieces(range(len(self._texts)), self._texts.__getitem__)
            ranks[np.fromiter(order, np.int64, len(ranks))] = np.arange(len(ranks), dtype=np.int32)
            self._ranks = ranks
        return ranks


def sorted_in_pieces(items: Sequence[Any], key: Callable[[Any], Any]) -> Iterator[Any]:
    """Ascending and stable, without one call that compares more than ``OBJECTS_AT_ONCE``."""
    pieces = [
        sorted(items[start : start + OBJECTS_AT_ONCE], key=key)
        for start in range(0, len(items), OBJECTS_AT_ONCE)
    ]
    return iter(pieces[0]) if len(pieces) == 1 else merge(*pieces, key=key)


def distinct(codes: npt.NDArray[Any], size: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The different codes (0 to ``size``), ascending, and for each code its place among them."""
    if size <= 4 * len(codes) + 64:
        places = np.zeros(size, np.int64)
        places[codes] = 1
        found = np.flatnonzero(places)
        places[found] = np.arange(len(found))
        return found.astype(codes.dtype), places[codes]
    found, places = np.unique(codes, return_inverse=True)
    return found, places


def in_pieces(texts: Texts, codes: Codes) -> Iterable[list[str]]:
    """The texts of any number of codes, in lists of at most ``OBJECTS_AT_ONCE``."""
    for start in range(0, len(codes), OBJECTS_AT_ONCE):
        yield texts.some(codes[start : start + OBJECTS_AT_ONCE])


def recoded(codes: Codes, valid: Mask | None, texts: Texts, into: LocalTexts) -> Codes:
    """Codes of other texts as codes of ``into``, which takes up what it has not."""
    if texts is into:
        return codes
    result = np.zeros(len(codes), np.int32)
    some = codes if valid is None else codes[valid]
    found, places = distinct(some, len(texts))
    added = (into.add(text) for piece in in_pieces(texts, found) for text in piece)
    new: Codes = np.fromiter(added, np.int32, len(found))
    if valid is None:
        result = new[places]
    else:
        result[valid] = new[places]
    return result


def translated(codes: Codes, texts: Texts, other: Texts) -> Codes:
    """Codes of other texts as codes of ``other``; -1 for what it has not. All must be valid."""
    if texts is other:
        return codes
    found, places = distinct(codes, len(texts))
    found_there = (other.find(text) for piece in in_pieces(texts, found) for text in piece)
    new: Codes = np.fromiter(found_there, np.int32, len(found))
    return new[places] if len(found) else codes
