"""The mark that keeps a node out of service."""

from __future__ import annotations

from pathlib import Path

from everwhen.runtime.twins.disk import TwinDisk
from everwhen.runtime.twins.time_and_chance import SeededRandom
from everwhen.storage.fence_file import Fenced, read_fence, remove_fence, write_fence

ROOT = Path("/data")


def test_it_survives_a_power_cut_and_goes_for_good() -> None:
    disk = TwinDisk(SeededRandom(1))
    disk.make_directory(ROOT)
    disk.sync_directory(ROOT.parent)
    assert read_fence(disk, ROOT) is None
    remove_fence(disk, ROOT)
    fenced = Fenced("operator", "first line\nsecond line: ä")
    write_fence(disk, ROOT, fenced)
    disk = disk.crash()
    assert read_fence(disk, ROOT) == fenced
    write_fence(disk, ROOT, Fenced("divergence", "other"))
    assert read_fence(disk, ROOT) == Fenced("divergence", "other")
    remove_fence(disk, ROOT)
    disk = disk.crash()
    assert read_fence(disk, ROOT) is None
