"""The files of the project and their syntax trees, read once."""

from __future__ import annotations

import ast
import gc
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
NODE: Final = "node/src/everwhen"
CLIENT: Final = "node/client/src/everwhen_client"
OPERATOR: Final = "operator/src/everwhen_operator"

#: packages without clock, chance, network, disk, loop or thread
PURE: Final = (
    "model",
    "codec",
    "mvcc",
    "columns",
    "kernels",
    "raft",
    "index",
    "txn",
    "query",
    "exec",
    "apply",
)
#: what every replica must compute alike
REPLICATED: Final = ("codec", "mvcc", "apply", "raft", "txn/commands.py")


@cache
def files() -> tuple[str, ...]:
    """Paths below the root of all files that are or would be committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    paths = {path for path in listed.stdout.split("\0") if path}
    return tuple(sorted(path for path in paths if (ROOT / path).is_file()))


@cache
def text(path: str) -> str | None:
    """The file's text; None if it is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def modules(*folders: str) -> Iterator[str]:
    """Python files in any of the folders (or these very files)."""
    for path in files():
        if path.endswith(".py") and any(path == f or path.startswith(f"{f}/") for f in folders):
            yield path


@cache
def tree(path: str) -> ast.Module:
    """The syntax tree of a Python file.

    Without the collector: a finalizer that parses, in the middle of this, ends in "AST constructor
    recursion depth mismatch" (CPython issue 106905).
    """
    text = (ROOT / path).read_text(encoding="utf-8")
    gc.disable()
    try:
        return ast.parse(text, path)
    finally:
        gc.enable()


def pure_modules() -> Iterator[str]:
    """Modules of the pure packages."""
    return modules(*(f"{NODE}/{package}" for package in PURE))


def replicated_modules() -> Iterator[str]:
    """Modules whose results every replica must agree on."""
    return modules(*(f"{NODE}/{name}" for name in REPLICATED))


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of a name or attribute; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr}" if left else ""
    return ""


def calls(path: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and (name := dotted(node.func)):
            yield node.lineno, name


def report(found: list[str]) -> None:
    """Fail with one line per finding."""
    assert not found, "\n" + "\n".join(found)
