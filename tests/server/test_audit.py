"""A served node that keeps statement texts, audits reads and signs its heads."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from everwhen.cli.main import main
from everwhen.codec.audit_head import parse
from everwhen.codec.journal import statement_hash
from everwhen.exec.context import Counters
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.server.read_audit import ReadAudit
from tests.support.process import Server
from tests.support.query_api import QueryApi

KEY = b"a key for this test"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def audited(folder: Path) -> Iterator[Server]:
    (folder / "key").write_bytes(KEY)
    node = Server(
        folder / "data",
        *("--set", "audit.statement_text=on"),
        *("--set", "audit.reads=all"),
        *("--set", f"audit.reads_file={folder / 'reads.jsonl'}"),
        *("--set", f"audit.key_file={folder / 'key'}"),
    )
    node.start()
    yield node
    assert node.stop() == 0


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "reads.jsonl").read_text().splitlines()]


def test_commits_keep_their_statements_as_set(audited: Server) -> None:
    text = "CREATE (:Kept {word: 'grün'})"
    with QueryApi(audited.port) as api:
        api.rows(text)
        rows = api.rows(
            "CALL audit.log() YIELD version, statements, statementHash "
            "RETURN statements, statementHash ORDER BY version DESC LIMIT 1"
        )
        assert rows == [[[text], statement_hash([text]).hex()]]
        # one that is longer than the limit leaves its hash only
        api.rows("CREATE (:Kept {word: '" + "x" * 17_000 + "'})")
        rows = api.rows(
            "CALL audit.log() YIELD version, statements RETURN statements "
            "ORDER BY version DESC LIMIT 1"
        )
        assert rows == [[None]]
        (last,) = api.rows("CALL audit.verify() YIELD event, detail RETURN event, detail")
        assert last[0] == "verified", last


def test_reads_are_written_down(audited: Server, folder: Path) -> None:
    text = "UNWIND range(1, 3) AS n RETURN n"
    with QueryApi(audited.port) as api:
        assert len(api.rows(text)) == 3
        # its line stands once a later one does, and lines stand in order
        api.rows("RETURN 'a later one'")
        for _ in range(200):
            found = [line for line in lines(folder) if line["statement"] == text]
            if found:
                break
            threading.Event().wait(0.05)
        (line,) = found
        assert line["rows"] == 3
        assert line["statementHash"] == statement_hash([text]).hex()
        metrics = api.request("GET", "/metrics")[2].decode()
    assert "everwhen_audit_reads_lost_total 0.0" in metrics
    assert not [line for line in lines(folder) if line["statement"].startswith("CREATE")]


def test_a_head_is_signed(audited: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with QueryApi(audited.port) as api:
        api.rows("CREATE (:Kept)")
        newest = api.rows("CALL audit.log() YIELD version RETURN max(version) AS v")[0][0]
        data = api.request("GET", "/v1/audit/head")[2]
    assert parse(data, KEY).version == newest
    assert main(["admin", "--uri", f"http://127.0.0.1:{audited.port}", "audit-head"]) == 0
    assert parse(capsys.readouterr().out.encode(), KEY).version == newest


def test_lost_lines_are_counted_and_told(tmp_path: Path) -> None:
    """A writer that stands still: the queue fills, what does not fit is counted."""
    written: list[int] = []
    lost: list[int] = []
    path = tmp_path / "reads.jsonl"
    audit = ReadAudit(
        path,
        bytes_max=1 << 20,
        files=2,
        with_text=False,
        written=written.append,
        lost=lost.append,
        waiting_max=5,
    )
    transaction, ctx = _statement()
    audit._file.acquire()
    for _ in range(20):
        audit.note(transaction, ctx, 0, None)
    audit._file.release()
    audit.note(transaction, ctx, 0, None)
    audit.close()
    assert sum(written) + sum(lost) == 21
    assert sum(lost) >= 14
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(found) == sum(written)
    assert sum(line.get("lostBefore", 0) for line in found) == sum(lost)


def test_files_of_reads_are_rotated(tmp_path: Path) -> None:
    path = tmp_path / "reads.jsonl"
    audit = ReadAudit(
        path,
        bytes_max=4_096,
        files=3,
        with_text=False,
        written=lambda _: None,
        lost=lambda _: None,
    )
    transaction, ctx = _statement()
    for _ in range(200):
        audit.note(transaction, ctx, 0, None)
    audit.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "reads.jsonl",
        "reads.jsonl.1",
        "reads.jsonl.2",
    ]
    assert all(each.stat().st_size <= 4_096 for each in tmp_path.iterdir())


def _statement() -> tuple[Any, Any]:
    """What the observer is told of a statement."""

    transaction = SimpleNamespace(
        caller=Caller("neo4j", "127.0.0.1:1"), options=TransactionOptions(), version=1
    )
    ctx = SimpleNamespace(counters=Counters(), now_statement=0, text="RETURN 1")
    return transaction, ctx
