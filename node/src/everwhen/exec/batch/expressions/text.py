"""Tests of texts, made once for each text in one execution."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from everwhen.exec.batch.core import OBJECTS_AT_ONCE, BatchContext
from everwhen.exec.batch.texts import LocalTexts, distinct
from everwhen.exec.batch.vectors import Constant
from everwhen.exec.expressions.patterns import matches, stoppable
from everwhen.model.columns import BOOLEAN, Texts, Vector

#: what is known of a text
_UNKNOWN: Final = 0
_FALSE: Final = 1
_TRUE: Final = 2
_NOTHING: Final = np.zeros(0, np.int8)

#: what the row path's operator comes to for two strings, of which none is null
TESTS: Final[dict[str, Callable[[str, str], bool | None]]] = {
    "STARTS_WITH": str.startswith,
    "ENDS_WITH": str.endswith,
    "CONTAINS": operator.contains,
    "=~": matches,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

#: texts there may be for each row tested, so that the table of answers does not cost more than it
#: saves
_TEXTS_A_ROW: Final = 64


def tested(name: str, vector: Vector, other: Constant, ctx: BatchContext) -> Vector | None:
    """A vector of strings tested against one string; None: there are too many texts."""
    texts = vector.texts
    assert texts is not None
    if isinstance(vector, Constant) or len(texts) > _TEXTS_A_ROW * len(vector.data):
        return None
    test, value = stoppable(TESTS[name], ctx.check), other.value
    answers = _answers(name, value, texts, ctx)
    valid = vector.valid
    codes = vector.data if valid is None else vector.data[valid]
    found = answers[codes]
    unknown = codes[found == _UNKNOWN]
    if len(unknown):
        new = distinct(unknown, len(texts))[0]
        for start in range(0, len(new), OBJECTS_AT_ONCE):
            ctx.check()
            some = new[start : start + OBJECTS_AT_ONCE]
            true = [test(text, value) for text in texts.some(some)]
            answers[some] = np.where(np.array(true, np.bool_), _TRUE, _FALSE)
        found = answers[codes]
    if valid is not None:
        everywhere = np.zeros(len(valid), np.int8)
        everywhere[valid] = found
        found = everywhere
    return Vector(BOOLEAN, found == _TRUE, valid)


def _answers(name: str, value: str, texts: Texts, ctx: BatchContext) -> npt.NDArray[np.int8]:
    """By code, what is known; texts may have come since the last batch. Of texts that a query makes
    itself only the last are kept, which there may be of each batch."""
    key = name, value, None if isinstance(texts, LocalTexts) else id(texts)
    known, answers = ctx.memo.get(key, (texts, _NOTHING))
    if known is not texts:
        answers = _NOTHING
    if known is not texts or len(answers) < len(texts):
        grown = np.zeros(len(texts), np.int8)
        grown[: len(answers)] = answers
        answers = grown
        ctx.memo[key] = texts, answers  # the texts stay, so that their id stays theirs
    return answers  # type: ignore[no-any-return]
