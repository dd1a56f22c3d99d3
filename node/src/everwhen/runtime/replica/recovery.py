"""Going on alone when a majority of the voters is lost for ever.

A group that lost its majority does nothing by itself: only a person can know that the others never
come back. Consent is typed as a token, ``<cluster id>/<node id>/<last index>``, which a node shows
in its status while it sees no leader. With it, that node writes itself a log that ends in a
configuration of itself alone and in a new history: everything its log held stays, committed or not
(the lost members may have acknowledged it), and what only the others had is lost. Bookmarks of the
old history are refused from then on, and ids of the lost members never come back. They must not
come back either: with their disks they are still a majority of the old configuration.

The order is durable before anything is changed, and is carried out when the node is opened, between
the end of the last process and the first message of the new one. The entries are one batch of the
log, so they are all there or none of them is; every step may be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from everwhen import raft
from everwhen.codec.cluster import Cluster, Configuration
from everwhen.errors import MembershipRefused, PreconditionFailed, RequestInvalid
from everwhen.limits import RECOVERY_WITHOUT_LEADER_SECONDS
from everwhen.ports import Disk, Random, Threads
from everwhen.raft.confchange import Changer, restore
from everwhen.raft.tracker import Tracker
from everwhen.raft.wire import encode_conf_change
from everwhen.runtime.replica.log_view import COMMAND_KIND, to_raft, to_stored
from everwhen.runtime.replica.replica import Replica
from everwhen.runtime.replica.snapshots import Report
from everwhen.storage.directory import DataDirectory
from everwhen.storage.frames import Entry
from everwhen.storage.recovery_file import (
    Recovery,
    read_recovery,
    remove_recovery,
    write_recovery,
)
from everwhen.txn import commands as c


class Consent:
    """Takes the token of one node. Event loop only."""

    def __init__(
        self,
        disk: Disk,
        directory: DataDirectory,
        replica: Replica,
        threads: Threads,
        random: Random,
        reopen: asyncio.Event,
    ) -> None:
        self._disk = disk
        self._directory = directory
        self._replica = replica
        self._threads = threads
        self._random = random
        self._reopen = reopen
        self._asked = asyncio.Lock()

    def token(self) -> str | None:
        """What has to be typed to go on from what this node has; None while a node leads."""
        if self._replica.leader:
            return None
        meta = self._directory.meta.value
        return f"{meta.cluster_id}/{meta.node_id}/{self._replica.core.last_index}"

    async def given(self, token: str) -> Recovery:
        """Go on alone. The node is opened again when this has returned.

        :raises RequestInvalid: no token at all.
        :raises MembershipRefused: a node leads, or does so within the time this waits for one.
        :raises PreconditionFailed: the token of another node, or of an earlier state of this one.
        """
        if token.count("/") != 2:
            raise RequestInvalid(f"{token!r} is no <cluster id>/<node id>/<last index>")
        async with self._asked:
            replica = self._replica
            if replica.core.raft.barred:
                raise MembershipRefused(
                    "this node is fenced, so it cannot lead", hint="lift the fence first"
                )
            await replica.changed.until(
                lambda: bool(replica.leader), RECOVERY_WITHOUT_LEADER_SECONDS
            )
            wanted = self.token()
            if wanted is None:
                raise MembershipRefused(
                    f"node {replica.leader} leads: nothing is lost that needs consent",
                    hint="remove and admit members one by one",
                )
            if token != wanted:
                raise PreconditionFailed(
                    f"the token here is {wanted}, not {token}",
                    hint="ask the node whose log ends last, and give the token it shows now",
                )
            order = Recovery(replica.core.last_index, self._random.uuid().hex[:12])
            await self._threads.run(
                "background", write_recovery, self._disk, self._directory.root, order
            )
            self._reopen.set()
            return order


def recover(disk: Disk, directory: DataDirectory, cluster: Cluster, report: Report) -> None:
    """Carry out the order that lies in the directory, if one does. Before the log is served.

    ``cluster``: the group as the record has it. An order that entries came after is dropped: then
    somebody led after all.
    """
    order = read_recovery(disk, directory.root)
    if order is None:
        return
    log, meta = directory.log, directory.meta.value
    command = c.encode(c.RecoverCluster(c.FORMAT, order.history_id, meta.node_id))
    tail = list(log.entries(order.last_index + 1, log.last_index + 1))
    if not tail:
        # what is not applied yet decides as well from which configuration the steps begin
        above = log.entries(
            max(cluster.configuration.index + 1, log.first_index), log.last_index + 1
        )
        term = max(meta.term, log.term(log.last_index) or 0) + 1
        tail = _entries(cluster.configuration, above, term, meta.node_id, order.last_index, command)
        log.append(tail)
    done = tail[-1].payload == command
    if done:
        log.save_hard_state(term=tail[-1].term, vote=meta.node_id, commit=tail[-1].index)
    remove_recovery(disk, directory.root)
    fields = {"after": order.last_index, "history": order.history_id}
    report("went_on_alone" if done else "did_not_go_on_alone", fields)


def _entries(
    known: Configuration, above: Iterable[Entry], term: int, node: int, after: int, command: bytes
) -> list[Entry]:
    """The batch that follows entry ``after``: the changes, then the command."""
    membership = [raft.decode_conf_change(to_raft(e)) for e in above if e.kind != COMMAND_KIND]
    changes = [encode_conf_change(each) for each in sole_voter(known, membership, node)]
    entries = [
        to_stored(raft.Entry(term, index, raft.EntryType.CONF_CHANGE_V2, data))
        for index, data in enumerate(changes, after + 1)
    ]
    return [*entries, Entry(after + len(entries) + 1, term, COMMAND_KIND, command)]


def sole_voter(
    known: Configuration, membership: Iterable[raft.ConfChangeV2], node: int
) -> list[raft.ConfChangeV2]:
    """Single steps that lead from ``known``, after the changes in ``membership``, to ``node``
    alone: out of a joint configuration, a vote for it if it has none, the others out."""
    tracker = Tracker(1, 1)
    state = raft.ConfState(
        list(known.voters),
        list(known.learners),
        list(known.outgoing),
        list(known.learners_next),
        known.auto_leave,
    )
    tracker.config, tracker.progress = restore(tracker, 0, state)
    for change in membership:
        _put_in_force(tracker, change)
    steps: list[raft.ConfChangeV2] = []

    def step(*changes: raft.Change) -> None:
        steps.append(raft.ConfChangeV2(changes=changes))
        _put_in_force(tracker, steps[-1])

    if tracker.conf_state().voters_outgoing:
        step()
    if node not in tracker.conf_state().voters:
        step(raft.Change(raft.ChangeType.ADD_NODE, node))
    for other in sorted(tracker.progress):
        if other != node:
            step(raft.Change(raft.ChangeType.REMOVE_NODE, other))
    return steps


def _put_in_force(tracker: Tracker, change: raft.ConfChangeV2) -> None:
    tracker.config, tracker.progress = Changer(tracker, 0).changed(change)
