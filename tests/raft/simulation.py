"""Groups of cores on random schedules: loss, copies, reordering, cuts, crashes between a write and
its acknowledgement, compaction, snapshots, membership changes, transfers, reads.

One seed, one run. After every step the invariants of research/raft.md 4.4 that a core can break are
checked: one leader a term (I1), committed entries agree and never change (I2, I4), a new leader has
all of them (I3), what is committed is durable on a quorum of both halves of the configuration in
force (I5), terms and positions only grow (I7), positions keep their order (I8), what others were
told is durable (I9), a confirmed read is not behind what was committed when it was asked (I12).
"""

from __future__ import annotations

import copy
from collections import Counter
from random import Random

from everwhen import raft
from everwhen.raft.progress import ProgressState
from everwhen.raft.types import HardState
from everwhen.raft.wire import decode_message, encode_message
from tests.raft.invariants import Invariants
from tests.raft.machines import Machine, Process, View

_ELECTION_TICKS = 4


class Simulation(Invariants):
    """One run; see the module."""

    def __init__(self, seed: int, machines: int = 5) -> None:
        self.random = Random(seed)
        self.machines = {number: Machine(number) for number in range(1, machines + 1)}
        self.network: list[raft.Message] = []
        self.committed: dict[int, tuple[int, int, bytes]] = {}
        self.leaders: dict[int, int] = {}
        self.complete: set[int] = set()
        self.granted: dict[tuple[int, int], int] = {}
        self.cut: set[tuple[int, int]] = set()
        self.reached: Counter[str] = Counter()
        self.proposals = 0
        self.reads: dict[bytes, int] = {}
        self.loss = self.random.choice((0.0, 0.05, 0.3))
        self.copies = self.random.choice((0.0, 0.1))
        self.reordered = self.random.choice((0.0, 0.2, 0.6))
        self.ticks = self.random.choice((0.05, 0.1, 0.2))
        self.troubles = self.random.choice((0.005, 0.015, 0.04))
        self.changes = self.random.choice((0.0, 0.0, 0.07))
        self.slow_disk = self.random.choice((0.05, 0.15, 0.3))
        self.pre_vote = self.random.random() < 0.6
        self.check_quorum = self.random.random() < 0.6
        self.askers_confirm = self.random.random() < 0.6
        voters = self.random.choice((1, 2, 3, 3, 5, 5))
        self.steps = 0
        state = raft.ConfState(list(range(1, voters + 1)))
        first = raft.Snapshot(b"", raft.SnapshotMetadata(state, 2, 1))
        self.committed[2] = (1, 0, b"")
        for machine in self.machines.values():
            if machine.id <= voters:
                machine.disk.apply_snapshot(first)
                machine.applied, machine.conf_state = 2, state
            self.start(machine)

    # --- processes ---

    def start(self, machine: Machine) -> None:
        small = self.random.random() < 0.5
        config = raft.Config(
            machine.id,
            election_tick=_ELECTION_TICKS,
            heartbeat_tick=1,
            storage=View(machine),
            random_below=self.random.randrange,
            applied=machine.applied,
            async_storage_writes=True,
            max_size_per_msg=64 if small else 1 << 20,
            max_committed_size_per_ready=64 if small else 1 << 20,
            max_inflight_msgs=2 if small else 256,
            max_uncommitted_size=1 << 10,
            check_quorum=self.check_quorum,
            pre_vote=self.pre_vote,
            askers_confirm=self.askers_confirm,
            step_down_on_removal=True,
        )
        machine.process = Process(raft.RawNode(config))

    def crash(self, machine: Machine) -> None:
        machine.process = None
        self.reached["crash"] += 1

    # --- one step ---

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    def step(self) -> None:
        self.steps += 1
        machine = self.random.choice(list(self.machines.values()))
        process = machine.process
        chance = self.random.random()
        if process is None:
            if chance < 0.1:
                self.start(machine)
            return
        if chance < self.troubles:
            self.trouble(machine, process)
        elif chance < self.troubles + self.ticks:
            process.raw.tick()
        else:
            kinds = (self.deliver, self.write, self.apply, self.propose)
            weights = (0.6, self.slow_disk, 0.15, 0.05)
            kind = self.random.choices(kinds, weights)[0]
            # a busy network: several messages in the time of one write
            for _ in range(3 if kind == self.deliver else 1):
                if machine.process is process:
                    kind(machine, process)
        if machine.process is not None:
            self.pump(machine, machine.process)
        self.check(machine)

    def pump(self, machine: Machine, process: Process) -> None:
        while process.raw.has_ready():
            ready = process.raw.ready()
            for state in ready.read_states:
                asked = self.reads.pop(state.request_ctx, 0)
                assert state.index >= asked, f"a read at {state.index} was asked at {asked}"
                self.reached["read"] += 1
            for message in ready.messages:
                if message.to == raft.LOCAL_APPEND:
                    process.append_work.append(message)
                elif message.to == raft.LOCAL_APPLY:
                    process.apply_work.append(message)
                else:
                    self.send(machine, message)

    def send(self, machine: Machine, message: raft.Message) -> None:
        disk = machine.disk
        if message.type is raft.MessageType.VOTE_RESP and not message.reject:
            self.check_grant(machine, message)
        if message.type is raft.MessageType.APP_RESP and not message.reject:
            assert disk.last_index() >= message.index, (
                "entries acknowledged before they were durable"
            )
        if message.type is not raft.MessageType.SNAP:
            # through bytes: what one node does to a message is nothing to another
            message = decode_message(encode_message(message))
        else:
            message = copy.deepcopy(message)
        self.network.append(message)
        if self.random.random() < self.copies:
            self.network.append(copy.deepcopy(message))
        if len(self.network) > 400:
            del self.network[: self.random.randrange(200)]

    def deliver(self, machine: Machine | None = None, process: Process | None = None) -> None:
        if not self.network:
            return
        # mostly the oldest, sometimes any, so that old messages meet new terms
        old = self.random.random() < self.reordered
        at = self.random.randrange(len(self.network)) if old else 0
        message = self.network.pop(at)
        process = self.machines[message.to].process
        lost = self.random.random() < self.loss or (message.from_, message.to) in self.cut
        if process is None or lost:
            return
        self.reached[message.type.name] += 1
        self.step_into(process, message)
        self.pump(self.machines[message.to], process)
        self.check(self.machines[message.to])

    def step_into(self, process: Process, message: raft.Message) -> None:
        try:
            process.raw.step(message)
        except (raft.StepRefused, raft.ProposalDropped):
            self.reached["refused"] += 1

    # --- storage ---

    def write(self, machine: Machine, process: Process) -> None:
        if not process.append_work:
            return
        message = process.append_work.pop(0)
        disk = machine.disk
        if message.term:
            disk.hard_state = HardState(message.term, message.vote, message.commit)
        if message.snapshot is not None and not message.snapshot.is_empty:
            disk.apply_snapshot(copy.deepcopy(message.snapshot))
            machine.applied = message.snapshot.metadata.index
            machine.conf_state = message.snapshot.metadata.conf_state
            self.reached["snapshot installed"] += 1
        disk.append(copy.deepcopy(message.entries))
        if self.random.random() < 0.01:
            # durable, and gone before anybody was told
            self.crash(machine)
            return
        self.respond(machine, process, message)

    def respond(self, machine: Machine, process: Process, message: raft.Message) -> None:
        for reply in message.responses:
            if reply.to == machine.id:
                self.step_into(process, reply)
            else:
                self.send(machine, reply)

    def apply(self, machine: Machine, process: Process) -> None:
        if not process.apply_work:
            return
        message = process.apply_work.pop(0)
        for entry in message.entries:
            if entry.index <= machine.applied:
                # handed out before a snapshot overtook it
                continue
            assert entry.index == machine.applied + 1, "an entry was left out or applied twice"
            assert entry.index <= machine.disk.last_index(), "applied before it was durable here"
            if entry.type is not raft.EntryType.NORMAL:
                change = raft.decode_conf_change(entry)
                machine.conf_state = process.raw.apply_conf_change(change)
                self.reached["joint" if machine.conf_state.voters_outgoing else "membership"] += 1
            machine.applied = entry.index
        self.respond(machine, process, message)

    def compact(self, machine: Machine) -> None:
        disk, index = machine.disk, machine.applied
        if index > disk.snapshot().metadata.index and index <= disk.last_index():
            disk.create_snapshot(index, machine.conf_state, b"state")
            if index > disk.first_index():
                disk.compact(index - self.random.randrange(2))
                self.reached["compacted"] += 1

    # --- what is asked of the group ---

    def propose(self, machine: Machine, process: Process) -> None:
        raw, chance = process.raw, self.random.random()
        try:
            if chance < 0.70:
                self.proposals += 1
                raw.propose([b"%d" % self.proposals] * self.random.choice((1, 1, 3)))
            elif chance < 0.90:
                context = b"read %d" % self.steps
                self.reads[context] = max(self.committed)
                raw.read_index(context)
            elif chance < 0.90 + self.changes and raw.leader == raw.raft.id:
                raw.propose_conf_change(self.change())
            elif raw.leader == raw.raft.id:
                raw.transfer_leadership(self.random.choice(list(self.machines)))
        except raft.ProposalDropped:
            self.reached["dropped"] += 1

    def change(self) -> raft.ConfChangeV2:
        kinds = (
            raft.ChangeType.ADD_NODE,
            raft.ChangeType.ADD_NODE,
            raft.ChangeType.ADD_LEARNER_NODE,
            raft.ChangeType.REMOVE_NODE,
        )
        # the first two stay, so that no change empties the group; one step each
        nodes = self.random.sample(range(3, len(self.machines) + 1), self.random.choice((1, 1, 2)))
        changes = tuple(raft.Change(self.random.choice(kinds), node) for node in nodes)
        return raft.ConfChangeV2(raft.Transition.AUTO, changes)

    def trouble(self, machine: Machine, process: Process) -> None:
        other = self.random.choice(list(self.machines))
        kind = self.random.choices(
            ("crash", "compact", "heal", "cut", "isolate", "campaign", "forget", "unreachable"),
            (0.15, 0.15, 0.2, 0.1, 0.15, 0.15, 0.05, 0.05),
        )[0]
        if kind == "crash":
            self.crash(machine)
        elif kind == "compact":
            self.compact(machine)
        elif kind == "heal":
            self.cut = set()
        elif kind == "cut":
            self.cut |= {(machine.id, other)}
        elif kind == "isolate":
            # a leader, perhaps with one companion: it goes on taking writes
            alone = process.raw.leader or machine.id
            outside = [node for node in self.machines if node not in (alone, other)]
            inside = (alone, other) if self.random.random() < 0.5 else (alone,)
            self.cut = {(a, b) for a in inside for b in outside}
            self.cut |= {(b, a) for a, b in self.cut}
        elif kind == "campaign":
            process.raw.campaign()
        elif kind == "forget":
            process.raw.forget_leader()
        else:
            process.raw.report_unreachable(other)
            process.raw.report_snapshot(other, failed=self.random.random() < 0.5)

    # --- the end ---

    def heal(self) -> None:
        """No more trouble: within some thousand steps everybody agrees and takes a write."""
        self.loss = self.copies = 0.0
        self.cut.clear()
        for machine in self.machines.values():
            if machine.process is None:
                self.start(machine)
        marker = b"after"
        for turn in range(400):
            for machine in self.machines.values():
                process = machine.process
                assert process is not None
                process.raw.tick()
                self.resend_snapshots(process)
                self.pump(machine, process)
            for _ in range(200):
                if not self.quiet_round():
                    break
            leaders = [
                each.process.raw
                for each in self.machines.values()
                if each.process and each.process.raw.raft.state is raft.StateType.LEADER
            ]
            if turn % 10 == 9 and leaders:
                try:
                    leaders[-1].propose([marker])
                except raft.ProposalDropped:
                    continue
            if self.agreed(marker):
                return
        raise AssertionError("the group did not come to agree after all trouble was over")

    def resend_snapshots(self, process: Process) -> None:
        """Who sends snapshots tells the core of those that did not arrive."""
        progress = process.raw.raft.tracker.progress
        for node in list(progress):
            if progress[node].state is ProgressState.SNAPSHOT:
                process.raw.report_snapshot(node, failed=True)

    def quiet_round(self) -> bool:
        """Everything that is due, once; whether anything was."""
        busy = bool(self.network)
        for _ in range(len(self.network)):
            self.deliver()
        for machine in self.machines.values():
            process = machine.process
            if process is None:
                self.start(machine)
                continue
            busy = busy or bool(process.append_work or process.apply_work)
            while process.append_work and machine.process is process:
                self.write(machine, process)
            while process.apply_work and machine.process is process:
                self.apply(machine, process)
            if machine.process is process:
                self.pump(machine, process)
                self.check(machine)
        return busy

    def agreed(self, marker: bytes) -> bool:
        last = max(self.committed)
        if not any(data == marker for _, _, data in self.committed.values()):
            return False
        leaders = [
            each.process.raw
            for each in self.machines.values()
            if each.process and each.process.raw.raft.state is raft.StateType.LEADER
        ]
        newest = max(leaders, key=lambda raw: raw.term, default=None)
        if newest is None:
            return False
        members = newest.raft.tracker.ids()
        return all(self.machines[node].applied == last for node in members)
