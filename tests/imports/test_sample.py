"""The sample is loaded by its own command and answers as its page says."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Sequence
from typing import Any, Final

import pytest

from tests.imports.conftest import Run
from tests.support.query_api import QueryApi
from tests.tidy.tree import ROOT

PAGE: Final = ROOT / "samples" / "debian" / "README.md"
_EXAMPLE: Final = re.compile(r"```ngql\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


def shown(fields: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns side by side."""
    table = [list(fields), *(["" if v is None else str(v) for v in row] for row in rows)]
    widths = [max(len(row[at]) for row in table) for at in range(len(fields))]
    lines = (
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )
    return "".join(line + "\n" for line in lines)


def _packages(release: str) -> dict[str, tuple[str, ...]]:
    with gzip.open(PAGE.with_name(f"packages-{release}.csv.gz"), "rt", encoding="utf-8") as file:
        return {row[0]: tuple(row[1:]) for row in list(csv.reader(file))[1:]}


def _what_changed_is_what_the_files_say(api: QueryApi) -> None:
    """``diff`` between two releases against the files themselves."""
    old, new = _packages("bookworm"), _packages("trixie")
    wanted = {
        "added": len(new.keys() - old.keys()),
        "removed": len(old.keys() - new.keys()),
        "changed": sum(old[name] != new[name] for name in old.keys() & new.keys()),
    }
    rows = api.rows(
        "CALL diff('2023-07-01', '2025-09-01', 'Package') YIELD event RETURN event, count(*)"
    )
    assert dict(rows) == wanted


@pytest.mark.timeout(600)
def test_the_page_says_what_the_database_says(
    run: Run, api: QueryApi, golden_rewrite: bool
) -> None:
    said = run("sample", "debian")
    assert said["state"] == "sid"
    assert said["relationships_deleted"] > 0
    assert said["nodes_deleted"] > 0
    api.timeout = 300

    def answered(found: re.Match[str]) -> str:
        data = api.run(found[1])["data"]
        return f"```ngql\n{found[1]}```\n\n```text\n{shown(data['fields'], data['values'])}```"

    page = PAGE.read_text(encoding="utf-8")
    assert len(_EXAMPLE.findall(page)) == 8
    now = _EXAMPLE.sub(answered, page)
    if golden_rewrite:
        PAGE.write_text(now, encoding="utf-8")
    assert now == PAGE.read_text(encoding="utf-8")
    _what_changed_is_what_the_files_say(api)
    again = run("sample", "debian", code=1)["error"]
    assert "is loaded" in again
