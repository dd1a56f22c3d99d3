"""Questions to other nodes and their answers, over the frames of a transport.

A question has one answer, one refusal, or none in time. None means unknown: the other node may have
done what was asked, so whoever asks for more than a read names the request (tickets) or can live
with a repetition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from everwhen.codec.peer_frames import Frame, Kind, Verb, encode_frame
from everwhen.errors import EverwhenError, OutcomeUnknown, TooManyRequests
from everwhen.limits import PEER_REQUEST_SECONDS, PEER_REQUESTS_OPEN_MAX
from everwhen.runtime.replica.transport import Transport
from everwhen.txn.replies import decode_reply, encode_reply

#: what is asked of the leader while others wait; who asks finds out by the log, or asks the next one
_OF_LEADERS: Final = frozenset({Verb.PROPOSE, Verb.LOCK, Verb.UNLOCK})

Handler = Callable[[int, bytes], Awaitable[bytes]]
"""Sender and body -> body of the answer; an EverwhenError becomes a refusal."""


class Requests:
    """Asks, and answers. Event loop only."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._number = 0
        #: who was asked what
        self._open: dict[int, tuple[int, Verb, asyncio.Future[bytes]]] = {}
        self._handlers: dict[int, Handler] = {}
        self._answering = 0
        self._tasks: asyncio.TaskGroup | None = None

    def handle(self, verb: Verb, handler: Handler) -> None:
        """Answer questions of a kind with ``handler``."""
        self._handlers[verb] = handler

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Answers run as tasks of this group from here on."""
        self._tasks = tasks

    async def ask(
        self,
        to: int,
        verb: Verb,
        body: bytes,
        *,
        urgent: bool = True,
        seconds: float = PEER_REQUEST_SECONDS,
    ) -> bytes:
        """The answer of another node.

        :raises OutcomeUnknown: none came: it may or may not have been done.
        :raises EverwhenError: what the other node refused it with.
        """
        if len(self._open) >= PEER_REQUESTS_OPEN_MAX:
            raise TooManyRequests("too many requests to other nodes are open", hint="try again")
        self._number += 1
        number = self._number
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._open[number] = (to, verb, answer)
        try:
            frame = encode_frame(Kind.REQUEST, number, verb, body)
            if not self._transport.send(to, frame, urgent=urgent):
                raise OutcomeUnknown(f"node {to} cannot be reached")
            await asyncio.wait([answer], timeout=seconds)
            if not answer.done():
                raise OutcomeUnknown(f"node {to} did not answer in {seconds:g} s")
            return answer.result()
        finally:
            del self._open[number]

    def lost(self, peer: int) -> None:
        """The peer's process is gone: its answers will not come."""
        for to, _, answer in self._open.values():
            if to == peer and not answer.done():
                answer.set_exception(OutcomeUnknown(f"the connection to node {peer} was lost"))

    def leads_no_more(self, peer: int) -> None:
        """What only a leader can do is not waited for any longer: it may be silent because it is cut
        off or stands still, and another one leads by now."""
        for to, verb, answer in self._open.values():
            if to == peer and verb in _OF_LEADERS and not answer.done():
                answer.set_exception(OutcomeUnknown(f"node {peer} leads no more"))

    def on_frame(self, sender: int, frame: Frame) -> None:
        """A request, an answer or a refusal came."""
        if frame.kind == Kind.REQUEST:
            self._begin_answer(sender, frame)
            return
        to, _, answer = self._open.get(frame.number, (0, Verb.NONE, None))
        if answer is None or to != sender or answer.done():
            return  # nobody waits for it any more
        if frame.kind == Kind.ANSWER:
            answer.set_result(frame.body)
            return
        try:
            decode_reply(frame.body)
        except EverwhenError as error:
            answer.set_exception(error)
        else:
            answer.set_exception(OutcomeUnknown(f"node {sender} refused without a reason"))

    def _begin_answer(self, sender: int, frame: Frame) -> None:
        handler = self._handlers.get(frame.verb)
        if self._tasks is None or handler is None:
            self._refuse(sender, frame, TooManyRequests("this node does not answer that now"))
        elif self._answering >= PEER_REQUESTS_OPEN_MAX:
            self._refuse(sender, frame, TooManyRequests("too many requests are being answered"))
        else:
            answer = self._answer(sender, frame, handler)
            try:
                self._tasks.create_task(answer)
            except RuntimeError:
                # the tasks are being ended, and with them the connections
                answer.close()
                self._refuse(sender, frame, TooManyRequests("this node is stopping"))
            else:
                self._answering += 1

    async def _answer(self, sender: int, frame: Frame, handler: Handler) -> None:
        try:
            body = await handler(sender, frame.body)
        except EverwhenError as error:
            self._refuse(sender, frame, error)
        else:
            answer = encode_frame(Kind.ANSWER, frame.number, Verb.NONE, body)
            self._transport.send(sender, answer, urgent=frame.verb != Verb.SNAPSHOT_READ)
        finally:
            self._answering -= 1

    def _refuse(self, sender: int, frame: Frame, error: EverwhenError) -> None:
        refusal = encode_frame(Kind.REFUSAL, frame.number, Verb.NONE, encode_reply(error))
        self._transport.send(sender, refusal, urgent=True)
