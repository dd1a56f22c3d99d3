"""``python -m tests.drivers.run``: every stock driver there is a toolchain and a registry for, and
the tools that build on them (``tests/tools``).

Each driver is installed from its registry into ``build/drivers``. One line a case, one line a
suite that could not run with the reason, then the closing line.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.drivers.nodes import MEMBERS, nodes

HERE: Final = Path(__file__).resolve().parent
BUILD: Final = HERE.parents[1] / "build" / "drivers"
SECONDS: Final = 400


class Missing(Exception):
    """A suite cannot run here, and why."""


def call(*command: str | Path, where: Path | None = None) -> str:
    """Run a step of an installation.

    :raises Missing: it failed, which without a registry it does.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=where, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{words[0]}: {error}") from error
    if done.returncode:
        tail = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Missing(f"`{' '.join(words[:4])} …` failed: {' '.join(tail)[:300]}")
    return done.stdout


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Missing(f"there is no {name}")
    return found


def python(module: str, *packages: str) -> Callable[[], list[str]]:
    """A suite in Python, in an environment of its own with these packages."""

    def prepare() -> list[str]:
        home = BUILD / packages[0].partition(".*")[0]
        interpreter = home / "bin" / "python"
        if not interpreter.exists():
            call(sys.executable, "-m", "venv", home)
        call(interpreter, "-m", "pip", "install", "--quiet", *packages)
        return [str(interpreter), "-W", "ignore", "-m", module]

    return prepare


def javascript() -> list[str]:
    node, npm = program("node"), program("npm")
    home = BUILD / "javascript"
    home.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "suite.mjs"):
        shutil.copy(HERE / "js" / name, home / name)
    call(npm, "install", "--silent", "--no-audit", "--no-fund", where=home)
    return [node, str(home / "suite.mjs")]


def java() -> list[str]:
    runtime, maven = program("java"), program("mvn")
    BUILD.mkdir(parents=True, exist_ok=True)
    output = BUILD / "java.classpath"
    goal = "dependency:build-classpath"
    call(maven, "-q", "-f", HERE / "java" / "pom.xml", goal, f"-Dmdep.outputFile={output}")
    return [runtime, "-cp", output.read_text().strip(), str(HERE / "java" / "Suite.java")]


def go() -> list[str]:
    compiler = program("go")
    binary = BUILD / "go-suite"
    call(compiler, "build", "-o", binary, ".", where=HERE / "go")
    return [str(binary)]


SUITES: Final[dict[str, Callable[[], list[str]]]] = {
    "python-4.4": python("tests.drivers.python_suite", "neo4j==4.4.*", "pytz"),
    "python-5": python("tests.drivers.python_suite", "neo4j==5.*", "pytz"),
    "python-6": python("tests.drivers.python_suite", "neo4j==6.*", "pytz"),
    "python-6-http": python("tests.drivers.python_http_suite", "neo4j[http]==6.*", "pytz"),
    "javascript": javascript,
    "java": java,
    "go": go,
    "langchain": python(
        "tests.tools.langchain_suite",
        "langchain-neo4j==0.11.*",
        "neo4j-graphrag==1.21.*",
        "neo4j==6.*",
    ),
    "neomodel": python("tests.tools.neomodel_suite", "neomodel==7.*", "neo4j==6.*"),
}

#: suites of drivers that speak the Query API; the others speak Bolt
OVER_HTTP: Final = frozenset({"python-6-http"})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.drivers.run", description=__doc__)
    parser.add_argument("suites", nargs="*", help=f"of {', '.join(SUITES)}; all by default")
    parser.add_argument(
        "--cluster", action="store_true", help="three members, each connection to any of them"
    )
    options = parser.parse_args(arguments)
    os.environ["DRIVER_MEMBERS"] = str(MEMBERS if options.cluster else 1)
    passed = failed = skipped = 0
    with nodes(clustered=options.cluster) as (free, secured):
        for name in options.suites or SUITES:
            print(f"==== {name}", flush=True)
            try:
                command = SUITES[name]()
            except Missing as reason:
                print(f"skipped: {reason}", flush=True)
                skipped += 1
                continue
            chosen = [each.http if name in OVER_HTTP else each.bolt for each in (free, secured)]
            good, bad = run(command, *map(str, chosen))
            passed += good
            failed += bad
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def run(command: list[str], *ports: str) -> tuple[int, int]:
    """(passed, failed) cases of one suite; one that ends without a failed case has one."""
    try:
        done = subprocess.run(
            [*command, *ports],
            cwd=HERE.parents[1],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        print(f"FAILED: no end within {SECONDS} s\n{error.stdout!r}", flush=True)
        return 0, 1
    print(done.stdout, end="", flush=True)
    lines = done.stdout.splitlines()
    good = sum(line.startswith("ok ") for line in lines)
    bad = sum(line.startswith("FAILED") for line in lines)
    if done.returncode and not bad:
        print(f"FAILED: exit code {done.returncode}\n{done.stderr[-3000:]}", flush=True)
        bad = 1
    return good, bad


if __name__ == "__main__":
    sys.exit(main())
