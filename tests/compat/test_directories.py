"""Data directories of earlier versions open, read as they did, take writes, and stay whole."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from everwhen.mvcc.report import Report
from everwhen.runtime.system import SystemDisk
from everwhen.storage.rocks import RocksStore
from everwhen.storage.verify import verify_directory
from tests.compat.history import opened, reading, write
from tests.compat.make import DIRECTORIES
from tests.support.archives import unpack

ARCHIVES = sorted(DIRECTORIES.glob("*.tar.xz"))


def verified(root: Path) -> Report:
    return verify_directory(
        SystemDisk(), root, lambda path: RocksStore(path, read_only=True), holder="tests/compat"
    )


def test_there_is_a_golden_directory() -> None:
    assert ARCHIVES


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def test_an_old_directory_opens(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        unpack(tar, tmp_path)
    root = tmp_path / "data"
    expected = json.loads((tmp_path / "expected.json").read_text())
    assert verified(root).problems == []
    with opened(root) as db:
        assert db.replayed > 0
        assert reading(db) == expected
        t = db.begin()
        node = t.create_node(["New"], {"name": "after the upgrade"})
        db.commit(t)
        db.fold()
        assert db.view().has_node(node.id)
        db.store.flush()
    assert verified(root).problems == []
    with opened(root) as db:
        again = reading(db)
        newest = str(len(expected["versions"]))
        assert {k: v for k, v in again["versions"].items() if k != newest} == expected["versions"]


def test_this_build_reads_what_it_writes(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as db:
        write(db)
        expected = reading(db)
    with opened(tmp_path / "data") as db:
        assert reading(db) == expected
        db.store.flush()
    report = verified(tmp_path / "data")
    assert report.problems == []
    assert report.checked["segments"] == 2
