"""Transcripts of whole groups: nodes, a network that holds messages, storage threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from everwhen import raft
from everwhen.raft.confchange import ChangeRefused
from everwhen.raft.read_only import ReadOnlyOption
from everwhen.raft.types import NO_LIMIT, HardState
from tests.raft import describe
from tests.raft.configurations import parse_changes
from tests.raft.datadriven import Case, parse_line
from tests.raft.member import HistoryStorage, Node

_ANY = ""
_TRANSITIONS = {
    "auto": raft.Transition.AUTO,
    "implicit": raft.Transition.JOINT_IMPLICIT,
    "explicit": raft.Transition.JOINT_EXPLICIT,
}
_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE")
_READ_ONLY = {"safe": ReadOnlyOption.SAFE, "lease-based": ReadOnlyOption.LEASE_BASED}


class Group:
    """One transcript."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._messages: list[raft.Message] = []
        self._out: list[str] = []
        self._indent = ""
        self._quiet = False

    def handle(self, case: Case) -> str:
        """Run a directive; what it prints. The lines of its body are directives too, but for
        membership changes, whose body says what changes."""
        self._out.clear()
        followers = [] if case.command == "propose-conf-change" else case.body.splitlines()
        for each in [case, *(parse_line(case, line) for line in followers)]:
            try:
                self._run(each)
            except (ChangeRefused, ValueError) as error:
                self._out.append(str(error))
            except raft.StepRefused as error:
                self._out.append(f"raft: {error}")
            except raft.ProposalDropped:
                self._out.append("raft proposal dropped")
            except raft.Compacted:
                self._out.append("requested index is unavailable due to compaction")
            except raft.Unavailable:
                self._out.append("requested entry at index is unavailable")
            else:
                continue
            if each is case:
                break
        return "".join(self._out) or "ok"

    def _run(self, case: Case) -> None:
        name = "_do_" + case.command.lstrip("_").replace("-", "_")
        handler: Callable[[Case], None] | None = getattr(self, name, None)
        if handler is None:
            raise ValueError("unknown command")
        handler(case)

    def _do_breakpoint(self, case: Case) -> None:
        """``_breakpoint``: a place for a debugger."""

    # --- output ---

    def _print(self, text: str) -> None:
        if self._quiet:
            return
        for line in text.removesuffix("\n").split("\n"):
            self._out.append(f"{self._indent}{line}\n")

    @contextmanager
    def _indented(self) -> Iterator[None]:
        self._indent += "  "
        yield
        self._indent = self._indent[:-2]

    def _node(self, number: str) -> Node:
        return self._nodes[int(number) - 1]

    def _first(self, case: Case) -> Node:
        return self._node(case.plain()[0])

    # --- making nodes ---

    def _do_log_level(self, case: Case) -> None:
        self._set_level(case.plain()[0])

    def _set_level(self, level: str) -> None:
        if level.upper() not in _LEVELS:
            raise ValueError(f"log levels must be either of [{' '.join(_LEVELS)}]")
        self._quiet = level.upper() == "NONE"

    def _do_add_nodes(self, case: Case) -> None:
        def numbers(name: str) -> list[int]:
            return [int(each) for each in case.value(name) or []]

        def flag(name: str) -> bool:
            return case.one(name, "false").lower() in ("1", "t", "true")

        index = int(case.one("index", "0"))
        state = raft.ConfState(numbers("voters"), numbers("learners"))
        data = case.one("content", "").encode()
        snapshot = raft.Snapshot(data, raft.SnapshotMetadata(state, index))
        bootstrap = bool(state.voters or state.learners or index or data)
        read_only = case.one("read-only", "safe")
        if read_only not in _READ_ONLY:
            raise ValueError(f'invalid read-only option "{read_only}"')
        for _ in range(int(case.plain()[0])):
            history: list[raft.Snapshot] = []
            storage = HistoryStorage(history)
            if bootstrap:
                if index <= 1:
                    raise ValueError("index must be specified as > 1 due to bootstrap")
                snapshot.metadata.term = 1
                storage.apply_snapshot(snapshot)
            history.append(snapshot)
            config = raft.Config(
                len(self._nodes) + 1,
                election_tick=3,
                heartbeat_tick=1,
                storage=storage,
                random_below=lambda bound: 0,
                applied=index,
                async_storage_writes=flag("async-storage-writes"),
                max_committed_size_per_ready=int(case.one("max-committed-size-per-ready", "0")),
                max_inflight_msgs=int(case.one("inflight", str(2**31 - 1))),
                max_uncommitted_size=int(case.one("max-uncommitted-size", str(NO_LIMIT))),
                check_quorum=flag("checkquorum"),
                pre_vote=flag("prevote"),
                read_only=_READ_ONLY[read_only],
                disable_conf_change_validation=flag("disable-conf-change-validation"),
                step_down_on_removal=flag("step-down-on-removal"),
            )
            node = Node(raft.RawNode(config), storage, config.async_storage_writes, history)
            self._nodes.append(node)

    # --- what is asked of nodes ---

    def _do_campaign(self, case: Case) -> None:
        self._first(case).raw.campaign()

    def _do_propose(self, case: Case) -> None:
        self._first(case).raw.propose([case.plain()[1].encode()])

    def _do_propose_conf_change(self, case: Case) -> None:
        changes = parse_changes(case.body)
        wanted = case.one("transition", "auto")
        if wanted not in _TRANSITIONS:
            raise ValueError(f"unknown transition {wanted}")
        transition = _TRANSITIONS[wanted]
        change: raft.ConfChange | raft.ConfChangeV2
        if case.one("v1", "false").lower() in ("1", "t", "true"):
            if len(changes) > 1 or transition is not raft.Transition.AUTO:
                raise ValueError("v1 conf change can only have one operation and no transition")
            change = raft.ConfChange(changes[0].type, changes[0].node)
        else:
            change = raft.ConfChangeV2(transition, tuple(changes))
        self._first(case).raw.propose_conf_change(change)

    def _do_transfer_leadership(self, case: Case) -> None:
        self._node(case.one("from", "0")).raw.transfer_leadership(int(case.one("to", "0")))

    def _do_forget_leader(self, case: Case) -> None:
        self._first(case).raw.forget_leader()

    def _do_read_index(self, case: Case) -> None:
        self._first(case).raw.read_index(case.plain()[1].encode())

    def _do_report_unreachable(self, case: Case) -> None:
        node, other = case.plain()
        self._node(node).raw.report_unreachable(int(other))

    def _do_send_snapshot(self, case: Case) -> None:
        sender, to = (int(each) for each in case.plain())
        node = self._nodes[sender - 1]
        message = raft.Message(
            raft.MessageType.SNAP, to, sender, node.raw.term, snapshot=node.storage.snapshot()
        )
        self._messages.append(message)
        self._print(describe.message(message))

    def _do_set_randomized_election_timeout(self, case: Case) -> None:
        timeout = int(case.one("timeout", "0"))
        self._first(case).raw.raft.randomized_election_timeout = timeout

    def _do_tick_election(self, case: Case) -> None:
        for _ in range(3):
            self._first(case).raw.tick()

    def _do_tick_heartbeat(self, case: Case) -> None:
        self._first(case).raw.tick()

    def _do_compact(self, case: Case) -> None:
        self._first(case).storage.compact(int(case.plain()[1]))
        self._do_raft_log(case)

    # --- looking ---

    def _do_raft_log(self, case: Case) -> None:
        storage = self._first(case).storage
        first, last = storage.first_index(), storage.last_index()
        if last < first:
            self._print(f"log is empty: first index={first}, last index={last}")
        else:
            self._print(describe.entries(storage.entries(first, last + 1)))

    def _do_raft_state(self, case: Case) -> None:
        for node in self._nodes:
            core = node.raw.raft
            voter = "Voter" if core.id in core.tracker.config.voters.ids else "Non-Voter"
            state = describe.state_name(core.state)
            self._print(f"{core.id}: {state} ({voter}) Term:{core.term} Lead:{core.lead}")

    def _do_status(self, case: Case) -> None:
        core = self._first(case).raw.raft
        if core.state is raft.StateType.LEADER:
            for node in core.tracker.ids():
                self._print(f"{node}: {core.tracker.progress[node]}")

    # --- work ---

    def _do_process_ready(self, case: Case) -> None:
        numbers = case.plain()
        for number in numbers:
            if len(numbers) > 1:
                self._print(f"> {number} handling Ready")
                with self._indented():
                    self._process_ready(self._node(number))
            else:
                self._process_ready(self._node(number))

    def _process_ready(self, node: Node) -> None:
        ready = node.raw.ready()
        self._print(describe.ready(ready))
        if not node.asynchronous:
            node.append(ready.hard_state, ready.entries, ready.snapshot)
            node.apply(ready.committed_entries)
        for message in ready.messages:
            if message.to == raft.LOCAL_APPEND:
                node.append_work.append(message)
            elif message.to == raft.LOCAL_APPLY:
                node.apply_work.append(message)
            else:
                self._messages.append(message)
        if not node.asynchronous:
            node.raw.advance()

    def _do_process_append_thread(self, case: Case) -> None:
        self._work(case, "append", lambda node: node.append_work)

    def _do_process_apply_thread(self, case: Case) -> None:
        self._work(case, "apply", lambda node: node.apply_work)

    def _work(self, case: Case, kind: str, queue: Callable[[Node], list[raft.Message]]) -> None:
        numbers = case.plain()
        for number in numbers:
            if len(numbers) > 1:
                self._print(f"> {number} processing {kind} thread")
                with self._indented():
                    self._one_work(self._node(number), kind, queue(self._node(number)))
            else:
                self._one_work(self._node(number), kind, queue(self._node(number)))

    def _one_work(self, node: Node, kind: str, queue: list[raft.Message]) -> None:
        if not queue:
            self._print(f"no {kind} work to perform")
            return
        message = queue.pop(0)
        responses, message.responses = message.responses, []
        self._print("Processing:")
        self._print(describe.message(message))
        if kind == "append":
            state = HardState(message.term, message.vote, message.commit)
            node.append(state, message.entries, message.snapshot)
        else:
            node.apply(message.entries)
        self._print("Responses:")
        for response in responses:
            self._print(describe.message(response))
        self._messages.extend(responses)

    def _do_deliver_msgs(self, case: Case) -> None:
        wanted = case.one("type", _ANY)
        count = 0
        targets: list[tuple[int, bool]] = []
        for name, values in case.arguments:
            if values is None:
                targets.append((int(name), False))
            elif name == "drop":
                targets.extend((int(each), True) for each in values)
        for node, dropped in targets:
            count += self._deliver(node, wanted, drop=dropped)
        if not count:
            self._print("no messages")

    def _split(self, node: int, wanted: str, *, drop: bool) -> list[raft.Message]:
        """The messages for a node, in order; local ones cannot be lost."""
        threads = (raft.LOCAL_APPEND, raft.LOCAL_APPLY)

        def matches(message: raft.Message) -> bool:
            local = message.from_ == message.to or message.from_ in threads
            right_type = wanted == _ANY or describe.type_name(message.type) == wanted
            return message.to == node and right_type and not (drop and local)

        return [message for message in self._messages if matches(message)]

    def _deliver(self, node: int, wanted: str, *, drop: bool = False) -> int:
        found = self._split(node, wanted, drop=drop)
        chosen = {id(message) for message in found}
        self._messages = [each for each in self._messages if id(each) not in chosen]
        for message in found:
            self._print(("dropped: " if drop else "") + describe.message(message))
            if drop:
                continue
            try:
                self._nodes[node - 1].raw.step(message)
            except raft.StepRefused as error:
                self._print(f"raft: {error}")
            except raft.ProposalDropped:
                self._print("raft proposal dropped")
        return len(found)

    def _do_stabilize(self, case: Case) -> None:
        level = case.one("log-level", "")
        before = self._quiet
        if level:
            self._set_level(level)
        try:
            self._stabilize([int(each) for each in case.plain()])
        finally:
            self._quiet = before

    def _stabilize(self, numbers: list[int]) -> None:
        chosen = numbers or [at + 1 for at in range(len(self._nodes))]
        done = False
        while not done:
            done = True
            for number in chosen:
                node = self._nodes[number - 1]
                if node.raw.has_ready():
                    done = False
                    self._print(f"> {number} handling Ready")
                    with self._indented():
                        self._process_ready(node)
            for number in chosen:
                if self._split(number, _ANY, drop=False):
                    done = False
                    self._print(f"> {number} receiving messages")
                    with self._indented():
                        self._deliver(number, _ANY)
            for kind in ("append", "apply"):
                for number in chosen:
                    node = self._nodes[number - 1]
                    queue = node.append_work if kind == "append" else node.apply_work
                    if queue:
                        done = False
                        self._print(f"> {number} processing {kind} thread")
                    while queue:
                        with self._indented():
                            self._one_work(node, kind, queue)
