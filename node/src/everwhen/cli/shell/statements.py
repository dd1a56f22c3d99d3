"""Cuts a text into statements at ``;``, which inside quotes and comments means nothing."""

from __future__ import annotations

import re
from typing import Final

_PARTS: Final = re.compile(
    r"""
      (?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:``|[^`])*`)
    | (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<open>['"`]|/\*)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)


def split(text: str) -> tuple[list[str], str]:
    """The finished statements, without their ``;``, and what is left behind the last one."""
    statements = []
    start = 0
    for part in _PARTS.finditer(text):
        if part.lastgroup == "open":
            break  # a quote or comment that is not closed: the rest belongs to it
        if part.lastgroup == "end":
            statements.append(text[start : part.start()])
            start = part.end()
    return [found for found in statements if not is_blank(found)], text[start:]


def is_blank(text: str) -> bool:
    """Nothing but space and comments."""
    return not re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL).strip()


def is_whole(text: str) -> bool:
    """Whether what was typed can be run: a colon command, or statements up to a ``;``."""
    if text.lstrip().startswith(":"):
        return True
    return is_blank(split(text)[1])
