"""Proof that every member computed the same: members compare running digests.

Apply notes a digest after every so-many-th entry (``apply.machine``). Every member asks the others
for theirs from time to time. One that finds itself against a majority of the voters at the same
entry has computed something else from the same log: it fences itself, because whatever it answers
may be wrong. Where no majority agrees nobody can tell who is right, so it is reported only.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from everwhen.codec.cluster import Configuration
from everwhen.codec.peer_frames import Verb
from everwhen.errors import EverwhenError
from everwhen.limits import DIGEST_SECONDS
from everwhen.runtime.replica.fence import Fence
from everwhen.runtime.replica.requests import Requests
from everwhen.runtime.replica.snapshots import Report
from everwhen.storage.fence_file import BY_DIVERGENCE

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(dict[int, bytes])
#: digests in one answer, the newest ones
_ANSWER_MAX: Final = 128

Digests = Mapping[int, bytes]
"""Index of an entry -> digest after it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """At ``index`` members computed different things. ``outvoted``: this node against a majority
    of the voters."""

    index: int
    outvoted: bool
    #: those whose digest differs from this node's, ascending
    nodes: tuple[int, ...]


def first_difference(
    own: Digests, others: Mapping[int, Digests], voters: Sequence[int], node: int
) -> Difference | None:
    """The first entry at which this node and others differ; None while all agree.

    ``others``: node -> what it answered. Whoever does not vote has no say about who is right.
    """
    shared = sorted(index for index in own if any(index in known for known in others.values()))
    for index in shared:
        at = {each: known[index] for each, known in others.items() if index in known}
        differing = tuple(sorted(each for each, digest in at.items() if digest != own[index]))
        if not differing:
            continue
        said = Counter(digest for each, digest in at.items() if each in voters)
        if node in voters:
            said[own[index]] += 1
        outvoted = any(
            count > len(voters) // 2 and digest != own[index] for digest, count in said.items()
        )
        return Difference(index, outvoted, differing)
    return None


class DigestExchange:
    """Asks, answers and compares. Event loop only."""

    def __init__(
        self,
        node_id: int,
        requests: Requests,
        own: Callable[[], Digests],
        configuration: Callable[[], Configuration],
        fence: Fence,
        report: Report,
    ) -> None:
        self._node_id = node_id
        self._requests = requests
        self._own = own
        self._configuration = configuration
        self._fence = fence
        self._report = report
        self._reported = 0
        requests.handle(Verb.DIGESTS, self._on_asked)

    def newest(self, count: int) -> Digests:
        """This node's last ones."""
        own = self._own()
        return {index: own[index] for index in sorted(own)[-count:]}

    async def _on_asked(self, sender: int, body: bytes) -> bytes:
        return _ENCODER.encode(self.newest(_ANSWER_MAX))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(DIGEST_SECONDS)
            # a node that was fenced while it stood for election may have been elected since
            if self._fence.state is not None:
                self._fence.enforce()
            await self.compare()

    async def compare(self) -> None:
        """One round: ask everyone, then see."""
        configuration = self._configuration()
        peers = [each for each in configuration.ids if each != self._node_id]
        answers = await asyncio.gather(*(self._ask(peer) for peer in peers))
        others = {peer: known for peer, known in zip(peers, answers, strict=True) if known}
        found = first_difference(dict(self._own()), others, configuration.voters, self._node_id)
        if found is None or found.index == self._reported:
            return
        self._reported = found.index
        self._report(
            "state_diverged",
            {"index": found.index, "nodes": list(found.nodes), "outvoted": found.outvoted},
        )
        if found.outvoted:
            await self._fence.put_up(
                f"after entry {found.index} its state differs from that of a majority",
                BY_DIVERGENCE,
            )

    async def _ask(self, peer: int) -> Digests:
        """What another member has; nothing if it does not answer."""
        try:
            answer = await self._requests.ask(peer, Verb.DIGESTS, b"", seconds=DIGEST_SECONDS)
            return _DECODER.decode(answer)
        except (EverwhenError, msgspec.MsgspecError):
            # it is away, or runs a build that does not compare: asked again with the next round
            return {}
