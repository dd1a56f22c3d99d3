"""The core neither looks around nor leaves anything to chance."""

from __future__ import annotations

import ast
from typing import Final

from tests.tidy.tree import (
    NODE,
    calls,
    dotted,
    modules,
    pure_modules,
    replicated_modules,
    report,
    text,
    tree,
)

#: the machine, the moment, or the host's own time zones and languages
_IMPURE_IMPORTS: Final = frozenset({"getpass", "locale", "platform", "signal", "zoneinfo"})
_IMPURE_CALLS: Final = frozenset(
    {
        "breakpoint",
        "date.today",
        "datetime.date.today",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.now",
        "datetime.utcnow",
        "input",
        "open",
        "print",
        "uuid.uuid1",
        "uuid.uuid4",
        "uuid1",
        "uuid4",
    }
)
#: modules that may use what others may not, and why
_IMPURE_ALLOWED: Final[dict[tuple[str, str], str]] = {}

#: a lock guards what several readers share; it starts nothing and decides nothing
_LOCKS: Final = frozenset({"Lock", "RLock"})

#: lines that walk a set, and why the result is the same in any order
_ORDER_DOES_NOT_MATTER: Final[dict[tuple[str, str], str]] = {
    (f"{NODE}/mvcc/memory.py", "for key in added:"): "each goes to its place in a sorted list",
}

#: calls that take a set's elements in any order and give the same
_ORDERLESS: Final = frozenset(
    {"all", "any", "bool", "frozenset", "len", "max", "min", "set", "sorted", "sum"}
)


def _imports(path: str):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")[0], None
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.lineno, node.module.split(".")[0], alias.name


def test_the_core_does_not_look_at_the_machine():
    found = []
    for path in pure_modules():
        names = [(line, module) for line, module, _ in _imports(path) if module in _IMPURE_IMPORTS]
        names += [(line, call) for line, call in calls(path) if call in _IMPURE_CALLS]
        found += [
            f"{path}:{line}: {name}" for line, name in names if (path, name) not in _IMPURE_ALLOWED
        ]
    report(found)


def test_exceptions_are_still_needed():
    used = {(path, name) for path in pure_modules() for _, name in calls(path)}
    used |= {(path, module) for path in pure_modules() for _, module, _ in _imports(path)}
    report(
        [
            f"{path}: does not use {name}"
            for path, name in _IMPURE_ALLOWED
            if (path, name) not in used
        ]
    )


def test_threads_are_started_by_ports_only():
    """Below the server, ``threading`` is good for a lock and nothing else."""
    found = []
    for path in modules(NODE):
        if path.startswith((f"{NODE}/server/", f"{NODE}/cli/", f"{NODE}/runtime/twins/")):
            continue
        if path == f"{NODE}/runtime/system.py":
            continue
        found += [
            f"{path}:{line}: threading.{name or '*'}"
            for line, module, name in _imports(path)
            if module == "threading" and name not in _LOCKS
        ]
    report(found)


def test_replicated_code_does_not_hash():
    """``hash`` of a string differs from process to process; ``id`` from run to run."""
    found = []
    for path in replicated_modules():
        inside = {
            id(call)
            for node in ast.walk(tree(path))
            if isinstance(node, ast.FunctionDef) and node.name == "__hash__"
            for call in ast.walk(node)
        }
        found += [
            f"{path}:{node.lineno}: {dotted(node.func)}()"
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Call)
            and dotted(node.func) in {"hash", "id"}
            and id(node) not in inside
        ]
    report(found)


def test_replicated_code_does_not_walk_sets():
    """The order of a set of strings differs from process to process: sort first."""
    report(
        [
            f"{path}:{line}: order of a set: {source}"
            for path in replicated_modules()
            for line in _walks(path)
            if (path, source := (text(path) or "").splitlines()[line - 1].strip())
            not in _ORDER_DOES_NOT_MATTER
        ]
    )


def _walks(path: str) -> list[int]:
    """Lines that take the elements of a set in their order, as far as the text shows it."""
    sets = _set_names(tree(path))
    orderless = {
        id(argument)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and dotted(node.func) in _ORDERLESS
        for argument in node.args
    }
    lines = []
    for node in ast.walk(tree(path)):
        walked: list[ast.expr] = []
        if isinstance(node, ast.For):
            walked = [node.iter]
        elif isinstance(node, ast.ListComp | ast.DictComp | ast.GeneratorExp):
            walked = [] if id(node) in orderless else [g.iter for g in node.generators]
        elif isinstance(node, ast.Call) and dotted(node.func) in {"list", "tuple", "iter"}:
            walked = node.args
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            walked = node.args if node.func.attr in {"join", "extend"} else []
        elif isinstance(node, ast.Starred):
            walked = [node.value]
        lines += [each.lineno for each in walked if _is_set(each, sets)]
    return lines


def _is_set(node: ast.expr, sets: set[str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        return dotted(node.func) in {"set", "frozenset"}
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub):
        return _is_set(node.left, sets) or _is_set(node.right, sets)
    return dotted(node) in sets


def _set_names(module: ast.Module) -> set[str]:
    """Names that the module declares as sets, or assigns one to, and never anything else."""
    names: set[str] = set()
    others: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.AnnAssign):
            annotation = ast.unparse(node.annotation).strip("\"'")
            kind = names if annotation.startswith(("set[", "frozenset[", "Set[")) else others
            kind.add(dotted(node.target))
        elif isinstance(node, ast.arg) and node.annotation is not None:
            annotation = ast.unparse(node.annotation).strip("\"'")
            kind = names if annotation.startswith(("set[", "frozenset[", "Set[")) else others
            kind.add(node.arg)
        elif isinstance(node, ast.Assign):
            kind = names if _is_set(node.value, set()) else others
            kind.update(dotted(target) for target in node.targets)
    return names - others - {""}
