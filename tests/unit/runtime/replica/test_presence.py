"""Which members clients are sent to: connected ones that do not leave."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from everwhen.codec.cluster import Configuration
from everwhen.codec.peer_frames import Frame, Kind, Verb, decode_frames
from everwhen.runtime.replica.presence import Presence
from everwhen.runtime.replica.requests import Requests


class _Transport:
    """Carries frames to the other side at once, unless it is cut."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.others: dict[int, _Node] = {}

    def connected(self, peer: int) -> bool:
        return peer in self.others

    def send(self, to: int, frame: bytes, *, urgent: bool) -> bool:
        if to not in self.others:
            return False
        for each in decode_frames(frame):
            self.others[to].requests.on_frame(self.number, each)
        return True


class _Node:
    def __init__(self, number: int, tasks: asyncio.TaskGroup) -> None:
        self.transport = _Transport(number)
        self.requests = Requests(cast(Any, self.transport))
        self.requests.start(tasks)
        self.node_id = number
        self.configuration = Configuration(voters=[1, 2, 3])
        self.presence = Presence(self, cast(Any, self.transport))


def test_a_member_that_leaves_is_not_named() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            one, two = _Node(1, tasks), _Node(2, tasks)
            one.transport.others[2] = two
            two.transport.others[1] = one
            assert two.presence.stays(1)
            assert two.presence.stays(2)
            assert not two.presence.stays(3), "it is not connected"
            assert two.presence.others_stay
            two.presence.tables_last = lambda: 4.5
            await one.presence.leave()
            assert 4 < one.presence.named_for <= 4.5
            assert not one.presence.stays(1)
            assert not two.presence.stays(1)
            assert not two.presence.others_stay
            # its process ended, and the next one is there
            two.presence.lost(1)
            assert two.presence.stays(1)

    asyncio.run(main())


def test_a_member_of_a_version_before_refuses_and_nobody_minds() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            one, two = _Node(1, tasks), _Node(2, tasks)
            one.transport.others[2] = two
            two.transport.others[1] = one
            two.requests._handlers.clear()
            await one.presence.leave()
            assert two.presence.stays(1)

    asyncio.run(main())


def test_a_member_that_says_nothing_is_not_named() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            one, two, three = nodes = [_Node(number, tasks) for number in (1, 2, 3)]
            for node in nodes:
                node.transport.others = {n.node_id: n for n in nodes if n is not node}
            # what it is sent arrives, and nothing comes back: it stands still
            three.transport.others.clear()
            # a version before this does not know the question, and says so
            two.requests._handlers.clear()
            await one.presence.look()
            assert one.presence.stays(2)
            assert not one.presence.stays(3)
            one.presence.lost(3)
            assert one.presence.stays(3), "another process of which nothing is known"

    asyncio.run(main())


def test_a_member_sees_its_clients_off_before_it_is_removed() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            leads, goes, other = nodes = [_Node(number, tasks) for number in (1, 2, 3)]
            for node in nodes:
                node.transport.others = {n.node_id: n for n in nodes if n is not node}
            asked = asyncio.Event()

            async def until_gone() -> None:
                assert goes.presence.stops
                assert not leads.presence.stays(2)
                assert not other.presence.stays(2)
                asked.set()

            goes.presence.until_gone = until_gone
            await leads.presence.see_off(2)
            assert asked.is_set()
            # nobody waits for who is not there, or for itself
            await leads.presence.see_off(9)
            await leads.presence.see_off(1)
            assert not leads.presence.stops

    asyncio.run(main())


def test_verbs_keep_their_numbers() -> None:
    assert Frame(Kind.REQUEST, 1, Verb.LEAVING, b"").verb == 10
    assert Frame(Kind.REQUEST, 1, Verb.SEE_OFF, b"").verb == 12
    assert Frame(Kind.REQUEST, 1, Verb.HERE, b"").verb == 13
