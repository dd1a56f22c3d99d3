"""Mutants of replication, commit, membership and reads (P9 to P24, P30 to P42, P49 to P58)."""

from __future__ import annotations

from typing import Final

from tests.mutants.patching import Mutant

_RULES: Final = "tests/raft/test_rules.py::test_"
_MORE: Final = "tests/raft/test_replication_rules.py::test_"
_LEADING: Final = "tests/sim/test_leading.py::test_"
_LEADER: Final = "everwhen.raft.leader:"
_LOG: Final = "everwhen.raft.log:Log."
_PROGRESS: Final = "everwhen.raft.progress:Progress."
_TRACKER: Final = "everwhen.raft.tracker:Tracker."
_CONFIGURATIONS: Final = "everwhen.raft.confchange:"
_UNION: Final = "majority_committed(self.ids, acked)"


def _one(
    name: str, pitfall: str, where: str, old: str, new: str, *tests: str, schedules: bool = False
) -> Mutant:
    return Mutant(name, pitfall, where, ((old, new),), tests, schedules)


COMMIT: Final = (
    _one(
        "commits_beyond_the_message", "P9", _LOG + "maybe_append",
        "min(committed, last_new)", "min(committed, self.last_index())",
        _RULES + "p9_p11_a_message_commits_and_acknowledges_no_more_than_it_holds",
    ),
    _one(
        "tells_of_commits_nobody_has", "P10", "everwhen.raft.replication:bcast_heartbeat",
        "min(progress.match, raft.log.committed)", "raft.log.committed",
        _RULES + "p10_a_heartbeat_commits_only_what_the_follower_is_known_to_have",
        schedules=True,
    ),
    _one(
        "acknowledges_its_whole_log", "P11", "everwhen.raft.follower:_append",
        "index=last)", "index=log.last_index())",
        _RULES + "p9_p11_a_message_commits_and_acknowledges_no_more_than_it_holds",
    ),
    _one(
        "cuts_off_whatever_is_behind", "P12", _LOG + "maybe_append",
        "conflict = self.find_conflict(entries)",
        "conflict = next((e.index for e in entries if e.index > self.committed), 0)",
        _RULES + "p12_a_late_message_cuts_nothing_off",
        schedules=True,
    ),
    _one(
        "appends_over_what_is_committed", "P13", _LOG + "append",
        "if after < self.committed:", "if False:",
        _MORE + "p13_nothing_committed_is_cut_off",
    ),
    _one(
        "does_not_look_at_conflicts_with_commits", "P13", _LOG + "maybe_append",
        "if conflict <= self.committed:", "if False:",
        _MORE + "p13_nothing_committed_is_cut_off",
    ),
    _one(
        "takes_a_message_without_entries_unseen", "P14", _LOG + "maybe_append",
        "if not self.match_term(index, log_term):",
        "if entries and not self.match_term(index, log_term):",
        _RULES + "p14_a_message_without_entries_must_fit_too",
    ),
    _one(
        "believes_members_that_shrink", "P15", _PROGRESS + "maybe_update",
        "if index <= self.match:", "if index == self.match:",
        _MORE + "p15_what_a_member_has_never_shrinks",
    ),
    _one(
        "probes_below_what_is_known", "P15", _PROGRESS + "maybe_decr_to",
        "max(min(rejected, hint + 1), self.match + 1)", "max(min(rejected, hint + 1), 1)",
        _MORE + "p15_what_a_member_has_never_shrinks",
    ),
    _one(
        "takes_refusals_however_late", "P15", _PROGRESS + "maybe_decr_to",
        "if self.next - 1 != rejected:", "if False:",
        _MORE + "p15_what_a_member_has_never_shrinks",
    ),
    _one(
        "commits_what_any_member_has", "P16", _TRACKER + "committed",
        "return matches[(len(matches) - 1) // 2]", "return matches[-1]",
        _MORE + "p16_p17_an_entry_is_committed_by_more_than_half",
        schedules=True,
    ),
    _one(
        "commits_by_members_as_they_come", "P16", _TRACKER + "committed",
        "matches.sort()", "pass",
        _MORE + "p16_p17_an_entry_is_committed_by_more_than_half",
        schedules=True,
    ),
    _one(
        "commits_by_half", "P17", _TRACKER + "committed",
        "(len(matches) - 1) // 2", "len(matches) // 2",
        _MORE + "p16_p17_an_entry_is_committed_by_more_than_half",
        schedules=True,
    ),
    _one(
        "counts_learners", "P17", _TRACKER + "committed",
        "[progress_of[node].match for node in voters.incoming]",
        "[each.match for each in progress_of.values()]",
        _MORE + "p16_p17_an_entry_is_committed_by_more_than_half",
        schedules=True,
    ),
    _one(
        "confirms_reads_by_anybody", "P17", "everwhen.raft.read_only:ReadOnly.advance",
        "voters.committed_index(self._acked)", "sorted(self._acked.values())[-1]",
        _MORE + "p17_learners_confirm_no_read",
    ),
    _one(
        "takes_a_refusal_for_an_acknowledgement", "P18", _LEADER + "_step_member",
        "        if message.reject:\n            _rejected", "        if False:\n            _rejected",
        _MORE + "p18_a_refusal_acknowledges_nothing",
        schedules=True,
    ),
    Mutant(
        "probes_entry_by_entry", "P19", _LEADER + "_rejected",
        (
            ("probe = message.reject_hint", "probe = message.index - 1"),
            ("if message.log_term > 0:", "if False:"),
        ),
        (_MORE + "p19_a_long_tail_of_another_leader_is_skipped_at_once",),
    ),
    _one(
        "waits_for_lost_messages_for_ever", "P20", _LEADER + "_heartbeat_answered",
        "progress.msg_app_flow_paused = False", "pass",
        _MORE + "p20_a_window_whose_messages_were_lost_moves_again",
        schedules=True,
    ),
    _one(
        "keeps_what_was_replaced", "P21", "everwhen.raft.unstable:Unstable.truncate_and_append",
        "self.entries[: first - self.offset] + list(entries)",
        "[*self.entries[: first - self.offset], *entries,"
        " *self.entries[first - self.offset + len(entries) :]]",
        _MORE + "p21_what_was_replaced_is_gone_and_written_again",
    ),
    _one(
        "does_not_write_again_what_was_replaced", "P21",
        "everwhen.raft.unstable:Unstable.truncate_and_append",
        "self.offset_in_progress = min(self.offset_in_progress, first)", "pass",
        _MORE + "p21_what_was_replaced_is_gone_and_written_again",
    ),
    _one(
        "takes_snapshots_that_are_not_newer", "P37", "everwhen.raft.membership:restore",
        "if metadata.index <= raft.log.committed:", "if False:",
        _RULES + "p37_a_snapshot_that_is_not_newer_is_not_taken",
    ),
    _one(
        "believes_writes_by_their_index", "P40", "everwhen.raft.unstable:Unstable.stable_to",
        "known is None or index < self.offset or known != term",
        "known is None or index < self.offset",
        _MORE + "p40_a_write_counts_for_the_entry_it_wrote",
    ),
    _one(
        "believes_writes_of_earlier_terms", "P40", "everwhen.raft.core:Raft.step",
        "elif 0 < message.term < self.term:",
        "elif 0 < message.term < self.term and message.type is not _STORAGE_APPEND_RESP:",
        _RULES + "p40_what_was_written_under_an_earlier_term_proves_nothing",
    ),
    _one(
        "counts_itself_before_it_is_durable", "P42", "everwhen.raft.replication:append_entries",
        "raft.send(Message(_APP_RESP, raft.id, index=last))",
        "raft.tracker.progress[raft.id].maybe_update(last); raft.maybe_commit()",
        _MORE + "p42_a_leader_counts_itself_once_it_is_durable",
        schedules=True,
    ),
)  # fmt: skip

MEMBERSHIP: Final = (
    _one(
        "changes_membership_before_it_knows_of_changes", "P23",
        "everwhen.raft.core:Raft.become_leader",
        "self.pending_conf_index = self.log.last_index()", "pass",
        _MORE + "p23_a_new_leader_changes_no_membership_before_it_applied_its_log",
    ),
    _one(
        "changes_membership_twice_at_a_time", "P24", _LEADER + "_conf_change_refusal",
        "if raft.pending_conf_index > raft.log.applied:", "if False:",
        _MORE + "p24_one_change_at_a_time",
        schedules=True,
    ),
    Mutant(
        "commits_over_the_union_of_both_halves", "P24",
        "everwhen.raft.quorum:JointConfig.committed_index",
        (("    incoming = majority_committed(self.incoming, acked)", f"    return {_UNION}"),),
        ("tests/raft/test_quorum.py::test_joint_committed_needs_both_halves",),
        schedules=True,
    ),
    Mutant(
        "elects_over_the_union_of_both_halves", "P24",
        "everwhen.raft.quorum:JointConfig.vote_result",
        (
            ("    first = majority_vote(self.incoming, votes)",
             "    return majority_vote(self.ids, votes)"),
        ),
        ("tests/raft/test_quorum.py::test_joint_vote_needs_both_halves",),
    ),
    Mutant(
        "forgets_the_old_half_at_a_restart", "P24", _CONFIGURATIONS + "_steps_to",
        (
            ("[Change(ChangeType.ADD_NODE, node) for node in state.voters_outgoing]", "[]"),
            ("[Change(ChangeType.REMOVE_NODE, node) for node in state.voters_outgoing]", "[]"),
        ),
        (_MORE + "p24_p30_a_restart_keeps_both_halves_and_every_role",),
        schedules=True,
    ),
    _one(
        "learners_come_back_as_voters", "P30", _CONFIGURATIONS + "_steps_to",
        "[Change(ChangeType.ADD_LEARNER_NODE, node) for node in state.learners]",
        "[Change(ChangeType.ADD_NODE, node) for node in state.learners]",
        _MORE + "p24_p30_a_restart_keeps_both_halves_and_every_role",
    ),
    _one(
        "decides_alone_after_it_was_removed", "P31", _LEADER + "_begin_read",
        "raft.tracker.is_singleton and raft.id in voters.incoming", "raft.tracker.is_singleton",
        _RULES + "a_removed_leader_of_one_other_voter_answers_no_read_alone",
    ),
    _one(
        "goes_on_sending_to_who_was_removed", "P32", _CONFIGURATIONS + "_remove",
        "del progress[node]", "pass",
        _MORE + "p32_a_removed_member_is_sent_nothing_more",
    ),
    _one(
        "keeps_its_membership_over_a_snapshot", "P35", "everwhen.raft.membership:restore",
        "    switch(raft, *build(raft.tracker, raft.log.last_index(), state))",
        "    return True",
        _MORE + "p35_a_snapshot_brings_its_own_membership",
        schedules=True,
    ),
    _one(
        "sends_nothing_from_before_its_log", "P39",
        "everwhen.raft.replication:maybe_send_append",
        "return _maybe_send_snapshot(raft, to, progress)", "return False",
        _MORE + "p39_who_is_behind_the_log_is_sent_a_snapshot",
        schedules=True,
    ),
    _one(
        "waits_for_a_failed_snapshot_for_ever", "P39", _LEADER + "_step_member",
        "progress.become_probe()\n            # after", "pass\n            # after",
        _MORE + "p39_a_snapshot_that_failed_is_sent_again",
    ),
)  # fmt: skip

READS: Final = (
    _one(
        "answers_reads_before_it_committed", "P49", "everwhen.raft.core:Raft.committed_in_term",
        "return self.log.term_or_zero(self.log.committed) == self.term", "return True",
        _RULES + "p49_no_read_before_a_commit_of_the_own_term",
        schedules=True,
    ),
    _one(
        "confirms_reads_by_earlier_answers", "P50",
        "everwhen.raft.read_only:ReadOnly.acknowledge",
        "self._acked[node] = number", "self._acked[node] = self._confirmed + len(self._waiting)",
        _MORE + "p50_an_answer_confirms_only_what_was_asked_before_it",
    ),
    _one(
        "writes_in_whatever_term", "P51",
        "everwhen.runtime.replica.consensus:GroupConsensus._see_through",
        "if only_in and (", "if False and (",
        _LEADING + "what_it_read_too_early_is_not_written",
    ),
    _one(
        "tells_what_nobody_confirmed", "P51",
        "everwhen.runtime.replica.consensus:GroupConsensus.still_leads",
        "await self._replica.reads.index()", "pass",
        _LEADING + "what_it_found_too_early_is_not_told",
    ),
    _one(
        "answers_reads_without_asking_anybody", "P51", _LEADER + "_begin_read",
        "if alone or", "if True or",
        _MORE + "p51_no_read_before_a_quorum_has_confirmed_the_leader",
        schedules=True,
    ),
    _one(
        "believes_questions_of_earlier_terms", "P51", _LEADER + "_is_confirmed",
        "if request.log_term != raft.term:", "if not request.log_term:",
        _MORE + "p51_who_asks_in_the_present_term_confirms_its_own_read",
    ),
    _one(
        "believes_whoever_asks", "P51", _LEADER + "_is_confirmed",
        "is VoteResult.WON", "is not VoteResult.LOST",
        _MORE + "p51_who_asks_in_the_present_term_confirms_its_own_read",
    ),
    _one(
        "takes_proposals_without_end", "P57", "everwhen.raft.replication:_increase_uncommitted",
        "total > raft.config.max_uncommitted_size", "False",
        _RULES + "p57_what_is_uncommitted_is_bounded_and_a_dropped_change_is_not_pending",
    ),
    _one(
        "keeps_reads_without_end", "P57", _LEADER + "_read_index",
        "elif len(raft.pending_reads) < READS_PENDING_MAX:", "else:",
        _MORE + "p57_reads_that_wait_are_bounded",
    ),
    _one(
        "takes_proposals_while_it_hands_over", "P58", _LEADER + "_propose",
        "if raft.lead_transferee != NO_NODE:", "if False:",
        _RULES + "p58_a_transfer_refuses_proposals_and_ends_with_the_election_timeout",
    ),
    _one(
        "hands_over_for_ever", "P58", "everwhen.raft.core:Raft._tick_heartbeat",
        "\n            self.lead_transferee = NO_NODE", "\n            pass",
        _RULES + "p58_a_transfer_refuses_proposals_and_ends_with_the_election_timeout",
    ),
    _one(
        "hands_over_to_who_lags_behind", "P58", _LEADER + "_transfer",
        "if progress.match == raft.log.last_index():", "if True:",
        _MORE + "p58_a_target_is_told_to_stand_once_it_has_everything",
    ),
    _one(
        "hands_over_to_learners", "P58", _LEADER + "_transfer",
        "if progress.is_learner or to in", "if to in",
        _MORE + "p58_a_learner_is_handed_nothing",
    ),
)  # fmt: skip

MUTANTS: Final = (*COMMIT, *MEMBERSHIP, *READS)
