"""Those who wait go on when their number is reached, and only then."""

from __future__ import annotations

import asyncio
import math

from everwhen.runtime.replica.reads import ReadRounds
from everwhen.runtime.replica.waiting import Signal, Watermark
from everwhen.runtime.twins.loop import run_virtual
from everwhen.runtime.twins.time_and_chance import VirtualClock


def test_a_watermark_wakes_in_order() -> None:
    async def main() -> None:
        mark = Watermark(3)
        woken: list[int] = []

        async def wait(value: int) -> None:
            assert await mark.reach(value, 10)
            woken.append(value)

        async with asyncio.TaskGroup() as group:
            for value in (9, 3, 5, 7):
                group.create_task(wait(value))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert woken == [3]
            mark.advance(7)
            await asyncio.sleep(1)
            assert woken == [3, 5, 7]
            mark.advance(2)
            mark.advance(9)
        assert woken == [3, 5, 7, 9]
        assert not await mark.reach(10, 2.0)

    run_virtual(main(), VirtualClock())


def test_a_signal_looks_again() -> None:
    async def main() -> None:
        signal, box = Signal(), [0]

        def change() -> None:
            box.append(1)
            signal.notify()

        asyncio.get_running_loop().call_later(1.0, change)
        assert await signal.until(lambda: len(box) > 1, 5.0)
        assert not await signal.until(lambda: len(box) > 2, 1.0)

    run_virtual(main(), VirtualClock())


def test_reads_share_a_round_but_never_one_that_began_before_them() -> None:
    async def main() -> None:
        asked: list[bytes] = []
        rounds = ReadRounds(1, asked.append)
        first = asyncio.ensure_future(rounds.index())
        await asyncio.sleep(0)
        later = [asyncio.ensure_future(rounds.index()) for _ in range(3)]
        await asyncio.sleep(0)
        assert len(asked) == 1
        rounds.confirmed(asked[0], 10)
        assert await first == 10
        assert not any(one.done() for one in later)
        assert len(asked) == 2
        rounds.confirmed(asked[0], 99)  # a late answer to the first round
        rounds.confirmed(asked[1], 20)
        assert [await one for one in later] == [20, 20, 20]

    run_virtual(main(), VirtualClock())


def test_a_lost_round_is_asked_again_under_another_number() -> None:
    async def main() -> None:
        asked: list[bytes] = []
        rounds = ReadRounds(1, asked.append)
        read = asyncio.ensure_future(rounds.index())
        await asyncio.sleep(1.0)
        assert len(asked) == len(set(asked)) > 2
        rounds.confirmed(asked[0], 5)
        assert await read == 5
        await asyncio.sleep(2.0)
        assert len(asked) < 6

    run_virtual(main(), VirtualClock())


def test_the_age_of_what_is_known_counts_from_the_beginning_of_the_round() -> None:
    async def main() -> None:
        asked: list[bytes] = []
        rounds = ReadRounds(1, asked.append)
        assert rounds.age() == math.inf
        async with asyncio.TaskGroup() as group:
            first = group.create_task(rounds.index())
            await asyncio.sleep(0.25)
            rounds.confirmed(asked[-1], 40)
        assert first.result() == 40
        assert (rounds.known_index, rounds.age()) == (40, 0.25)
        await asyncio.sleep(1)
        assert rounds.age() == 1.25
        # a late answer to an older question makes nothing younger
        rounds.confirmed(asked[-1], 90)
        assert (rounds.known_index, rounds.age()) == (40, 1.25)

    run_virtual(main(), VirtualClock())
