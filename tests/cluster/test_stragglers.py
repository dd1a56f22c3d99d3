"""Who was away for longer than the log reaches back, and who lost its disk, is a full member again
without work by hand; the leader's memory does not pay for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.chaos.group import Group
from tests.cluster.stragglers import come_back, found, same_everywhere

_MISSED = 1_500
_STEP_SECONDS = 120.0


@pytest.mark.timeout(600)
def test_away_past_the_log_and_back_then_without_a_disk_and_back(tmp_path: Path) -> None:
    group = Group(tmp_path, None)
    try:
        found(
            group,
            "storage.log_trailing_entries=200",
            "storage.log_segment_bytes=65536",
            "storage.flush_s=0.5",
        )
        figures = come_back(group, _MISSED, rows=20, seconds=_STEP_SECONDS)
        counts = same_everywhere(group)
    finally:
        for server in group.members.values():
            server.kill()
    assert figures.missed >= _MISSED
    assert figures.snapshots >= 1
    assert figures.new_node > figures.old_node
    assert sum(n for _, n in counts) >= figures.missed
    # the log kept in memory, lanes, a copy's pieces; not what was missed
    assert figures.grown_megabytes < 160, figures.megabytes
