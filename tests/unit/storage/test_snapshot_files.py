"""A snapshot arrives piece by piece and takes the record's place in one step, or not at all."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import CorruptData, FormatUnsupported
from everwhen.ports import Disk
from everwhen.runtime.twins.disk import PowerCut, TwinDisk
from everwhen.runtime.twins.time_and_chance import SeededRandom
from everwhen.storage import snapshot_files as s
from everwhen.storage.files import create_durable, write_all
from tests.unit.storage.log_world import batch
from tests.unit.storage.test_directory import ROOT, open_twin, twin

SOURCE = Path("/srv/source")
BIG = bytes(range(256)) * 8_200  # three pieces


def source() -> tuple[Disk, s.Manifest]:
    disk = TwinDisk(SeededRandom(8))
    for folder in (SOURCE.parent, SOURCE):
        disk.make_directory(folder)
    for name, data in (("big", BIG), ("empty", b""), ("small", b"small")):
        create_durable(disk, SOURCE / name, lambda f, d=data: write_all(f, d, 0)).close()  # type: ignore[misc]
    return disk, s.describe(disk, SOURCE, 40, 3)


def pull(disk: TwinDisk, there: Disk, manifest: s.Manifest) -> int:
    """Receive it to the end; the number of pieces."""
    pieces = 0
    s.begin_incoming(disk, ROOT, manifest)
    while (wanted := s.next_piece(disk, ROOT, manifest)) is not None:
        file, offset = wanted
        data = s.read_piece(there, SOURCE, file.name, offset)
        s.write_piece(disk, ROOT, manifest, file, offset, data)
        pieces += 1
    s.finish_incoming(disk, ROOT, manifest)
    return pieces


def test_a_manifest_survives_its_bytes() -> None:
    _, manifest = source()
    assert s.decode_manifest(s.encode_manifest(manifest)) == manifest
    assert [file.name for file in manifest.files] == ["big", "empty", "small"]


def test_a_format_that_is_not_known_is_refused_whatever_follows_it() -> None:
    _, manifest = source()
    later = msgspec.structs.replace(manifest, format=99)
    for data in (s.encode_manifest(later), msgspec.msgpack.encode([99, {"files": {}}])):
        with pytest.raises(FormatUnsupported, match="snapshot of format 99; this build takes"):
            s.decode_manifest(data)
    for data in (b"", b"\xc1", msgspec.msgpack.encode([]), msgspec.msgpack.encode([1, 2])):
        with pytest.raises(CorruptData, match="no snapshot manifest"):
            s.decode_manifest(data)


def test_what_another_build_began_to_receive_is_thrown_away_at_the_start() -> None:
    disk = twin()
    open_twin(disk).close()
    _, manifest = source()
    s.begin_incoming(disk, ROOT, msgspec.structs.replace(manifest, format=99))
    opened = open_twin(disk)
    assert s.current(disk, ROOT).folder == "record"
    assert "INCOMING" not in disk.names(ROOT)
    assert [name for name in disk.names(ROOT) if name.startswith("record")] == ["record"]
    opened.close()


@given(st.sampled_from(["../meta", "a/b", "", ".", ".."]))
def test_a_file_name_cannot_lead_elsewhere(name: str) -> None:
    manifest = s.Manifest(s.FORMAT, 1, 1, [s.SnapshotFile(name, 1, b"")])
    with pytest.raises(CorruptData):
        s.decode_manifest(s.encode_manifest(manifest))


def test_the_record_and_the_log_follow() -> None:
    disk = twin()
    opened = open_twin(disk)
    opened.log.append(batch(1, 2, [1, 2, 3]))
    opened.close()
    there, manifest = source()
    assert pull(disk, there, manifest) == 4
    again = open_twin(disk)
    assert (again.log.first_index, again.log.last_index, again.log.term(40)) == (41, 40, 3)
    assert s.current(disk, ROOT) == s.Current("record-40-3", 40, 3)
    assert "record" not in disk.names(ROOT)
    assert "INCOMING" not in disk.names(ROOT)
    again.log.append(batch(41, 3, [5]))
    again.close()
    third = open_twin(disk)
    assert third.log.last_index == 41
    third.close()


def test_a_damaged_file_is_asked_for_again() -> None:
    disk = twin()
    open_twin(disk).close()
    there, manifest = source()
    s.begin_incoming(disk, ROOT, manifest)
    while (wanted := s.next_piece(disk, ROOT, manifest)) is not None:
        file, offset = wanted
        data = bytearray(s.read_piece(there, SOURCE, file.name, offset))
        data[0] ^= file.name == "small"
        s.write_piece(disk, ROOT, manifest, file, offset, bytes(data))
    with pytest.raises(CorruptData, match="small"):
        s.finish_incoming(disk, ROOT, manifest)
    assert s.current(disk, ROOT).folder == "record"
    assert pull(disk, there, manifest) == 1
    assert s.current(disk, ROOT).index == 40


def test_the_power_may_go_at_any_moment() -> None:
    there, manifest = source()
    cut, step = True, 0
    seen: set[str] = set()
    while cut:
        step += 1
        disk = twin(step)
        opened = open_twin(disk)
        opened.log.append(batch(1, 2, [1, 2, 3]))
        opened.close()
        disk.power_cut_after(step)
        try:
            pull(disk, there, manifest)
            open_twin(disk).close()
            cut = False
        except PowerCut:
            pass
        disk = disk.crash()
        here = s.current(disk, ROOT).folder
        seen.add(here)
        if here != "record":
            # what is switched to is there to the last byte
            assert s.describe(disk, ROOT / here, 40, 3).files == manifest.files
        opened = open_twin(disk)
        expected = (41, 40) if here != "record" else (1, 3)
        assert (opened.log.first_index, opened.log.last_index) == expected
        opened.close()
        # what came before the cut may be damaged now: that much comes again
        for _ in manifest.files:
            try:
                pull(disk, there, manifest)
                break
            except CorruptData:
                continue
        opened = open_twin(disk)
        assert opened.log.first_index == 41
        opened.close()
    assert seen == {"record", "record-40-3"}
