"""Mutants of disks, snapshots, clients and apply (P29 to P60 as far as a node expresses them)."""

from __future__ import annotations

from typing import Final

from tests.mutants.patching import Mutant

_LOG: Final = "everwhen.storage.log_segments:"
_RECOVERY: Final = "everwhen.storage.log_recovery:"
_SNAPSHOT: Final = "everwhen.storage.snapshot_files:"
_PROPOSALS: Final = "everwhen.runtime.replica.proposals:Proposals."
_STORAGE: Final = "tests/unit/storage/test_"
_REPLICA: Final = "tests/unit/runtime/replica/test_"
_APPLY: Final = "tests/unit/apply/test_"


def _one(name: str, pitfall: str, where: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, pitfall, where, ((old, new),), tests)


IDENTITY: Final = (
    _one(
        "takes_another_disk_for_the_member", "P29", "everwhen.runtime.replica.peers:objection",
        "if known is not None and headers", "if False and headers",
        _REPLICA + "handshake.py::test_who_means_somebody_else_may_not",
    ),
    _one(
        "answers_what_was_meant_for_an_earlier_disk", "P29",
        "everwhen.runtime.replica.peers:objection",
        "if headers.get(wire.HEADER_TO_DISK) != str(disk_id):", "if False:",
        _REPLICA + "handshake.py::test_who_means_somebody_else_may_not",
    ),
    _one(
        "gives_out_node_ids_again", "P29", "everwhen.apply.cluster:Clusters.add",
        "number = cluster.next_member", "number = max(m.id for m in cluster.members) + 1",
        _APPLY + "cluster.py::test_ids_are_never_reused",
    ),
    _one(
        "lets_a_new_disk_have_an_old_name", "P29", "everwhen.apply.cluster:Clusters.add",
        "if holder is not None and command.replace != holder.id:", "if False:",
        _APPLY + "cluster.py::test_a_name_and_a_disk_have_one_holder",
    ),
    _one(
        "binds_a_directory_twice", "P33", "everwhen.storage.identity:assign",
        "if known.node_id:", "if False:",
        _STORAGE + "identity.py::test_an_assignment_is_for_ever",
    ),
    _one(
        "founds_a_cluster_twice", "P33", "everwhen.apply.cluster:Clusters.found",
        "if self._work.cluster.members:", "if False:",
        _APPLY + "cluster.py::test_founding_happens_once",
    ),
    _one(
        "speaks_to_other_clusters", "P34", "everwhen.runtime.replica.peers:objection",
        "if headers.get(wire.HEADER_CLUSTER) != str(cluster_id):", "if False:",
        _REPLICA + "handshake.py::test_who_means_somebody_else_may_not",
    ),
    _one(
        "knows_no_committed_change_when_it_starts", "P28",
        "everwhen.runtime.replica.log_view:membership_entries",
        "return before, newest", "return 0, newest",
        _REPLICA + "log_view.py::test_all_but_the_newest_membership_entry_are_committed",
    ),
    _one(
        "keeps_who_was_replaced", "P29", "everwhen.apply.cluster:Clusters.configure",
        "if member.id in gone:", "if False:",
        _APPLY + "cluster.py::test_who_was_replaced_goes_with_its_vote",
    ),
)  # fmt: skip

LOG: Final = (
    _one(
        "relies_on_what_a_failed_sync_left", "P45",
        "everwhen.storage.segment_file:Segment.go_on",
        "write_all(file, file.pread(found.end - newest, newest), newest)", "pass",
        _STORAGE + "log_segments.py::test_what_a_failed_sync_left_in_the_cache_is_not_relied_on",
    ),
    _one(
        "writes_replacements_with_what_they_replace", "P43",
        "everwhen.runtime.replica.persist:Persister.persist",
        "full or entry.index != run[-1].index + 1", "full",
        _REPLICA + "persist.py::test_a_replacement_needs_no_vote_to_be_one",
    ),
    _one(
        "replays_no_replacement", "P43", _RECOVERY + "Index.add",
        "if first <= self.last_index:", "if False:",
        _STORAGE + "log_machine.py",
    ),
    _one(
        "starts_with_a_commit_beyond_its_log", "P44", _RECOVERY + "_check_against_meta",
        "if found.index.last_index < meta.commit:", "if False:",
        _STORAGE + "log_damage.py::test_a_commit_beyond_the_log_is_refused",
    ),
    _one(
        "writes_on_after_a_failed_sync", "P45", _LOG + "SegmentedLog.fail",
        "self.latch(fault)", "pass",
        _STORAGE + "log_segments.py::test_a_failed_sync_is_never_reported_as_success",
    ),
    _one(
        "takes_a_failed_sync_for_success", "P45", _LOG + "_Guard.__exit__",
        "raise self._log.fail(self._doing, error) from error", "return True",
        _STORAGE + "log_segments.py::test_a_failed_sync_is_never_reported_as_success",
    ),
    _one(
        "does_not_look_behind_damage", "P46", _RECOVERY + "_judge_end",
        "if later is not None:", "if False:",
        _STORAGE + "log_damage.py::test_a_lost_write_in_the_middle_is_refused_with_file_and_offset",
    ),
    _one(
        "starts_with_a_log_that_lost_its_end", "P46", _RECOVERY + "_check_against_meta",
        "if found.last_frame < meta.synced_frame:", "if False:",
        _STORAGE + "log_damage.py::test_no_end_of_a_file_can_be_lost_unnoticed",
    ),
    _one(
        "goes_on_beside_a_half_written_batch", "P48", _LOG + "SegmentedLog.fail",
        "self.latch(fault)", "pass",
        _STORAGE + "log_segments.py::test_a_full_disk_ends_the_log_and_leaves_it_readable",
    ),
    _one(
        "the_outvoted_do_not_mind", "P47", "everwhen.runtime.replica.digests:first_difference",
        "count > len(voters) // 2 and digest != own[index]", "False",
        _REPLICA + "digests.py::test_one_against_two_is_outvoted",
    ),
)  # fmt: skip

SNAPSHOTS: Final = (
    _one(
        "takes_snapshots_that_arrived_damaged", "P38", _SNAPSHOT + "finish_incoming",
        "if not whole:", "if False:",
        _STORAGE + "snapshot_files.py::test_a_damaged_file_is_asked_for_again",
    ),
    _one(
        "switches_before_the_snapshot_is_durable", "P38", _SNAPSHOT + "finish_incoming",
        "                file.sync()", "                pass",
        _STORAGE + "snapshot_files.py::test_the_power_may_go_at_any_moment",
    ),
    _one(
        "snapshots_take_promised_entries_with_them", "P37",
        "everwhen.storage.directory:DataDirectory.open",
        " and log.term(here.index) != here.term", "",
        _STORAGE + "directory.py::test_a_snapshot_takes_the_place_of_what_it_covers",
    ),
    _one(
        "puts_files_where_the_sender_says", "P38", _SNAPSHOT + "decode_manifest",
        'if "/" in file.name or file.name in ("", ".", ".."):', "if False:",
        _STORAGE + "snapshot_files.py::test_a_file_name_cannot_lead_elsewhere",
    ),
    _one(
        "drops_the_log_before_the_record_is_durable", "P39",
        "everwhen.runtime.background:Background.flush",
        'await self._threads.run("background", self._store.flush)', "pass",
        "tests/unit/runtime/test_flushing.py",
    ),
    _one(
        "drops_the_log_up_to_its_end", "P39", "everwhen.runtime.background:Background.flush",
        "self._member.compact_up_to(durable)", "self._member.compact_up_to(index)",
        "tests/unit/runtime/test_flushing.py",
    ),
)  # fmt: skip

CLIENTS: Final = (
    _one(
        "takes_applied_entries_again", "P41", "everwhen.apply.machine:Machine.apply_batch",
        "if index <= work.applied_index:", "if False:",
        _APPLY + "replay.py::test_replay_after_a_crash_gives_the_same_record",
    ),
    _one(
        "writes_the_applied_index_later", "P41", "everwhen.apply.machine:Machine.apply_batch",
        "work.applied_index = index\n", "work.applied_index = index - 1\n",
        _APPLY + "replay.py::test_replay_after_a_crash_gives_the_same_record",
    ),
    _one(
        "shares_a_round_that_was_asked_before", "P50",
        "everwhen.runtime.replica.reads:ReadRounds.confirmed",
        "if context not in self._rounds:", "if False:",
        _REPLICA + "reads.py::test_who_comes_while_a_round_is_under_way_waits_for_the_next",
    ),
    _one(
        "reads_of_all_nodes_look_alike", "P52", "everwhen.runtime.replica.reads:ReadRounds._send",
        "_NUMBER.pack(self._node_id, self._number)", "_NUMBER.pack(0, self._number)",
        _REPLICA + "reads.py::test_a_round_of_another_node_confirms_nothing_here",
    ),
    _one(
        "asks_a_new_leader_nothing", "P52",
        "everwhen.runtime.replica.reads:ReadRounds.leader_changed",
        "if self._in_round and self._timer is not None:", "if False:",
        _REPLICA
        + "reads.py::test_a_new_leader_is_asked_anew_and_late_answers_of_the_old_one_count_for_it",
    ),
    _one(
        "commits_into_closed_time", "P53", "everwhen.apply.commits:Commits.check_time",
        "if time > work.closed_time:", "if True:",
        _APPLY + "conflicts.py::test_time_closes",
    ),
    _one(
        "takes_time_for_an_answer", "P54", _PROPOSALS + "expire",
        "if proposal.term:", "if False:",
        _REPLICA + "proposals.py::test_time_is_no_answer_to_what_is_in_a_log",
    ),
    _one(
        "offers_again_what_may_be_in", "P54", _PROPOSALS + "term_applied",
        "0 < proposal.term < term", "0 < proposal.term <= term",
        _REPLICA + "proposals.py::test_its_own_term_and_earlier_ones_tell_nothing",
    ),
    _one(
        "offers_again_what_a_snapshot_skipped", "P54", _PROPOSALS + "skipped_to",
        "0 < proposal.term <= term", "False",
        _REPLICA + "proposals.py::test_what_a_snapshot_skipped_is_unknown",
    ),
    _one(
        "leaves_waiters_alone_at_the_end", "P54", _PROPOSALS + "fail",
        "if not proposal.outcome.done():", "if False:",
        _REPLICA + "proposals.py::test_who_waits_hears_when_the_node_stops",
    ),
    _one(
        "takes_tickets_of_an_earlier_life_for_its_own", "P22", _PROPOSALS + "is_own",
        "ticket.node == self._node_id and ticket.incarnation == self._incarnation",
        "ticket.node == self._node_id",
        _REPLICA + "proposals.py::test_tickets_of_another_life_are_not_its_own",
    ),
    _one(
        "does_every_request_again", "P55", "everwhen.apply.commits:Commits.repeated",
        "if value is None:", "if True:",
        _APPLY + "conflicts.py::test_a_request_id_has_one_effect",
    ),
    _one(
        "keeps_request_ids_out_of_the_record", "P55", "everwhen.apply.commits:Commits.enter",
        "put(key, encode_outcome(version, time))", "pass",
        _APPLY + "conflicts.py::test_a_request_id_has_one_effect",
    ),
    _one(
        "computes_by_where_things_lie_in_memory", "P56", "everwhen.apply.machine:Machine._outcome",
        'self._work.note(b"\\x01", self._work.chain,',
        'self._work.note(b"\\x01", b"%d" % id(self), self._work.chain,',
        _APPLY + "replay.py::test_replay_after_a_crash_gives_the_same_record",
    ),
    _one(
        "applies_what_a_newer_build_means", "P60", "everwhen.apply.machine:_decode",
        "if command.format > c.FORMAT:", "if False:",
        _APPLY + "replay.py::test_entries_nobody_understands_stop_the_machine",
    ),
    _one(
        "beats_wait_behind_entries", "P59", "everwhen.runtime.replica.peers:Peers.send",
        'lanes["urgent" if urgent else "bulk"]', 'lanes["bulk"]',
        _REPLICA + "peers.py::test_urgent_messages_have_a_lane_of_their_own",
    ),
    _one(
        "uses_levels_that_not_all_have", "P60", "everwhen.apply.users:Users._check_level",
        'check_level(self._work.cluster, LEVEL_USERS, "users")', "pass",
        _APPLY + "users.py::test_below_the_feature_level_there_are_no_users",
    ),
    _one(
        "raises_the_level_above_a_member", "P60", "everwhen.apply.cluster:Clusters.raise_level",
        "if behind:", "if False:",
        _APPLY + "cluster.py::test_epoch_and_level_only_rise",
    ),
)  # fmt: skip

MUTANTS: Final = (*IDENTITY, *LOG, *SNAPSHOTS, *CLIENTS)
