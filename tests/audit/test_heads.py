"""Exported heads: signed, checked, and what they prove on the command line."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from everwhen.cli import verify
from everwhen.codec import audit_head
from everwhen.codec.audit_head import AuditHead, document, parse
from everwhen.codec.keys import journal_key
from everwhen.errors import AuditHeadInvalid
from everwhen.mvcc.audit import head_of
from everwhen.mvcc.store import Batch
from tests.compat.history import opened, write

KEY = b"0123456789abcdef"
HEAD = AuditHead("00ff", "h1", 7, 1_000_000, b"\x01" * 32, (3, 1, 4), b"\x02" * 32)


def as_bytes(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()


def test_what_is_exported_is_read_again() -> None:
    assert parse(as_bytes(document(HEAD, None)), None) == HEAD
    assert parse(as_bytes(document(HEAD, KEY)), KEY) == HEAD
    assert parse(as_bytes(document(HEAD, KEY)), None) == HEAD
    assert document(HEAD, None)["time"] == "1970-01-01T00:00:01.000000Z"


def test_a_head_that_was_made_up_is_refused() -> None:
    signed = document(HEAD, KEY)
    for name, value in (("version", 8), ("chain", "ff" * 32), ("names", [3, 1, 5])):
        with pytest.raises(AuditHeadInvalid, match="not signed with this key"):
            parse(as_bytes({**signed, name: value}), KEY)
    with pytest.raises(AuditHeadInvalid, match="not signed with this key"):
        parse(as_bytes(document(HEAD, b"another key of 16")), KEY)
    with pytest.raises(AuditHeadInvalid, match="not signed with HMAC-SHA256"):
        parse(as_bytes(document(HEAD, None)), KEY)


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"x" * (65 << 10), b'{"format": 9}'])
def test_what_is_no_head_is_refused(data: bytes) -> None:
    with pytest.raises(AuditHeadInvalid):
        parse(data, None)


def test_a_head_of_a_later_format_is_refused() -> None:
    with pytest.raises(AuditHeadInvalid, match="format 2"):
        parse(as_bytes({**document(HEAD, None), "format": 2}), None)


def test_a_key_must_be_one() -> None:
    assert audit_head.check_key(b" 0123456789abcdef\n") == KEY
    with pytest.raises(AuditHeadInvalid, match="needs 16"):
        audit_head.check_key(b"short\n")


# --- everwhen verify --audit -----------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A stopped data directory; beside it a head of it, signed."""
    path = tmp_path / "data"
    with opened(path) as db:
        write(db)
        db.store.flush()
        signed = document(head_of(db.state), KEY)
    (tmp_path / "head.json").write_bytes(as_bytes(signed))
    (tmp_path / "key").write_bytes(KEY)
    return path


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    verify.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["verify", *map(str, words)])
    status: int = arguments.run(arguments)
    return status


def test_history_that_is_whole(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, key = root.parent / "head.json", root.parent / "key"
    assert run(root, "--audit", "--head", head, "--key-file", key) == 0
    assert capsys.readouterr().out.startswith("whole; looked at")
    assert run(root, "--audit", "--json") == 0
    assert json.loads(capsys.readouterr().out)["checked"]["commits"] > 5


def test_history_that_was_altered(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(root) as db:
        batch = Batch()
        batch.delete(journal_key(2))
        db.store.write(batch)
        db.store.flush()
    assert run(root, "--audit") == 1
    assert "commit 2: missing in the journal" in capsys.readouterr().out


def test_history_that_ends_too_early(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same kind of database, with everything in it, but not what the head knows of."""
    head = root.parent / "head.json"
    kept = parse(head.read_bytes(), KEY)
    head.write_bytes(as_bytes(document(kept._replace(version=kept.version + 3), KEY)))
    assert run(root, "--audit", "--head", head) == 1
    assert "were there, and are gone" in capsys.readouterr().out


def test_a_wrong_key_or_another_cluster(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, key = root.parent / "head.json", root.parent / "key"
    key.write_bytes(b"another key of 16 bytes")
    assert run(root, "--audit", "--head", head, "--key-file", key) == 2
    assert "not signed with this key" in capsys.readouterr().out
    kept = parse(head.read_bytes(), None)
    head.write_bytes(as_bytes(document(kept._replace(cluster="ab"), None)))
    assert run(root, "--audit", "--head", head) == 2
    assert "of cluster ab" in capsys.readouterr().out
    assert run(root, "--head", head) == 2
    assert "belong to --audit" in capsys.readouterr().out
