"""Questions between nodes, at the end of one of them."""

from __future__ import annotations

import asyncio

from everwhen.codec.peer_frames import Frame, Kind, Verb, decode_frames
from everwhen.runtime.replica.requests import Requests
from everwhen.runtime.replica.transport import Alone


class Sent(Alone):
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def send(self, to: int, frame: bytes, *, urgent: bool) -> bool:
        self.frames += decode_frames(frame)
        return True


def test_a_question_that_comes_while_the_node_stops_is_refused():
    async def body() -> None:
        sent = Sent()
        requests = Requests(sent)

        async def answer(sender: int, body: bytes) -> bytes:
            return body

        requests.handle(Verb.STATE, answer)

        async def asked_at_the_end() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                requests.on_frame(2, Frame(Kind.REQUEST, 7, Verb.STATE, b""))

        async def run() -> None:
            async with asyncio.TaskGroup() as group:
                requests.start(group)
                group.create_task(asked_at_the_end())

        node = asyncio.create_task(run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        node.cancel()
        await asyncio.wait([node])
        assert [(frame.kind, frame.number) for frame in sent.frames] == [(Kind.REFUSAL, 7)]

    asyncio.run(body())
