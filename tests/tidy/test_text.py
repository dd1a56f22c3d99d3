"""What no committed text may contain."""

from __future__ import annotations

import re
from typing import Final

from tests.tidy.tree import CLIENT, NODE, OPERATOR, calls, files, modules, report, text

# The words below are put together here so that this file is not found by itself.
_REGISTRIES: Final = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "org"),
            ("crates", "io"),
            ("proxy", "golang", "org"),
            ("repo1", "maven", "org"),
            ("deb", "debian", "org"),
            ("docker", "io"),
            ("ghcr", "io"),
            ("quay", "io"),
        )
    )
)
_MACHINE: Final = re.compile(r"(?<![\w./])/(?:work|root|home)/\w")
_UNFINISHED: Final = re.compile(
    r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b"
)

#: judges that wait for another process have no other clock than the wall's
_MAY_SLEEP: Final = {
    "tests/crash/run.py": "kills a real process at a random moment",
    "tests/support/process.py": "waits for a real process to answer",
    "tests/support/waiting.py": "waits for real processes, between two looks",
}


def _found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {match[0]}"
        for path in files()
        for number, line in enumerate((text(path) or "").splitlines(), 1)
        if (match := pattern.search(line))
    ]


def test_no_registry_is_named():
    report(_found(_REGISTRIES))


def test_no_path_of_one_machine():
    report(_found(_MACHINE))


def test_nothing_is_left_unfinished():
    report(_found(_UNFINISHED))


def test_only_the_command_line_prints():
    report(
        [
            f"{path}:{line}: print"
            for path in modules(NODE, CLIENT, OPERATOR)
            if not path.startswith(f"{NODE}/cli/")
            for line, name in calls(path)
            if name == "print"
        ]
    )


def test_tests_do_not_sleep_by_the_wall_clock():
    report(
        [
            f"{path}:{line}: {name}"
            for path in modules("tests")
            if path not in _MAY_SLEEP
            for line, name in calls(path)
            if name == "time.sleep"
        ]
    )


def test_tasks_belong_to_a_group():
    """A task outside a group fails where nobody looks."""
    report(
        [
            f"{path}:{line}: {name}"
            for path in modules(NODE, CLIENT, OPERATOR)
            for line, name in calls(path)
            if name in {"asyncio.create_task", "loop.create_task", "asyncio.ensure_future"}
            and (path, name) not in _TASKS
        ]
    )


#: tasks outside a group, and who looks after them
_TASKS: Final[dict[tuple[str, str], str]] = {
    (f"{NODE}/runtime/backend.py", "asyncio.ensure_future"): "ended and awaited where it is made",
    (f"{NODE}/runtime/single.py", "asyncio.ensure_future"): "awaited by every read that shares it",
    (f"{NODE}/runtime/steps.py", "asyncio.ensure_future"): "awaited by whoever ended a transaction",
}
