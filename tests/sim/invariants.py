"""What must hold at every moment, looked at from outside the nodes.

Names as in the Raft thesis (figure 3.2) and beyond it: election safety, leader completeness, log
matching and state machine safety (one entry at an index, once committed anywhere), votes that
survive their voter, commit indexes and times that never go back, one digest at one index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from everwhen import raft
from everwhen.codec.peer_frames import Kind, decode_frames
from everwhen.raft.core import Raft
from everwhen.runtime.node import Node
from tests.sim.machine import Machine


class Violated(AssertionError):
    """No correct cluster could have done this."""


class Invariants:
    """Looks at machines whenever something arrives; remembers what it saw of all of them."""

    def __init__(self, machines: Mapping[str, Machine], counts: Counter[str]) -> None:
        self._machines = machines
        self._counts = counts
        self._leaders: dict[int, int] = {}
        self._votes: dict[tuple[int, int], int] = {}
        #: index -> term of entries known to be committed
        self._committed: dict[int, int] = {}
        self._highest = 0
        self._digests: dict[int, bytes] = {}
        self._times: dict[int, int] = {}
        #: by process: commit index, applied index, version
        #: by machine: its node (an id may be given to the next one) and what it was last seen to have
        self._seen: dict[str, tuple[Node, tuple[int, int, int]]] = {}

    def on_delivery(self, sender: str, to: str, data: bytes) -> None:
        """A frame is about to be received.

        :raises Violated: a node votes for two candidates of one term, before or after a restart.
        """
        for frame in decode_frames(data):
            if frame.kind == Kind.CONSENSUS:
                message = raft.decode_message(frame.body)
                if message.type is raft.MessageType.VOTE_RESP and not message.reject:
                    vote = self._votes.setdefault((message.from_, message.term), message.to)
                    if vote != message.to:
                        raise Violated(
                            f"node {message.from_} voted for {vote} and for {message.to} "
                            f"in term {message.term}"
                        )

    def look(self) -> None:
        """Look at every process.

        :raises Violated: see the module.
        """
        for machine in self._machines.values():
            node = machine.node
            if node is not None:
                self._look_at(machine, node)

    def _look_at(self, machine: Machine, node: Node) -> None:
        core = node.member.replica.core.raft
        if core.state is raft.StateType.LEADER:
            self._leader(node, core.term)
        applied = node.parts.machine.applied_index
        version = node.parts.database.version
        now = (core.log.committed, applied, version)
        known, before = self._seen.get(machine.name, (None, None))
        if known is not node:
            before = None
        if now == before:
            return
        self._seen[machine.name] = (node, now)
        if before is None:
            before = (applied, applied, version)
        elif any(new < old for new, old in zip(now, before, strict=True)):
            raise Violated(f"{machine.name}: commit, applied or version went back: {before} {now}")
        self._entries(machine.name, core, before[0], now[0])
        if applied > before[1] or applied not in self._digests:
            self._state(machine.name, node, applied)

    def _leader(self, node: Node, term: int) -> None:
        leader = self._leaders.get(term)
        if leader is None:
            self._leaders[term] = node.member.node_id
            self._counts["elections"] += 1
            self._complete(node)
        elif leader != node.member.node_id:
            raise Violated(f"nodes {leader} and {node.member.node_id} both lead in term {term}")

    def _complete(self, node: Node) -> None:
        """A new leader has everything that was committed anywhere."""
        log = node.member.replica.core.raft.log
        if log.last_index() < self._highest:
            raise Violated(
                f"node {node.member.node_id} leads with entries up to {log.last_index()}, "
                f"{self._highest} was committed"
            )
        for index in range(max(log.first_index(), self._highest - 20), self._highest + 1):
            known = self._committed.get(index)
            if known is not None and log.term(index) != known:
                raise Violated(f"the new leader's entry {index} is not the committed one")

    def _entries(self, name: str, core: Raft, low: int, high: int) -> None:
        """What a node holds for committed is the same everywhere."""
        for index in range(max(low + 1, core.log.first_index()), high + 1):
            term = core.log.term(index)
            if self._committed.setdefault(index, term) != term:
                raise Violated(
                    f"{name} committed entry {index} of term {term}, "
                    f"another node one of term {self._committed[index]}"
                )
        self._highest = max(self._highest, high)

    def _state(self, name: str, node: Node, applied: int) -> None:
        """One state at one index; times grow with versions."""
        digest = node.parts.machine.digest
        if self._digests.setdefault(applied, digest) != digest:
            raise Violated(f"{name} has another state after entry {applied} than a node before it")
        head = node.parts.state.current.head
        if self._times.setdefault(head.version, head.time) != head.time:
            raise Violated(f"version {head.version} has two times")
        older = self._times.get(head.version - 1)
        if older is not None and head.version and older >= head.time:
            raise Violated(f"version {head.version} is not later than the one before it")
