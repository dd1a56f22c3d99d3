"""Imports in batches: cut short anywhere, by either side, the same command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from everwhen.cli.main import main
from tests.imports.conftest import Run
from tests.imports.test_create import written
from tests.support.process import Server, program
from tests.support.query_api import QueryApi
from tests.support.waiting import until

NODES, EDGES = 1_000, 30_000
SECONDS = 60


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    nodes = "\n".join(["id:ID,n:int", *(f"k{at},{at}" for at in range(NODES))])
    rows = (f"k{at % NODES},k{at * 7 % NODES},{at}" for at in range(EDGES))
    edges = "\n".join([":START_ID,:END_ID,n:int", *rows])
    return written(tmp_path / "n.csv", nodes), written(tmp_path / "e.csv", edges)


def command(server: Server, files: tuple[Path, Path], state: Path) -> list[str]:
    return [
        "import", "--uri", f"http://127.0.0.1:{server.port}", "--json",
        "--nodes", f"{files[0]}:N", "--edges", f"{files[1]}:E",
        "--resume", str(state), "--batch-rows", "2000",
    ]  # fmt: skip


def until_batches(state: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until so many batches are noted."""

    def noted() -> bool:
        assert process.poll() is None, f"the import did not get to batch {count}"
        return len(json.loads(state.read_text(encoding="utf-8"))["batches"]) >= count

    until(noted, SECONDS, f"batch {count}", every=0.005, ignoring=(OSError, ValueError))


def whole(server: Server) -> None:
    """Everything once, each relationship between the right nodes."""
    with QueryApi(server.port) as api:
        assert api.rows("MATCH (n:N) RETURN count(n), count(DISTINCT n.n)") == [[NODES, NODES]]
        statement = (
            "MATCH (a)-[r:E]->(b) WHERE a.n = r.n % $n AND b.n = r.n * 7 % $n "
            "RETURN count(r), count(DISTINCT r.n)"
        )
        assert api.rows(statement, {"n": NODES}) == [[EDGES, EDGES]]


def test_a_killed_server(server: Server, files: tuple[Path, Path], tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    words = command(server, files, state)
    for batches in (1, 8):
        with subprocess.Popen([*program(), *words], stderr=subprocess.DEVNULL) as importer:
            until_batches(state, batches, importer)
            server.kill()
            assert importer.wait(SECONDS) == 1
        server.start()
    assert main(words) == 0
    whole(server)
    assert main(words) == 0  # nothing is left to do
    whole(server)


def test_a_killed_import(server: Server, files: tuple[Path, Path], tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    words = command(server, files, state)
    for batches in (2, 9):
        with subprocess.Popen([*program(), *words]) as importer:
            until_batches(state, batches, importer)
            os.kill(importer.pid, signal.SIGKILL)
    assert main(words) == 0
    whole(server)


def test_a_commit_whose_answer_was_lost(
    server: Server, files: tuple[Path, Path], tmp_path: Path, run: Run
) -> None:
    """The state file as it is between the commit and the note of it."""
    state = tmp_path / "state.json"
    words = command(server, files, state)
    assert main(words) == 0
    said = json.loads(state.read_text(encoding="utf-8"))
    said["pending"] = said["batches"].pop()
    state.write_text(json.dumps(said), encoding="utf-8")
    assert main(words) == 0
    whole(server)
    said["batches"].pop()
    said["pending"] = None
    state.write_text(json.dumps(said), encoding="utf-8")
    error = run(*words[:1], *words[4:], code=1)["error"]
    assert "older than what the server committed" in error


def test_all_or_nothing(run: Run, files: tuple[Path, Path], tmp_path: Path, api: QueryApi) -> None:
    """What the server was sent before the bad row is forgotten."""
    edges = ":START_ID,:END_ID\n" + "k1,k2\n" * 200_000 + "k1,nobody\n"
    bad = written(tmp_path / "bad.csv", edges)
    words = ("--nodes", f"{files[0]}:N", "--edges", f"{files[1]}:E", "--edges", f"{bad}:E")
    assert f"{bad}:200002" in run("import", *words, code=1)["error"]
    assert api.rows("MATCH (n) RETURN count(n)") == [[0]]


def test_another_import_cannot_take_the_state(
    run: Run, files: tuple[Path, Path], tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    run("import", "--nodes", f"{files[0]}:N", "--resume", state)
    written(tmp_path / "n.csv", "id:ID\nchanged\n")
    error = run("import", "--nodes", f"{files[0]}:N", "--resume", state, code=1)["error"]
    assert "have changed since" in error
    state.write_text("[]", encoding="utf-8")
    error = run("import", "--nodes", f"{files[0]}:N", "--resume", state, code=1)["error"]
    assert "no state of an import" in error
