"""Bad files and bad Arrow streams: a message that says where, never a crash, never a wrong line."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pyarrow as pa
import pytest

from everwhen.cli.loading import sources
from everwhen.cli.loading.keys import Keys
from everwhen.cli.loading.problems import BadRows, ImportFailed
from everwhen.cli.loading.progress import Meter
from everwhen.cli.loading.rows import File, FileSpec, Format
from everwhen.errors import EverwhenError
from everwhen.runtime.bulk_parts import node_segments, read_part
from tests.support.effort import rounds

ROUNDS = rounds("FUZZ_ROUNDS", 300, 10_000)
HEADER = "id:ID,a:int,b:float,c:boolean,d:date,e:string[],f:datetime,g:int[]"
ROW = 'x{},{},1.5,true,2020-01-01,"a;b",2020-01-01T00:00Z,1;2'


def test_any_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(5)
    path = tmp_path / "n.csv"
    for _ in range(ROUNDS):
        lines = [HEADER, *(ROW.format(at, at) for at in range(chance.randint(0, 6)))]
        raw = bytearray("\n".join(lines).encode())
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(raw) + 1)
            piece = chance.choice(
                [
                    b'"',
                    b"\n",
                    b"\r",
                    b",",
                    b"\x00",
                    b"\xff",
                    b"''",
                    b"9" * 30,
                    b":",
                    b"\xef\xbb\xbf",
                ]
            )
            raw[at : at + chance.randint(0, 2)] = piece * chance.randint(1, 3)
        path.write_bytes(bytes(raw))
        bad = BadRows(-1, None)
        try:
            file = File(FileSpec(path, ("N",)), Format(), nodes=True)
            for checked in file.read(bad, Meter(None), [Keys()]):
                assert all(len(one) == checked.rows.count for one in checked.rows.arrays)
        except ImportFailed as error:
            if str(path) not in str(error) and "column" not in str(error):
                raise
        capsys.readouterr()


@pytest.mark.parametrize("block", [16 << 20, 256])
def test_lines_are_those_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Against a reader of its own: Python's csv module counts lines too."""
    monkeypatch.setattr(sources, "BLOCK_BYTES", block)
    chance = random.Random(6)
    path, report = tmp_path / "n.csv", tmp_path / "bad.txt"
    for _ in range(ROUNDS // 4):
        lines, wanted, line = ["id:ID,n:int,t"], [], 2
        for at in range(chance.randint(1, 30)):
            kind = chance.choice(["good", "good", "many", "type", "narrow", "blank"])
            text = chance.choice(["", "t", '"a, b"', '"two\nlines"', '"\n\n"', '"say ""x"""'])
            row = {
                "good": f"{at},{at},{text}",
                "many": f"{at},1,{text},4",
                "type": f"{at},one,{text}",
                "narrow": f"{at}",
                "blank": "",
            }[kind]
            lines.append(row)
            if kind in ("many", "type", "narrow"):
                wanted.append(line)
            line += 1 + row.count("\n")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        with path.open(encoding="utf-8", newline="") as source:
            reader = csv.reader(source)
            assert sum(1 for _ in reader) == len(lines)
            assert reader.line_num == line - 1
        bad = BadRows(-1, report)
        file = File(FileSpec(path, ("N",)), Format(), nodes=True)
        for _checked in file.read(bad, Meter(None), [Keys()]):
            pass
        told = report.read_text(encoding="utf-8").splitlines()
        assert sorted(int(one.split(":")[1]) for one in told) == wanted, lines
        capsys.readouterr()


def test_any_arrow_stream() -> None:
    chance = random.Random(7)
    sink = pa.BufferOutputStream()
    table = pa.table(
        {
            "i": [1, None, 3],
            "s": ["a", "bb", None],
            "l": [[1], [], None],
            "t": pa.array(["x", "y", "x"]).dictionary_encode(),
            "b": [True, None, False],
        }
    )
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    good = sink.getvalue().to_pybytes()
    assert len(list(node_segments(read_part(good), ["N"], 1, 100))) == 1
    for _ in range(ROUNDS):
        raw = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(raw))
            if chance.random() < 0.3:
                del raw[at : at + chance.randint(1, 64)]
            else:
                raw[at] = chance.randrange(256)
            if not raw:
                break
        try:
            list(node_segments(read_part(bytes(raw)), ["N"], 1, 100))
        except EverwhenError:
            pass  # what it must be


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize("coded", [True, False])
def test_compressed_streams_are_refused(codec: str, coded: bool) -> None:
    values = pa.array(["a" * 1_000] * 1_000)
    sink = pa.BufferOutputStream()
    table = pa.table({"s": values.dictionary_encode() if coded else values})
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    with pytest.raises(EverwhenError, match="compressed"):
        read_part(sink.getvalue().to_pybytes())
