"""A data directory belongs to nobody, then to one node of one cluster for ever."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from everwhen.errors import MembershipRefused
from everwhen.runtime.twins.disk import PowerCut, TwinDisk
from everwhen.runtime.twins.time_and_chance import SeededRandom
from everwhen.storage import format as layout
from everwhen.storage.files import write_note
from everwhen.storage.identity import asks_for_vote, assign, forget_to_ask, identify
from tests.unit.storage.test_directory import ROOT, open_twin, twin

CLUSTER = UUID(int=77)


def test_an_empty_folder_gets_a_disk_id_of_its_own() -> None:
    disk = twin()
    first = identify(disk, ROOT, SeededRandom(1), holder="p")
    assert first.node_id == 0
    assert first.disk_id.int
    assert identify(disk, ROOT, SeededRandom(2), holder="p") == first
    elsewhere = identify(disk, Path("/srv/other"), SeededRandom(2), holder="p")
    assert elsewhere.disk_id != first.disk_id


def test_nothing_opens_before_it_is_assigned() -> None:
    disk = twin()
    meta = identify(disk, ROOT, SeededRandom(1), holder="p")
    with pytest.raises(MembershipRefused, match="no cluster yet"):
        open_twin(disk)
    assign(disk, ROOT, CLUSTER, 4, holder="p")
    opened = open_twin(disk)
    assert (opened.meta.value.node_id, opened.meta.value.cluster_id) == (4, CLUSTER)
    assert opened.meta.value.disk_id == meta.disk_id
    opened.close()


def test_an_assignment_is_for_ever() -> None:
    disk = twin()
    identify(disk, ROOT, SeededRandom(1), holder="p")
    assign(disk, ROOT, CLUSTER, 4, holder="p")
    assign(disk, ROOT, CLUSTER, 4, holder="p")
    for cluster, node in ((CLUSTER, 5), (UUID(int=78), 4)):
        with pytest.raises(MembershipRefused, match="node 4"):
            assign(disk, ROOT, cluster, node, holder="p")


def test_whether_it_asks_for_its_vote_is_kept_until_it_has_it() -> None:
    disk = twin()
    identify(disk, ROOT, SeededRandom(1), holder="p")
    assert not asks_for_vote(disk, ROOT)
    assign(disk, ROOT, CLUSTER, 4, holder="p", asks_for_vote=True)
    disk = disk.crash()
    open_twin(disk).close()
    assert asks_for_vote(disk, ROOT)
    forget_to_ask(disk, ROOT)
    forget_to_ask(disk, ROOT)
    assert not asks_for_vote(disk.crash(), ROOT)


def test_one_that_asked_in_vain_and_was_admitted_otherwise_waits_to_be_told() -> None:
    disk = twin()
    identify(disk, ROOT, SeededRandom(1), holder="p")
    write_note(disk, ROOT / layout.ASKS, "cut short before the assignment\n")
    assign(disk, ROOT, CLUSTER, 4, holder="p")
    assert not asks_for_vote(disk, ROOT)


def test_the_power_may_go_at_any_moment() -> None:
    cut = True
    step = 0
    while cut:
        step += 1
        disk = TwinDisk(SeededRandom(step))
        disk.power_cut_after(step)
        try:
            identify(disk, ROOT, SeededRandom(1), holder="p")
            assign(disk, ROOT, CLUSTER, 4, holder="p", asks_for_vote=True)
            cut = False
        except PowerCut:
            pass
        disk = disk.crash()
        identify(disk, ROOT, SeededRandom(9), holder="p")
        assign(disk, ROOT, CLUSTER, 4, holder="p", asks_for_vote=True)
        opened = open_twin(disk)
        assert opened.meta.value.node_id == 4
        opened.close()
    assert step > 10
