"""Checkpoints of the image: what is taken up again is what was held, and only of this history."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from everwhen.columns.graph import saving as saving_module
from everwhen.columns.graph.content import Content
from everwhen.columns.graph.image import GraphImage
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.system import SystemDisk
from everwhen.storage.image_file import ImageFile
from tests.unit.columns.test_graph_image import STATEMENTS, agree


@pytest.fixture
def every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving_module, "IMAGE_SAVED_ELEMENTS", 0)


def _image(database: Embedded, folder: Path, *, reads: bool = False) -> GraphImage:
    class Image(GraphImage):
        def _read(self) -> Content:
            assert reads, "the record was read"
            return super()._read()

    image = Image(database.service.database.state)
    image.saving.shelf = ImageFile(SystemDisk(), folder)
    return image


def _tend(image: GraphImage) -> None:
    while image.tend():
        pass


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.usefixtures("every_size")
def test_taken_up_again(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    with Embedded() as database:
        for number in range(12):
            database.execute(chance.choice(STATEMENTS[:-1]))
            if number == 5:
                first = _image(database, tmp_path, reads=True)
                assert agree(database, first, database.version)
        assert agree(database, first, database.version)
        assert agree(database, first, database.version // 3)
        _tend(first)
        held = first.held
        for number in range(3):
            again = _image(database, tmp_path)
            _tend(again)
            assert again.held == held
            for version in chance.sample(range(database.version + 1), database.version + 1):
                assert agree(database, again, version)
            database.execute(chance.choice(STATEMENTS[:-1]))
            database.execute(STATEMENTS[1 + number])
            assert agree(database, again, database.version)
            again.saving.drop()
            _tend(again)
            held = again.held


@pytest.mark.usefixtures("every_size")
def test_what_is_written_meanwhile_is_left_out(tmp_path: Path) -> None:
    with Embedded() as database:
        database.execute(STATEMENTS[2])
        database.execute(STATEMENTS[3])
        image = _image(database, tmp_path, reads=True)
        assert agree(database, image, database.version)

        class Late(ImageFile):
            def write(self, *arguments, **more):
                database.execute("MATCH ()-[r]->() DELETE r")
                database.execute(STATEMENTS[3])
                assert agree(database, image, database.version)
                assert agree(database, image, 0)
                return super().write(*arguments, **more)

        image.saving.shelf = Late(SystemDisk(), tmp_path)
        assert image.tend()
        again = _image(database, tmp_path)
        _tend(again)
        assert again.held == (2, 2)
        for version in (2, 4, 3, 1, 0):
            assert agree(database, again, version)


@pytest.mark.usefixtures("every_size")
def test_another_history_and_damage(tmp_path: Path) -> None:
    with Embedded() as database:
        database.execute("CREATE (:A {s: 'text'})-[:T]->(:B)")
        image = _image(database, tmp_path, reads=True)
        assert agree(database, image, 1)
        _tend(image)
        again = _image(database, tmp_path)
        _tend(again)
        assert again.held == (1, 1)
        (path,) = tmp_path.iterdir()
        whole = path.read_bytes()
        chance = random.Random(1)
        for cut in [0, 10, len(whole) // 2, len(whole) - 1, *chance.sample(range(len(whole)), 40)]:
            damaged = bytearray(whole[:cut] if cut < len(whole) // 3 else whole)
            if len(damaged) > cut:
                damaged[cut] ^= 0xFF
            path.write_bytes(damaged)
            other = _image(database, tmp_path)
            _tend(other)  # padding between arrays may be damaged without harm
            assert other.held in {None, (1, 1)}
            assert other.held is None or agree(database, other, 1)
        path.write_bytes(whole)
    with Embedded() as database:
        database.execute("CREATE (:A {s: 'text'})-[:T]->(:B)")
        other = _image(database, tmp_path, reads=True)
        _tend(other)
        assert other.held is None
        assert agree(database, other, 1)


def test_small_graphs_are_not_saved(tmp_path: Path) -> None:
    with Embedded() as database:
        database.execute("CREATE (:A)")
        image = _image(database, tmp_path, reads=True)
        assert agree(database, image, 1)
        _tend(image)
        assert list(tmp_path.iterdir()) == []
