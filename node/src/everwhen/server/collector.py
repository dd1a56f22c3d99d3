"""Python's cyclic garbage collector, kept from holding up everybody.

A full collection looks at every container object there is, with the interpreter lock held: with a
million of them it stops heartbeats and queries alike for 100 ms and more. Nearly all garbage here
is freed by reference counts alone. So whatever survives a full collection is set aside
(``gc.freeze``) and not looked at again; it is still freed when its last reference goes. Only cycles
that were alive at that moment and broke later need another look: when the number of objects set
aside has doubled, all of them get one.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Final

from everwhen.limits import COLLECTOR_LOOK_SECONDS, COLLECTOR_OBJECTS_MIN

_OLDEST: Final = 2


def set_aside() -> None:
    """Collect once, and set what is here aside; from now on after every full collection."""
    if _after not in gc.callbacks:
        gc.callbacks.append(_after)
    gc.collect()


def _after(phase: str, info: dict[str, int]) -> None:
    if phase == "stop" and info["generation"] == _OLDEST:
        gc.freeze()


async def look_again() -> None:
    """Until cancelled: look at everything anew whenever it has doubled since the last time."""
    known = gc.get_freeze_count()
    while True:
        await asyncio.sleep(COLLECTOR_LOOK_SECONDS)
        if gc.get_freeze_count() > 2 * known + COLLECTOR_OBJECTS_MIN:
            gc.unfreeze()
            gc.collect()
            known = gc.get_freeze_count()
