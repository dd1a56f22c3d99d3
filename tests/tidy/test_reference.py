"""The reference of the language shows what the database answers, and lists what it has.

A fenced block that begins with ```` ```ngql COMMAND ```` is a block of a golden script
(``tests/golden/query/language.py``, ``history`` as in ``tests/isolation``); a page is one script
and begins with an empty database. ``make golden-rewrite`` writes what came.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from everwhen import limits
from everwhen.exec.functions import FUNCTIONS
from everwhen.exec.functions.aggregates import AGGREGATES
from everwhen.exec.procedures import PROCEDURES, SHOW_TABLES
from tests.engines import open_engine
from tests.golden.query.language import Language
from tests.golden.runner import Block
from tests.isolation.sessions import Script
from tests.tidy.tree import ROOT, report

_FOLDER: Final = ROOT / "docs/ngql"
_PAGES: Final = sorted(_FOLDER.glob("*.md"))
_EXAMPLE: Final = re.compile(
    r"^```ngql([^\n]*)\n(.*?)\n?^----\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
#: commands of scripts with several sessions
_SESSIONS: Final = frozenset({"setup", "history", "check"})
_FENCE: Final = re.compile(r"^```(\w*)", re.MULTILINE)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_examples_answer_as_printed(page: Path, golden_rewrite: bool) -> None:
    document = page.read_text(encoding="utf-8")
    engine = open_engine("inprocess")
    wrong: list[str] = []
    try:
        language, sessions = Language(engine), Script(engine)

        def answered(match: re.Match[str]) -> str:
            line = document.count("\n", 0, match.start()) + 1
            head = match[1].strip() or "query"
            block = Block(head, match[2], match[3], line)
            several = block.command in _SESSIONS
            came = (sessions if several else language).run(block).rstrip("\n")
            came += "\n" * bool(came)
            if came != match[3]:
                wrong.append(f"{page.name}:{line}: printed {match[3]!r}, came {came!r}")
            return f"```ngql{match[1]}\n{match[2]}\n----\n{came}```"

        rewritten = _EXAMPLE.sub(answered, document)
    finally:
        engine.close()
    if golden_rewrite:
        page.write_text(rewritten, encoding="utf-8")
    else:
        report(wrong)


def test_every_example_is_run():
    """Only text that is no statement, and forms with parts left open, may stand without answer."""
    found = []
    for page in _PAGES:
        document = page.read_text(encoding="utf-8")
        fences = _FENCE.findall(document)[::2]
        run = len(_EXAMPLE.findall(document))
        if fences.count("ngql") != run:
            found.append(f"{page.name}: {fences.count('ngql') - run} examples without ----")
        found += [f"{page.name}: a block of {kind or 'nothing'}" for kind in fences
                  if kind not in ("ngql", "text")]  # fmt: skip
    report(found)


def test_tables_list_what_there_is(golden_rewrite: bool) -> None:
    for name, (page, table) in _TABLES.items():
        path = _FOLDER / f"{page}.md"
        document = path.read_text(encoding="utf-8")
        begin, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
        before, rest = document.split(begin)
        wanted = f"{before}{begin}\n{table()}\n{end}{rest.split(end, 1)[1]}"
        if golden_rewrite:
            path.write_text(wanted, encoding="utf-8")
        elif wanted != document:
            pytest.fail(f"docs/ngql/{page}.md differs from the code: make golden-rewrite")


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _functions() -> str:
    kinds: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for function in FUNCTIONS.values():
        kinds[function.category].append((function.signature, function.description))
    for aggregate in AGGREGATES.values():
        kinds["Aggregating"].append((aggregate.signature, aggregate.description))
    lines: list[str] = []
    for kind in sorted(kinds):
        lines += [f"## {kind}", "", _row("function", "meaning"), _row("---", "---")]
        lines += [_row(f"`{signature}`", text) for signature, text in sorted(kinds[kind])]
        lines.append("")
    return "\n".join(lines)


def _procedures() -> str:
    lines = ["## Procedures", "", _row("procedure", "mode", "columns", "meaning")]
    lines.append(_row(*["---"] * 4))
    for _, each in sorted(PROCEDURES.items()):
        arguments = ", ".join(f"{field.name} :: {field.type}" for field in each.arguments)
        columns = ", ".join(f"`{field.name}`" for field in each.results)
        lines.append(_row(f"`{each.name}({arguments})`", each.mode, columns, each.description))
    lines += ["", "## SHOW", "", _row("statement", "columns", "more after `YIELD`")]
    lines.append(_row(*["---"] * 3))
    for name, table in sorted(SHOW_TABLES.items()):
        more = [column for column in table.columns if column not in table.brief]
        brief = ", ".join(f"`{column}`" for column in table.brief)
        lines.append(_row(f"`SHOW {name}`", brief, ", ".join(f"`{column}`" for column in more)))
    return "\n".join([*lines, ""])


#: limits that who writes statements meets: meaning
_LIMITS: Final = {
    "QUERY_TEXT_CHARS_MAX": "characters of a statement",
    "QUERY_DEPTH_MAX": "nesting of a statement",
    "PARAMETER_DEPTH_MAX": "nesting of parameters",
    "IDENTIFIER_CHARS_MAX": "characters of a name",
    "STRING_BYTES_MAX": "bytes of a string",
    "LIST_ELEMENTS_MAX": "elements of a list",
    "INDEXED_VALUE_BYTES_MAX": "bytes of an indexed value",
    "PROPERTIES_PER_ENTITY_MAX": "properties of a node or relationship",
    "LABELS_MAX": "labels of the database",
    "RELATIONSHIP_TYPES_MAX": "relationship types of the database",
    "PROPERTY_KEYS_MAX": "property keys of the database",
}


def _limits() -> str:
    lines = [_row("what", "at most"), _row("---", "---")]
    lines += [_row(text, f"{getattr(limits, name):,}") for name, text in _LIMITS.items()]
    return "\n".join([*lines, ""])


#: mark of a table: its page, what writes it
_TABLES: Final = {
    "functions": ("functions", _functions),
    "procedures": ("procedures", _procedures),
    "limits": ("errors", _limits),
}
