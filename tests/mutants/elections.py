"""Mutants of terms, votes and elections (P1 to P8, P25 to P28)."""

from __future__ import annotations

from typing import Final

from tests.mutants.patching import Mutant

_RULES: Final = "tests/raft/test_rules.py::test_"
_VOTES: Final = "tests/raft/test_election_rules.py::test_"
_CORE: Final = "everwhen.raft.core:Raft."
_ELECTION: Final = "everwhen.raft.election:"

MUTANTS: Final = (
    Mutant(
        "commits_earlier_terms_by_counting",
        "P1",
        "everwhen.raft.log:Log.maybe_commit",
        (("index > self.committed and self.match_term(index, term)", "index > self.committed"),),
        (_RULES + "p1_entries_of_earlier_terms_are_not_committed_by_counting",),
        schedules=True,
    ),
    Mutant(
        "tells_votes_before_they_are_durable",
        "P2",
        _CORE + "send",
        (
            (
                "if _AFTER_APPEND[message.type]:",
                "own = message.to == self.id\n    if _AFTER_APPEND[message.type] and (own or message.type is _APP_RESP):",
            ),
        ),
        (_RULES + "p2_a_vote_is_told_only_by_the_write_that_makes_it_durable",),
        schedules=True,
    ),
    Mutant(
        "begins_without_its_vote",
        "P2",
        _CORE + "_load",
        (("self.vote = hard.vote", "self.vote = NO_NODE"),),
        (_VOTES + "p2_a_restarted_node_keeps_term_and_vote",),
        schedules=True,
    ),
    Mutant(
        "begins_in_term_zero",
        "P2",
        _CORE + "_load",
        (("self.term = hard.term", "self.term = 0"),),
        (_VOTES + "p2_a_restarted_node_keeps_term_and_vote",),
        schedules=True,
    ),
    Mutant(
        "acknowledges_entries_before_they_are_durable",
        "P3",
        _CORE + "send",
        (
            (
                "if _AFTER_APPEND[message.type]:",
                "own = message.to == self.id\n    if _AFTER_APPEND[message.type] and (own or message.type is not _APP_RESP):",
            ),
        ),
        (_VOTES + "p3_entries_are_acknowledged_by_the_write_that_makes_them_durable",),
        schedules=True,
    ),
    Mutant(
        "forgets_its_vote_when_it_steps_down",
        "P4",
        _CORE + "_reset",
        (("        self.vote = NO_NODE", "    self.vote = NO_NODE"),),
        (_VOTES + "p4_a_candidate_that_steps_down_in_its_term_votes_for_nobody_else",),
        schedules=True,
    ),
    Mutant(
        "counts_a_vote_for_whoever_has_not_voted",
        "P5",
        "everwhen.raft.tracker:Tracker.record_vote",
        (
            (
                "self.votes.setdefault(node, granted)",
                "self.votes[next((n for n in self.voter_nodes() if n not in self.votes), node)] = granted",
            ),
        ),
        (_VOTES + "p5_a_vote_that_comes_twice_counts_once",),
        schedules=True,
    ),
    Mutant(
        "counts_votes_of_earlier_terms",
        "P5",
        _CORE + "step",
        (
            (
                "elif 0 < message.term < self.term:",
                "elif 0 < message.term < self.term and message.type is not MessageType.VOTE_RESP:",
            ),
        ),
        (_VOTES + "p5_a_vote_of_an_earlier_election_does_not_count",),
    ),
    Mutant(
        "compares_logs_by_length_first",
        "P6",
        "everwhen.raft.log:Log.is_up_to_date",
        (
            (
                "return term > own or (term == own and index >= self.last_index())",
                "last = self.last_index()\n    return index > last or (index == last and term >= own)",
            ),
        ),
        (_VOTES + "p6_the_term_of_the_last_entry_decides_before_the_length",),
        schedules=True,
    ),
    Mutant(
        "votes_for_shorter_logs",
        "P6",
        "everwhen.raft.log:Log.is_up_to_date",
        (("index >= self.last_index()", "True"),),
        (_VOTES + "p6_the_term_of_the_last_entry_decides_before_the_length",),
        schedules=True,
    ),
    Mutant(
        "stands_on_after_a_refusal_of_a_later_term",
        "P7",
        _CORE + "_take_newer_term",
        (
            (
                "if kind is _PRE_VOTE_RESP and not message.reject:",
                "if kind is _PRE_VOTE_RESP or kind is MessageType.VOTE_RESP:",
            ),
        ),
        (_VOTES + "p7_a_refusal_of_a_later_term_ends_the_candidacy",),
    ),
    Mutant(
        "does_not_vote_for_itself",
        "P8",
        _ELECTION + "campaign",
        (("raft.send(Message(answer, node, term=term))", "continue"),),
        (_RULES + "p42_a_leader_alone_commits_once_it_is_durable",),
        schedules=True,
    ),
    Mutant(
        "asks_in_the_name_of_a_leader",
        "P25",
        _CORE + "become_pre_candidate",
        (("self.lead = NO_NODE", "pass"),),
        (_VOTES + "p25_who_asks_for_votes_protects_no_leader",),
    ),
    Mutant(
        "refuses_a_question_without_its_term",
        "P26",
        _CORE + "_answer_older_term",
        (("term=self.term, reject=True", "term=message.term, reject=True"),),
        (_VOTES + "p26_a_refusal_carries_the_later_term",),
    ),
    Mutant(
        "leads_on_without_a_quorum",
        "P27",
        "everwhen.raft.leader:_check_quorum",
        (("if not raft.tracker.quorum_active():", "if False:"),),
        (_VOTES + "p27_a_leader_that_hears_no_quorum_steps_down",),
    ),
    Mutant(
        "lets_an_old_leader_go_on",
        "P27",
        _CORE + "_answer_older_term",
        (("if (config.check_quorum or config.pre_vote) and kind in (", "if False and kind in ("),),
        (_VOTES + "p27_an_old_leader_hears_of_the_later_term",),
    ),
    Mutant(
        "unseats_a_leader_that_is_heard",
        "P27",
        _CORE + "_take_newer_term",
        (("if in_lease and message.context != election.TRANSFER:", "if False:"),),
        (_VOTES + "p27_who_hears_a_leader_lets_nobody_unseat_it",),
    ),
    Mutant(
        "stands_with_a_change_unapplied",
        "P28",
        _ELECTION + "hup",
        (("if _has_unapplied_conf_changes(raft):", "if False:"),),
        (_VOTES + "p28_nobody_stands_with_a_committed_change_unapplied",),
    ),
    Mutant(
        "learners_do_not_vote",
        "P28",
        _ELECTION + "answer_vote",
        (("if can_vote and raft", "if can_vote and not raft.is_learner and raft"),),
        (_VOTES + "p28_a_learner_that_is_asked_votes",),
    ),
    Mutant(
        "learns_no_commit_from_votes",
        "P28",
        _ELECTION + "learn",
        (("raft.state is StateType.LEADER", "True"),),
        (
            _VOTES
            + "a_learner_with_the_longest_log_hears_of_its_promotion_by_who_asks_for_its_vote",
        ),
    ),
    Mutant(
        "stands_on_when_a_vote_tells_of_a_change",
        "P28",
        _ELECTION + "learn",
        (("raft.state is not StateType.FOLLOWER", "False"),),
        (_VOTES + "who_stands_and_hears_of_a_committed_change_stands_down_until_it_is_applied",),
    ),
    Mutant(
        "believes_a_commit_of_another_entry",
        "P28",
        "everwhen.raft.log:Log.maybe_commit",
        (("and self.match_term(index, term)", "and index <= self.last_index()"),),
        (_VOTES + "what_a_vote_says_is_committed_is_another_entry_here",),
    ),
)
