"""Putting configurations into force, from entries and from snapshots (Raft thesis, chapter 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everwhen.raft import replication
from everwhen.raft.confchange import Changer, ConfChangeV2, ProgressMap
from everwhen.raft.confchange import restore as build
from everwhen.raft.tracker import Config as Configuration
from everwhen.raft.tracker import Tracker
from everwhen.raft.types import NO_NODE, ConfState, Snapshot, StateType

if TYPE_CHECKING:
    from everwhen.raft.core import Raft


def apply_conf_change(raft: Raft, change: ConfChangeV2) -> ConfState:
    """Put an applied membership entry into force.

    :raises ChangeRefused: it breaks a rule; the caller must not have let it in.
    """
    changer = Changer(raft.tracker, raft.log.last_index())
    return switch(raft, *changer.changed(change))


def switch(raft: Raft, configuration: Configuration, progress: ProgressMap) -> ConfState:
    tracker = raft.tracker
    tracker.config, tracker.progress = configuration, progress
    state = tracker.conf_state()
    own = progress.get(raft.id)
    raft.is_learner = own is not None and own.is_learner
    if (own is None or own.is_learner) and raft.state is StateType.LEADER:
        # removed or demoted: it leads on until that is committed and applied, then no more
        if raft.config.step_down_on_removal:
            raft.become_follower(raft.term, NO_NODE)
        return state
    if raft.state is not StateType.LEADER or not state.voters:
        return state
    if raft.maybe_commit():
        replication.bcast_append(raft)
    else:
        for node in tracker.ids():
            if node != raft.id:
                replication.maybe_send_append(raft, node, send_if_empty=False)
    if raft.lead_transferee not in configuration.voters.ids:
        raft.lead_transferee = NO_NODE
    return state


def restore(raft: Raft, snapshot: Snapshot) -> bool:
    """Take the place of the log by a snapshot; False if it is not needed or not for this
    node (P37)."""
    metadata = snapshot.metadata
    if metadata.index <= raft.log.committed:
        return False
    if raft.state is not StateType.FOLLOWER:
        raft.become_follower(raft.term + 1, NO_NODE)
        return False
    state = metadata.conf_state
    if raft.id not in {*state.voters, *state.learners, *state.voters_outgoing}:
        return False
    if raft.log.match_term(metadata.index, metadata.term):
        # the log has it all: only the commit index was behind
        raft.log.commit_to(metadata.index)
        return False
    raft.log.restore(snapshot)
    raft.tracker = Tracker(raft.config.max_inflight_msgs, raft.config.max_inflight_bytes)
    switch(raft, *build(raft.tracker, raft.log.last_index(), state))
    return True
