"""What survives a collection is not looked at again, and is freed all the same."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from everwhen.server import collector


class Thing:
    other: Thing | None = None


@pytest.fixture
def thawed() -> Iterator[None]:
    before = list(gc.callbacks)
    yield
    gc.callbacks[:] = before
    gc.unfreeze()


def test_survivors_are_set_aside_once_and_freed_by_their_last_reference(thawed: None) -> None:
    kept = [Thing() for _ in range(1_000)]
    collector.set_aside()
    collector.set_aside()
    assert gc.callbacks.count(collector._after) == 1
    assert gc.get_freeze_count() > 1_000
    alive = weakref.ref(kept[0])
    kept.clear()
    assert alive() is None
    later = [Thing() for _ in range(10)]
    gc.collect()
    assert not any(each in gc.get_objects() for each in later)


def test_cycles_that_broke_later_are_found_by_another_look(thawed: None) -> None:
    one, two = Thing(), Thing()
    one.other, two.other = two, one
    collector.set_aside()
    gone = weakref.ref(one)
    del one, two
    gc.collect()
    assert gone() is not None
    gc.unfreeze()
    gc.collect()
    assert gone() is None
