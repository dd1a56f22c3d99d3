"""Membership as replicated state: ids never come back, names and disks have one holder."""

from __future__ import annotations

import pytest

from everwhen.apply.machine import Machine
from everwhen.codec import envelope as e
from everwhen.codec.cluster import Configuration
from everwhen.errors import (
    EverwhenError,
    MemberExists,
    MembershipRefused,
    PreconditionFailed,
)
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.state import RecordState
from everwhen.txn import commands as c


class Group:
    """A machine that is fed commands one by one."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.machine = Machine(self.store, RecordState.load(self.store))
        self.index = 0

    def apply(self, command: c.Command) -> c.Reply | EverwhenError:
        self.index += 1
        return self.machine.apply(self.index, 1, c.encode(command))

    def add(self, name: str, disk: bytes, replace: int = 0) -> c.Reply | EverwhenError:
        return self.apply(c.AddMember(c.FORMAT, name, {}, disk, replace, "1", 1))


@pytest.fixture
def group() -> Group:
    made = Group()
    founded = made.apply(c.FoundCluster(c.FORMAT, b"c" * 16, "h", "n1", {}, b"d1", "1", 1))
    assert founded == c.MemberAdded(1)
    return made


def test_founding_happens_once(group: Group) -> None:
    again = group.apply(c.FoundCluster(c.FORMAT, b"x" * 16, "h2", "n9", {}, b"d9", "1", 1))
    assert isinstance(again, MembershipRefused)
    cluster = RecordState.load(group.store).current.cluster
    assert (cluster.cluster_id, cluster.configuration.voters) == (b"c" * 16, [1])


def test_ids_are_never_reused(group: Group) -> None:
    assert group.add("n2", b"d2") == c.MemberAdded(2)
    assert group.add("n2", b"d2") == c.MemberAdded(2, repeated=True)
    assert group.apply(c.ForgetMember(c.FORMAT, 2)) == c.Done()
    assert group.add("n2", b"d2") == c.MemberAdded(3)


def test_a_name_and_a_disk_have_one_holder(group: Group) -> None:
    group.add("n2", b"d2")
    assert isinstance(group.add("n2", b"other"), MemberExists)
    assert isinstance(group.add("n3", b"d2"), MemberExists)
    assert group.add("n2", b"other", replace=2) == c.MemberAdded(3)
    cluster = RecordState.load(group.store).current.cluster
    assert [member.name for member in cluster.members] == ["n1", "n2 (replaced by 3)", "n2"]


def test_who_was_replaced_goes_with_its_vote(group: Group) -> None:
    for number in (2, 3):
        group.add(f"n{number}", b"d%d" % number)
    group.apply(c.Configure(c.FORMAT, Configuration(5, [1, 2, 3])))
    group.add("n3", b"other", replace=3)
    group.add("n3", b"yet another", replace=4)
    group.apply(c.Configure(c.FORMAT, Configuration(6, [1, 2, 3], learners=[5])))
    # member 4 never came into the configuration
    cluster = RecordState.load(group.store).current.cluster
    assert [member.id for member in cluster.members] == [1, 2, 3, 5]
    group.apply(c.Configure(c.FORMAT, Configuration(7, [1, 2, 5], outgoing=[1, 2, 3])))
    assert [m.id for m in RecordState.load(group.store).current.cluster.members] == [1, 2, 3, 5]
    group.apply(c.Configure(c.FORMAT, Configuration(8, [1, 2, 5])))
    assert [m.id for m in RecordState.load(group.store).current.cluster.members] == [1, 2, 5]


def test_whose_place_a_member_takes(group: Group) -> None:
    group.add("n2", b"d2")
    group.apply(c.Configure(c.FORMAT, Configuration(5, [1, 2])))
    group.add("n2", b"other", replace=2)
    group.add("n2", b"yet another", replace=3)
    cluster = RecordState.load(group.store).current.cluster
    assert cluster.replaced_by(4) == [2]
    assert cluster.replaced_by(2) == []


def test_a_configured_member_cannot_be_forgotten(group: Group) -> None:
    group.add("n2", b"d2")
    group.apply(c.Configure(c.FORMAT, Configuration(5, [1], learners=[2])))
    assert isinstance(group.apply(c.ForgetMember(c.FORMAT, 2)), MembershipRefused)


def test_epoch_and_level_only_rise(group: Group) -> None:
    assert group.apply(c.RaiseEpoch(c.FORMAT, 7)) == c.Done()
    assert isinstance(group.apply(c.RaiseEpoch(c.FORMAT, 6)), PreconditionFailed)
    assert group.apply(c.RaiseEpoch(c.FORMAT, 7)) == c.Done()
    assert isinstance(group.apply(c.RaiseFeatureLevel(c.FORMAT, 2)), MembershipRefused)
    assert isinstance(group.apply(c.RaiseFeatureLevel(c.FORMAT, 0)), PreconditionFailed)


def test_the_envelope_carries_the_commit_time(group: Group) -> None:
    command = c.encode(c.CloseTime(c.FORMAT, 5))
    sealed = e.seal(e.Ticket(1, 1, 1), e.Flag.CLOSES, 77, command)
    assert group.machine.apply(group.index + 1, 1, sealed) == c.Done()
    assert RecordState.load(group.store).current.head.closed_time == 77
