"""Query texts that are wrong in many ways: mutated from good ones, or noise, from a seed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

from tests.golden.query.language import queries
from tests.golden.runner import Block, parse

WORDS: Final = (
    "MATCH", "OPTIONAL", "WHERE", "RETURN", "WITH", "UNWIND", "CREATE", "MERGE", "SET", "DELETE",
    "DETACH", "REMOVE", "FOREACH", "CALL", "YIELD", "UNION", "ALL", "ORDER BY", "SKIP", "LIMIT",
    "AS", "AND", "OR", "XOR", "NOT", "IN", "IS", "NULL", "CASE", "WHEN", "THEN", "ELSE", "END",
    "EXISTS", "COUNT", "COLLECT", "(", ")", "[", "]", "{", "}", "->", "<-", "-", "--", "*", "..",
    ",", ":", "|", "&", "!", "%", "$", "$p", "=", "<>", "<=", "=~", "+", "/", "^", "'", '"', "`",
    "//", "/*", "*/", ";", "0", "1", "9223372036854775808", "1e999", "0x", "'a", "\\u00", "n", "r",
    "n.x", "(n)", "-[r]->", "count(*)", "AT VERSION", "AT TIME", "SHORTEST", "shortestPath(",
    "IN TRANSACTIONS OF", "LOAD CSV FROM", "SHOW INDEXES", "EXPLAIN", "PROFILE", "BEGIN", "\x00",
    "\ud7ff", "😀", "\u202e", "\n", "\t",
)  # fmt: skip


def corpus() -> list[str]:
    """Good texts: the queries of the golden scripts."""
    folder = Path(__file__).resolve().parents[1] / "golden" / "query"
    return [
        query
        for path in sorted(folder.glob("*.golden"))
        for block in parse(path.read_text(encoding="utf-8"))
        if isinstance(block, Block)
        for query in queries(block)
    ]


def mutated(chance: random.Random, good: list[str]) -> str:
    """One bad text."""
    match chance.randrange(9):
        case 0:
            return " ".join(chance.choices(WORDS, k=chance.randint(1, 30)))
        case 1:
            return "".join(chr(chance.randrange(1, 0xD7FF)) for _ in range(chance.randint(1, 60)))
        case 2:
            text = chance.choice(good)
            at = chance.randrange(len(text) + 1)
            return text[:at] + chance.choice(WORDS) + text[at:]
        case 3:
            text = chance.choice(good)
            at = chance.randrange(len(text) + 1)
            return text[:at] + text[at + chance.randint(1, 8) :]
        case 4:
            left, right = chance.choice(good), chance.choice(good)
            return left[: chance.randrange(len(left) + 1)] + right[chance.randrange(len(right)) :]
        case 5:
            words = chance.choice(good).split(" ")
            chance.shuffle(words)
            return " ".join(words)
        case 6:
            return nested(chance)
        case 7:
            text = chance.choice(good)
            return text.replace(chance.choice("()[]{}:,.'"), chance.choice(WORDS))
        case _:
            return chance.choice(good)


def nested(chance: random.Random) -> str:
    """Deep nesting: must be refused by depth, not by the stack."""
    depth = chance.choice((50, 300, 5_000, 50_000))
    opening, body, closing = chance.choice(
        (
            ("(", "1", ")"),
            ("[", "1", "]"),
            ("NOT ", "true", ""),
            ("-", "1", ""),
            ("{a: ", "1", "}"),
            ("CASE WHEN true THEN ", "1", " END"),
            ("EXISTS { MATCH (n) WHERE ", "true", " }"),
            ("[x IN ", "[]", "]"),
            ("abs(", "1", ")"),
            ("1 + ", "1", ""),
            ("1 ^ ", "1", ""),
            ("true AND ", "true", ""),
        )
    )
    return "RETURN " + opening * depth + body + closing * depth


def bad_value(chance: random.Random, depth: int = 0) -> Any:
    """A JSON value that may be anything."""
    simple = (
        None,
        True,
        0,
        -1,
        2**63,
        -(2**63) - 1,
        2**200,
        1.5,
        1e308,
        "",
        "a",
        "\x00",
        "😀",
        "x" * 5000,
    )
    if depth > 4 or chance.random() < 0.6:
        return chance.choice(simple)
    if chance.random() < 0.5:
        return [bad_value(chance, depth + 1) for _ in range(chance.randint(0, 4))]
    keys = ("a", "", "$type", "_value", "statement", "x" * 300)
    return {chance.choice(keys): bad_value(chance, depth + 1) for _ in range(chance.randint(0, 4))}
