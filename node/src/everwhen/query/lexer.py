"""Query text to tokens: one compiled expression, exact offsets, no look-back.

Source: openCypher 9 grammar (M23) for the tokens, the TCK (literals/Literals1-8) for the error
details. Tokens are parallel lists, which the parser reads by index: no object per token.

==========  ================================  =========================================
kind        token                             value
==========  ================================  =========================================
UPPER CASE  an ASCII word                     the word as written
``NAME``    quoted or non-ASCII identifier    the name, quotes removed
``STRING``  'a' "a"                           the string, escapes resolved
``INT``     12 1_000 0x1f 0o17                the number, not yet bounded to 64 bits
``FLOAT``   1.5 .5 1e9                        the number
``BAD``     12ab 0x 1e999                     (problem, detail), raised where it is used
``PARAM``   $x $0 $`a b`                      the parameter's name
a symbol    ( ) [ ] { } , . .. : :: …         None
``END``     end of text                       None
==========  ================================  =========================================

Arrows are not tokens: ``a<-1`` and ``(a)<--(b)`` can only be told apart by the parser. Malformed
numbers are errors of the parser, because a map key ``{1a: 2}`` is wrong for another reason than
the number ``1a``.
"""

from __future__ import annotations

import re
from typing import Any, Final

from everwhen.errors import QuerySyntaxError, RequestTooLarge
from everwhen.limits import IDENTIFIER_CHARS_MAX, QUERY_TEXT_CHARS_MAX
from everwhen.query.diagnostics import query_error

NAME: Final = "`"
STRING: Final = "#string"
INT: Final = "#int"
FLOAT: Final = "#float"
BAD: Final = "#bad"
PARAM: Final = "#param"
END: Final = "#end"

#: first characters of the kinds that are identifiers
NAME_START: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_`")
#: stands for an integer with too many digits to convert
HUGE: Final = 1 << 80
INTEGER_DIGITS_MAX: Final = 40

# Python before 3.11.5 goes on from the wrong place after a possessive group that failed (cpython
# issue 106052), so only single characters are repeated possessively here; groups are written so
# that giving one back never matches anything else.
_TOKEN: Final = re.compile(
    r"""
    \s*+(?:
      ([^\W\d]\w*+)                                                          # 1 word
    | (//[^\n]*+ | /\*[^*]*+(?:\*(?!/)[^*]*+)*\*/)                            # 2 comment
    | (\.\. | <= | >= | <> | =~ | \+= | :: | \|\| | != | /(?![/*])           # 3 symbol
       | \.(?![0-9]) | [-+*%^=<>(){}\[\],:;|&!] | \$(?![\w`]))
    | ('[^'\\]*+(?:\\.[^'\\]*+)*' | "[^"\\]*+(?:\\.[^"\\]*+)*")              # 4 string
    | (0[xXoO]\w*+ | (?:[0-9]++(?:\.[0-9]++)? | \.[0-9]++)(?:[eE][+-]?[0-9]++)?\w*+)  # 5 number
    | (`[^`]*+(?:``[^`]*+)*`(?!`))                                           # 6 quoted name
    | \$(\w++ | `[^`]*+(?:``[^`]*+)*`(?!`))                                  # 7 parameter
    | (\Z)                                                                   # 8 end
    | (.)                                                                    # 9 anything else
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]*")
#: digits in groups: 1_000_000
_GROUPED: Final = re.compile(r"[1-9][0-9]*(?:_[0-9]+)+")
_FLOAT: Final = re.compile(r"(?:[0-9]+\.[0-9]+|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPES: Final = {
    "\\": "\\", "'": "'", '"': '"', "`": "`", "b": "\b", "f": "\f",
    "n": "\n", "r": "\r", "t": "\t",
}  # fmt: skip


class Tokens:
    """The tokens of one text. ``ends[i]`` is the offset after the last character of token i."""

    __slots__ = ("ends", "kinds", "starts", "text", "values")

    def __init__(self, text: str) -> None:
        self.text = text
        self.kinds: list[str] = []
        self.values: list[Any] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def source(self, index: int) -> str:
        """The token as written."""
        return self.text[self.starts[index] : self.ends[index]]


def tokenize(text: str) -> Tokens:
    """All tokens of a text, ending with one END; raises QuerySyntaxError."""
    if len(text) > QUERY_TEXT_CHARS_MAX:
        raise RequestTooLarge(
            f"the statement has {len(text)} characters; the limit is {QUERY_TEXT_CHARS_MAX}",
            hint="pass data as parameters, not as text",
        )
    if not text.isascii():
        _refuse_surrogates(text)
    tokens = Tokens(text)
    kinds, values = tokens.kinds, tokens.values
    starts, ends = tokens.starts, tokens.ends
    for match in _TOKEN.finditer(text):
        group = match.lastindex
        assert group is not None
        if group == 2:
            continue
        start, end = match.span(group)
        source = match[group]
        if group == 1:
            if end - start > IDENTIFIER_CHARS_MAX:
                raise _name_too_long(text, start)
            kinds.append(source.upper() if source.isascii() else NAME)
            values.append(source)
        elif group == 3:
            kinds.append(source)
            values.append(None)
        else:
            kind, value = _other(text, group, source, start)
            kinds.append(kind)
            values.append(value)
            if group == 7:
                start -= 1
        starts.append(start)
        ends.append(end)
        if group == 8:
            break
    return tokens


def _other(text: str, group: int, source: str, start: int) -> tuple[str, Any]:
    """Kind and value of the rarer tokens."""
    if group == 4:
        return STRING, unescape(text, source, start)
    if group == 5:
        return number(source)
    if group == 6:
        return NAME, _quoted(text, source, start)
    if group == 7:
        return PARAM, _quoted(text, source, start) if source[0] == "`" else source
    if group == 8:
        return END, None
    raise _unexpected_character(text, source, start)


def number(source: str) -> tuple[str, Any]:
    """The kind and value of a number: INT, FLOAT or BAD."""
    prefix = source[:2].lower()
    if prefix in ("0x", "0o"):
        base, digits = (16, source[2:]) if prefix == "0x" else (8, source[2:])
        if not digits or "_" in digits or not digits.isascii():
            return BAD, (f"{source!r} is not a number", "InvalidNumberLiteral")
        try:
            return INT, int(digits, base) if len(digits) <= INTEGER_DIGITS_MAX else HUGE
        except ValueError:
            return BAD, (f"{source!r} is not a number", "InvalidNumberLiteral")
    if _GROUPED.fullmatch(source):
        source = source.replace("_", "")
    if _DECIMAL.fullmatch(source):
        return INT, int(source) if len(source) <= INTEGER_DIGITS_MAX else HUGE
    if not _FLOAT.fullmatch(source) or source.isdigit():
        return BAD, (f"{source!r} is not a number", "InvalidNumberLiteral")
    value = float(source)
    if value == float("inf"):
        return BAD, (f"{source} is too large for a float", "FloatingPointOverflow")
    return FLOAT, value


def unescape(text: str, source: str, start: int) -> str:
    """The value of a string literal, whose quotes are still there."""
    body = source[1:-1]
    if "\\" not in body:
        return body

    def replace(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        offset = start + 1 + match.start()
        if code is not None:
            if int(code, 16) > 0x10FFFF:
                raise _bad_unicode(text, offset)
            return chr(int(code, 16))
        if match[3] in "uU":
            raise _bad_unicode(text, offset)
        if match[3] not in _ESCAPES:
            raise query_error(
                text,
                offset,
                f"Invalid escape '\\{match[3]}' in a string",
                hint="write \\\\ for a backslash",
            )
        return _ESCAPES[match[3]]

    value = _ESCAPE.sub(replace, body)
    if value.isascii():
        return value
    try:
        # \uD83D\uDE00 are two escapes of one character
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise _bad_unicode(text, start) from None


def _quoted(text: str, source: str, start: int) -> str:
    name = source[1:-1].replace("``", "`")
    if len(name) > IDENTIFIER_CHARS_MAX:
        raise _name_too_long(text, start)
    return name


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as bad:
        raise query_error(
            text[: bad.start], bad.start, "Half of a surrogate pair in the text",
            detail="InvalidUnicodeCharacter",
        ) from None  # fmt: skip


def _bad_unicode(text: str, offset: int) -> QuerySyntaxError:
    return query_error(
        text,
        offset,
        "Invalid Unicode escape",
        hint="four hex digits after \\u, eight after \\U, surrogates in pairs",
        detail="InvalidUnicodeLiteral",
    )


def _name_too_long(text: str, start: int) -> QuerySyntaxError:
    return query_error(text, start, f"A name longer than {IDENTIFIER_CHARS_MAX} characters")


def _unexpected_character(text: str, char: str, start: int) -> QuerySyntaxError:
    if char in "'\"`":
        what = "name in backticks" if char == "`" else "string"
        return query_error(text, start, f"This {what} is never closed")
    if char == "$":
        return query_error(text, start, "This parameter name is never closed")
    if text.startswith("/*", start):
        return query_error(text, start, "This comment is never closed")
    detail = "UnexpectedSyntax" if char.isascii() else "InvalidUnicodeCharacter"
    hint = None
    if char in "‐‑‒–—−":
        hint = "this is not the ASCII minus sign '-'"
    elif char in "‘’“”„":
        hint = "this is not an ASCII quote"
    shown = char if char.isprintable() else f"U+{ord(char):04X}"
    return query_error(text, start, f"Invalid character '{shown}'", hint=hint, detail=detail)
