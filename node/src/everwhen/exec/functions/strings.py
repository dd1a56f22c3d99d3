"""String functions (openCypher 9; Neo4j 5 manual, "String functions")."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from everwhen.exec.functions.context import FunctionContext
from everwhen.exec.functions.definition import (
    Registry,
    bad_value,
    need_integer,
    need_string,
    register,
    wrong_type,
)
from everwhen.limits import LIST_ELEMENTS_MAX, STRING_BYTES_MAX

FUNCTIONS: Final[Registry] = {}
_CATEGORY: Final = "String"


def _count(function: str, value: Any) -> int:
    count = need_integer(function, value)
    if count < 0:
        raise bad_value(f"{function}() takes a length or position of 0 or more, got {count}")
    return count


# --- case ----------------------------------------------------------------------------------


def _to_lower(ctx: FunctionContext, text: Any) -> str:
    return need_string("toLower", text).lower()


def _to_upper(ctx: FunctionContext, text: Any) -> str:
    return need_string("toUpper", text).upper()


for _name in ("toLower", "lower"):
    register(
        FUNCTIONS, _CATEGORY, f"{_name}(input :: STRING) :: STRING", "The string in lower case."
    )(_to_lower)
for _name in ("toUpper", "upper"):
    register(
        FUNCTIONS, _CATEGORY, f"{_name}(input :: STRING) :: STRING", "The string in upper case."
    )(_to_upper)


# --- parts ---------------------------------------------------------------------------------


@register(
    FUNCTIONS,
    _CATEGORY,
    "left(original :: STRING, length :: INTEGER) :: STRING",
    "The first characters of a string.",
)
def _left(ctx: FunctionContext, text: Any, length: Any) -> str:
    return need_string("left", text)[: _count("left", length)]


@register(
    FUNCTIONS,
    _CATEGORY,
    "right(original :: STRING, length :: INTEGER) :: STRING",
    "The last characters of a string.",
)
def _right(ctx: FunctionContext, text: Any, length: Any) -> str:
    count = _count("right", length)
    return need_string("right", text)[-count:] if count else ""


@register(
    FUNCTIONS,
    _CATEGORY,
    "substring(original :: STRING, start :: INTEGER, length = :: INTEGER) :: STRING",
    "Part of a string, from a position counted from 0.",
)
def _substring(ctx: FunctionContext, text: Any, start: Any, length: Any = None) -> str:
    begin = _count("substring", start)
    if length is None:
        return need_string("substring", text)[begin:]
    return need_string("substring", text)[begin : begin + _count("substring", length)]


@register(
    FUNCTIONS,
    _CATEGORY,
    "split(original :: STRING, splitDelimiters :: STRING | LIST<STRING>) :: LIST<STRING>",
    "The pieces of a string between delimiters.",
)
def _split(ctx: FunctionContext, text: Any, delimiters: Any) -> list[str]:
    text = need_string("split", text)
    if type(delimiters) is list:
        if any(type(delimiter) is not str for delimiter in delimiters):
            raise wrong_type("split", "a string or a list of strings", delimiters)
        wanted = [delimiter for delimiter in delimiters if delimiter]
        if len(wanted) < len(delimiters) or not wanted:
            return list(text) if delimiters else [text]
        pieces = re.split("|".join(map(re.escape, sorted(wanted, key=len, reverse=True))), text)
    else:
        delimiter = need_string("split", delimiters)
        pieces = text.split(delimiter) if delimiter else list(text) or [""]
    if len(pieces) > LIST_ELEMENTS_MAX:
        raise bad_value(f"split() would make a list of more than {LIST_ELEMENTS_MAX:,} elements")
    return pieces


# --- trimming ------------------------------------------------------------------------------


def _characters(function: str, characters: Any) -> str | None:
    return None if characters is None else need_string(function, characters)


@register(
    FUNCTIONS,
    _CATEGORY,
    "trim(input :: STRING) :: STRING",
    "The string without whitespace at both ends.",
)
def _trim(ctx: FunctionContext, text: Any) -> str:
    return need_string("trim", text).strip()


@register(
    FUNCTIONS,
    _CATEGORY,
    "btrim(input :: STRING, trimCharacterString = :: STRING) :: STRING",
    "The string without whitespace, or the characters given, at both ends.",
)
def _btrim(ctx: FunctionContext, text: Any, characters: Any = None) -> str:
    return need_string("btrim", text).strip(_characters("btrim", characters))


@register(
    FUNCTIONS,
    _CATEGORY,
    "ltrim(input :: STRING, trimCharacterString = :: STRING) :: STRING",
    "The string without whitespace, or the characters given, at its start.",
)
def _ltrim(ctx: FunctionContext, text: Any, characters: Any = None) -> str:
    return need_string("ltrim", text).lstrip(_characters("ltrim", characters))


@register(
    FUNCTIONS,
    _CATEGORY,
    "rtrim(input :: STRING, trimCharacterString = :: STRING) :: STRING",
    "The string without whitespace, or the characters given, at its end.",
)
def _rtrim(ctx: FunctionContext, text: Any, characters: Any = None) -> str:
    return need_string("rtrim", text).rstrip(_characters("rtrim", characters))


# --- whole strings -------------------------------------------------------------------------


@register(
    FUNCTIONS,
    _CATEGORY,
    "replace(original :: STRING, search :: STRING, replace :: STRING, limit = :: INTEGER) :: STRING",
    "The string with every occurrence of another one, or the first ones, replaced.",
)
def _replace(
    ctx: FunctionContext, original: Any, search: Any, replacement: Any, limit: Any = None
) -> str:
    text, old = need_string("replace", original), need_string("replace", search)
    new = need_string("replace", replacement)
    most = -1 if limit is None else _count("replace", limit)
    growth = (len(new) - len(old)) * text.count(old)
    if growth > 0 and len(text) + growth > STRING_BYTES_MAX:
        raise bad_value(f"replace() would make a string of {len(text) + growth:,} characters")
    return text.replace(old, new, most)


def _char_length(ctx: FunctionContext, text: Any) -> int:
    return len(need_string("char_length", text))


for _name in ("char_length", "character_length"):
    register(
        FUNCTIONS,
        _CATEGORY,
        f"{_name}(input :: STRING) :: INTEGER",
        "The number of Unicode characters.",
    )(_char_length)


@register(
    FUNCTIONS,
    _CATEGORY,
    "normalize(input :: STRING, normalForm = :: STRING) :: STRING",
    "The string in a Unicode normal form: NFC (the default), NFD, NFKC or NFKD.",
)
def _normalize(ctx: FunctionContext, text: Any, form: Any = "NFC") -> str:
    form = need_string("normalize", form).upper()
    text = need_string("normalize", text)
    if form == "NFC" or form == "NFD" or form == "NFKC" or form == "NFKD":
        return unicodedata.normalize(form, text)
    raise bad_value(f"no Unicode normal form is named {form!r}: use NFC, NFD, NFKC or NFKD")
