"""What must hold after every step of a simulated group (numbers of research/raft.md, 4.4)."""

from __future__ import annotations

from collections import Counter

from everwhen import raft
from everwhen.raft.core import Raft
from everwhen.raft.types import NO_LIMIT
from tests.raft.machines import Machine, Process


class Invariants:
    """Checks, over what a simulation keeps."""

    machines: dict[int, Machine]
    committed: dict[int, tuple[int, int, bytes]]
    leaders: dict[int, int]
    #: terms whose leader was found to have everything
    complete: set[int]
    reached: Counter[str]
    #: (voter, term) -> whom it told that it votes for it
    granted: dict[tuple[int, int], int]

    def check_grant(self, machine: Machine, message: raft.Message) -> None:
        """I7, I9: one vote in a term, crashes or not, and durable before anybody is told."""
        known = self.granted.setdefault((machine.id, message.term), message.to)
        assert known == message.to, f"voted for {known} and {message.to} in term {message.term}"
        state = machine.disk.hard_state
        assert state.term > message.term or (
            (state.term, state.vote) == (message.term, message.to)
        ), "a vote was told before it was durable"

    def check(self, machine: Machine) -> None:
        process = machine.process
        if process is None:
            return
        core = process.raw.raft
        log = core.log
        assert log.applied <= log.applying <= log.committed <= log.last_index()
        assert core.term >= machine.term, "the term went back"
        assert core.term >= machine.disk.hard_state.term
        machine.term = max(machine.term, machine.disk.hard_state.term)
        if core.state is raft.StateType.LEADER:
            known = self.leaders.setdefault(core.term, core.id)
            assert known == core.id, f"two leaders in term {core.term}"
            if core.term not in self.complete:
                self.complete.add(core.term)
                self.reached["leader"] += 1
                self.check_complete(core)
            for progress in core.tracker.progress.values():
                assert progress.match < progress.next
        if log.committed > machine.commit:
            self.check_committed(machine, process)
            machine.commit = log.committed

    def check_complete(self, core: Raft) -> None:
        """I3: what was ever committed stands in the log of a new leader."""
        first = core.log.first_index()
        for index, (term, _, _) in self.committed.items():
            if index >= first:
                assert core.log.term(index) == term, f"leader lacks committed entry {index}"

    def check_committed(self, machine: Machine, process: Process) -> None:
        core = process.raw.raft
        log = core.log
        low = max(machine.commit + 1, log.first_index())
        for entry in log.slice(low, log.committed + 1, NO_LIMIT):
            found = (entry.term, int(entry.type), entry.data)
            known = self.committed.get(entry.index)
            if known is None:
                self.committed[entry.index] = found
                self.check_durable(core, entry)
            else:
                assert known == found, f"entry {entry.index} was committed as {known} and {found}"

    def check_durable(self, core: Raft, entry: raft.Entry) -> None:
        """I5: on the disks of a majority of both halves, running or not."""
        holders = {
            machine.id: True
            for machine in self.machines.values()
            if machine.disk.last_index() >= entry.index
            and (
                machine.disk.first_index() > entry.index
                or machine.disk.term(entry.index) == entry.term
            )
        }
        voters = core.tracker.config.voters
        for half in (voters.incoming, voters.outgoing):
            assert not half or 2 * len(half & set(holders)) > len(half), (
                f"entry {entry.index} was committed without a quorum: {sorted(holders)} of {voters}"
            )
