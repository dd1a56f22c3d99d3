"""Rounds of reads: an answer confirms what was asked before it, and nothing later."""

from __future__ import annotations

import asyncio

from everwhen.runtime.replica.reads import ReadRounds


def test_who_comes_while_a_round_is_under_way_waits_for_the_next() -> None:
    async def main() -> None:
        asked: list[bytes] = []
        rounds = ReadRounds(1, asked.append)
        first = asyncio.ensure_future(rounds.index())
        await asyncio.sleep(0)
        second = asyncio.ensure_future(rounds.index())
        await asyncio.sleep(0)
        assert len(asked) == 1
        rounds.confirmed(asked[0], 5)
        assert await first == 5
        assert len(asked) == 2
        # the answer to the first question, once more
        rounds.confirmed(asked[0], 6)
        assert not (await asyncio.wait([second], timeout=0.01))[0]
        rounds.confirmed(asked[1], 7)
        assert await second == 7

    asyncio.run(main())


def test_a_round_of_another_node_confirms_nothing_here() -> None:
    async def main() -> None:
        mine: list[bytes] = []
        theirs: list[bytes] = []
        rounds, others = ReadRounds(1, mine.append), ReadRounds(2, theirs.append)
        waiting = [asyncio.ensure_future(each.index()) for each in (rounds, others)]
        await asyncio.sleep(0)
        rounds.confirmed(theirs[0], 9)
        assert not (await asyncio.wait(waiting, timeout=0.01))[0]
        rounds.confirmed(mine[0], 9)
        others.confirmed(theirs[0], 9)
        assert [await each for each in waiting] == [9, 9]

    asyncio.run(main())


def test_a_new_leader_is_asked_anew_and_late_answers_of_the_old_one_count_for_it() -> None:
    async def main() -> None:
        asked: list[bytes] = []
        rounds = ReadRounds(1, asked.append)
        waiting = asyncio.ensure_future(rounds.index())
        await asyncio.sleep(0)
        rounds.leader_changed()
        assert len(set(asked)) == 2
        # both were asked after the read began
        rounds.confirmed(asked[0], 3)
        assert await waiting == 3

    asyncio.run(main())
