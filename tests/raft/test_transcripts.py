"""Every transcript, file by file; skipped, saying so, where the folder is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.raft.run import differences, files, folder

FILES = files(folder())


@pytest.mark.skipif(not FILES, reason="no transcripts in $RAFT_TESTDATA or ../shared/raft-testdata")
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_transcript(path: Path) -> None:
    found = differences(path)
    assert not found, "\n".join(found)
