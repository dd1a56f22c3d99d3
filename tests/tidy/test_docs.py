"""Documents point at what exists and name what there is."""

from __future__ import annotations

import re
from typing import Final

import pytest

from everwhen import errors
from everwhen.server.bolt import failures
from everwhen.server.metrics import METRICS
from everwhen.settings import Settings
from tests.tidy.tree import NODE, OPERATOR, ROOT, files, report, text

_LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^#+\s+(.*)$", re.MULTILINE)


def _anchors(path: str) -> set[str]:
    headings = _HEADING.findall(_FENCE.sub("", text(path) or ""))
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def test_links_resolve():
    found = []
    for path in files():
        if not path.endswith(".md"):
            continue
        for target in _LINK.findall(_FENCE.sub("", text(path) or "")):
            if "://" in target or target.startswith("mailto:"):
                continue
            name, _, anchor = target.partition("#")
            other = (ROOT / path).parent / name if name else ROOT / path
            if not other.exists():
                found.append(f"{path}: {target}: no such file")
            elif anchor and anchor not in _anchors(str(other.resolve().relative_to(ROOT))):
                found.append(f"{path}: {target}: no such heading")
    report(found)


def test_the_source_map_names_every_package():
    """Packages to any depth, modules of the top, and folders of tests."""
    document = text("ARCHITECTURE.md") or ""
    inside = [path.removeprefix(f"{NODE}/") for path in files() if path.startswith(f"{NODE}/")]
    wanted = {f"{path.removesuffix('__init__.py')}" for path in inside if "/__init__.py" in path}
    wanted |= {path for path in inside if "/" not in path} - _PLAIN
    wanted |= {
        path.removesuffix("__init__.py")
        for path in files()
        if path.startswith("tests/") and path.endswith("__init__.py") and path.count("/") == 2
    }
    missing = sorted(name for name in wanted if f"`{name}`" not in document)
    report([f"ARCHITECTURE.md does not name `{name}`" for name in missing])


def test_the_source_map_names_nothing_else():
    """A path in backticks is a folder or file, below the root, the node's package or the operator's."""
    named = _PATH.findall(text("ARCHITECTURE.md") or "")
    here = (ROOT, ROOT / NODE, ROOT / OPERATOR)
    gone = sorted({name for name in named if not any((base / name).exists() for base in here)})
    report([f"ARCHITECTURE.md names `{name}`, which is not there" for name in gone])


#: a folder, or a module in one
_PATH: Final = re.compile(r"`([\w./-]+/(?:[\w-]+\.py)?)`")
#: files of the package folder that need no explanation
_PLAIN: Final = frozenset({"__init__.py", "__main__.py", "py.typed", "version.py"})


def test_tables_say_what_the_code_says(golden_rewrite):
    """Settings and metrics stand in ``docs/operations.md``, errors in ``docs/bolt.md``;
    ``make golden-rewrite`` writes them."""
    tables = {"docs/operations.md": [_settings(), _metrics()], "docs/bolt.md": [_errors()]}
    for name, each in tables.items():
        path = ROOT / name
        document = wanted = path.read_text(encoding="utf-8")
        for rows in each:
            wanted = _table(name, wanted, rows)
        if golden_rewrite:
            path.write_text(wanted, encoding="utf-8")
        elif wanted != document:
            pytest.fail(f"{name} differs from the code: make golden-rewrite, read the diff")


def _table(name: str, document: str, rows: list[tuple[str, ...]]) -> str:
    """The document with the table that has these columns replaced."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("---" for _ in rows[0]) + " |")
    table = re.compile(rf"^{re.escape(lines[0])}\n(?:\|.*\n)*", re.MULTILINE)
    found = table.findall(document)
    assert len(found) == 1, f"{name}: {len(found)} tables with the columns {rows[0]}"
    return table.sub(lambda _: "\n".join(lines) + "\n", document)


def _settings() -> list[tuple[str, ...]]:
    rows = [
        (f"`{name}`", f"`{value}`" if value else "none", "yes" if hot else "", text)
        for name, value, text, hot in Settings().listing()
    ]
    return [("setting", "default", "hot", "meaning"), *rows]


def _metrics() -> list[tuple[str, ...]]:
    rows = [(f"`{metric.name}`", metric.kind, metric.unit, metric.text) for metric in METRICS]
    return [("metric", "kind", "unit", "meaning"), *rows]


def _errors() -> list[tuple[str, ...]]:
    """Every class of ``errors.py`` in its order there, and how Bolt names it."""
    rows = []
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.EverwhenError):
            meaning = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
            retry = "yes" if kind.retryable else ""
            meaning = meaning.replace("``", "`")
            status = failures.status_of(kind.code)[0]
            rows.append((f"`{kind.code}`", status, str(kind.http_status), retry, meaning))
    return [("code", "GQL status", "HTTP", "retry", "meaning"), *rows[1:]]
