"""``everwhen dump`` and ``everwhen verify`` over a real data directory."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from everwhen.cli import dump, verify
from everwhen.runtime.system import SystemDisk
from everwhen.storage import format as layout
from tests.compat.history import opened, write


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped data directory."""
    path = tmp_path_factory.mktemp("dump") / "data"
    with opened(path) as db:
        write(db)
        db.store.flush()
    return path


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    dump.add_parser(subparsers)
    verify.add_parser(subparsers)
    arguments = parser.parse_args([str(word) for word in words])
    status: int = arguments.run(arguments)
    return status


def test_a_whole_directory(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", root) == 0
    assert capsys.readouterr().out.startswith("whole; looked at")
    assert run("verify", root, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["checked"]["log entries"] > 0


def test_a_damaged_log_is_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (segment,) = (root / layout.LOG).iterdir()
    data = segment.read_bytes()
    at = data.index(b"Person")
    segment.write_bytes(data[:at] + b"person" + data[at + 6 :])
    try:
        assert run("verify", root) == 1
        assert segment.name in capsys.readouterr().out
    finally:
        segment.write_bytes(data)
    assert run("verify", root) == 0


def test_a_directory_in_use_or_none_at_all(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = layout.take_lock(SystemDisk(), root, "somebody else")
    try:
        assert run("verify", root) == 2
        assert "somebody else" in capsys.readouterr().out
        assert run("dump", root) == 2
    finally:
        lock.release()
    assert run("verify", tmp_path) == 2
    assert "not a finished data directory" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_every_entry_is_printed_in_words(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("dump", root) == 0
    everything = capsys.readouterr().out.splitlines()
    assert len(everything) > 100
    assert not [text for text in everything if "CORRUPT" in text or "unreadable" in text]
    assert run("dump", root, "--kind", "label", "--limit", "3") == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert run("dump", root, "--node", "2", "--raw") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("node 2 head @ 1 = (:Person")
    prefix = lines[0][:22]
    assert run("dump", root, "--prefix", prefix) == 0
    assert capsys.readouterr().out.splitlines() == lines[1::2]
    assert run("dump", root, "--relationship", "0", "--limit", "1") == 0
    assert "relationship 0 head @ 2 = deleted" not in capsys.readouterr().out
