"""Users as replicated state: one name each, kept over a reopening, hidden in every listing."""

from __future__ import annotations

import pytest

from everwhen.apply.machine import Machine
from everwhen.codec.cluster import LEVEL_FULLTEXT
from everwhen.codec.dump import Names, line
from everwhen.codec.keys import meta_key
from everwhen.codec.users import META_USER, Credential, User
from everwhen.errors import EverwhenError, PreconditionFailed, QueryArgumentError
from everwhen.model.fulltext_index import FulltextConfig
from everwhen.model.vector_index import VectorConfig
from everwhen.mvcc.memory import MemoryStore
from everwhen.mvcc.report import Report
from everwhen.mvcc.state import RecordState
from everwhen.mvcc.verify_bytes import check_bytes
from everwhen.txn import commands as c

ONE = Credential(2, 8, 1, b"salt one", b"secret-hash-one")
TWO = Credential(2, 8, 1, b"salt two", b"secret-hash-two")


class Group:
    """A machine that is fed commands one by one."""

    def __init__(self, level: int = 2) -> None:
        self.store = MemoryStore()
        self.machine = Machine(self.store, RecordState.load(self.store))
        self.index = 0
        self.apply(c.FoundCluster(c.FORMAT, b"c" * 16, "h", "n1", {}, b"d1", "1", level))

    def apply(self, command: c.Command) -> c.Reply | EverwhenError:
        self.index += 1
        return self.machine.apply(self.index, 1, c.encode(command))

    def create(
        self,
        name: str = "ann",
        *,
        if_not_exists: bool = False,
        first: bool = False,
    ) -> bool:
        """Whether something changed."""
        return self.changed(
            c.CreateUser(
                c.FORMAT, name, ONE, False, False, if_not_exists=if_not_exists, first=first
            )
        )

    def changed(self, command: c.Command) -> bool:
        reply = self.apply(command)
        if isinstance(reply, EverwhenError):
            raise reply
        assert isinstance(reply, c.SchemaChanged)
        return reply.changed

    def users(self) -> dict[str, User]:
        """As a reopened record has them, which must be as the machine has them."""
        found = dict(RecordState.load(self.store).current.users)
        report = Report()
        check_bytes(self.store, report)
        assert report.problems == []
        return found


@pytest.fixture
def group() -> Group:
    return Group()


def test_a_name_is_taken_once(group: Group) -> None:
    assert group.create()
    with pytest.raises(QueryArgumentError, match="User already exists"):
        group.create()
    assert not group.create(if_not_exists=True)
    assert group.users() == {"ann": User("ann", ONE)}


def test_names_differ_by_case(group: Group) -> None:
    group.create("ann")
    group.create("Ann")
    assert sorted(group.users()) == ["Ann", "ann"]


def test_or_replace_begins_anew(group: Group) -> None:
    group.create()
    group.changed(c.AlterUser(c.FORMAT, "ann", suspended=True))
    assert group.changed(c.CreateUser(c.FORMAT, "ann", TWO, True, False, replace=True))
    assert group.users() == {"ann": User("ann", TWO, must_change=True)}


def test_the_first_user_is_only_made_where_there_is_none(group: Group) -> None:
    assert group.create(first=True)
    assert not group.create("bob", first=True)
    assert list(group.users()) == ["ann"]


def test_alter_changes_what_it_names(group: Group) -> None:
    group.create()
    assert group.changed(c.AlterUser(c.FORMAT, "ann", must_change=True))
    assert group.changed(c.AlterUser(c.FORMAT, "ann", TWO, suspended=True))
    assert group.users() == {"ann": User("ann", TWO, must_change=True, suspended=True)}
    assert not group.changed(c.AlterUser(c.FORMAT, "ann", suspended=True))
    assert not group.changed(c.AlterUser(c.FORMAT, "bob", suspended=True, if_exists=True))
    with pytest.raises(QueryArgumentError, match="User does not exist"):
        group.changed(c.AlterUser(c.FORMAT, "bob", suspended=True))


def test_of_two_who_change_a_password_at_once_one_succeeds(group: Group) -> None:
    group.create()
    assert group.changed(c.AlterUser(c.FORMAT, "ann", TWO, expected=ONE))
    with pytest.raises(PreconditionFailed):
        group.changed(c.AlterUser(c.FORMAT, "ann", ONE, expected=ONE))


def test_a_dropped_user_is_gone_and_the_name_free(group: Group) -> None:
    group.create()
    assert group.changed(c.DropUser(c.FORMAT, "ann"))
    assert group.users() == {}
    assert not group.changed(c.DropUser(c.FORMAT, "ann", if_exists=True))
    with pytest.raises(QueryArgumentError, match="User does not exist"):
        group.changed(c.DropUser(c.FORMAT, "ann"))
    assert group.create()


def test_dropped_and_created_in_one_batch_of_entries(group: Group) -> None:
    made = c.CreateUser(c.FORMAT, "ann", ONE, False, False)
    commands: list[c.Command] = [made, c.DropUser(c.FORMAT, "ann"), made]
    entries = [(group.index + 1 + at, 1, c.encode(each)) for at, each in enumerate(commands)]
    for outcome in group.machine.apply_batch(entries):
        assert isinstance(outcome, c.SchemaChanged)
    assert list(group.users()) == ["ann"]


def test_below_the_feature_level_there_are_no_users() -> None:
    group = Group(level=1)
    for command in (
        c.CreateUser(c.FORMAT, "ann", ONE, False, False),
        c.AlterUser(c.FORMAT, "ann"),
        c.DropUser(c.FORMAT, "ann"),
    ):
        assert isinstance(group.apply(command), PreconditionFailed)
    assert group.users() == {}


def test_below_the_feature_level_there_are_no_vector_indexes() -> None:
    index = c.CreateConstraint(
        c.FORMAT,
        "v",
        "VECTOR",
        "NODE",
        "D",
        ["e"],
        VectorConfig.of({"indexConfig": {"vector.dimensions": 2}}).text(),
        False,
    )
    assert isinstance(Group(level=2).apply(index), PreconditionFailed)
    assert isinstance(Group(level=3).apply(index), c.SchemaChanged)


def test_below_the_feature_level_there_are_no_full_text_indexes() -> None:
    config = FulltextConfig.of(["D"], {}).text()
    index = c.CreateConstraint(c.FORMAT, "t", "FULLTEXT", "NODE", "D", ["e"], config, False)
    assert isinstance(Group(level=LEVEL_FULLTEXT - 1).apply(index), PreconditionFailed)
    assert isinstance(Group(level=LEVEL_FULLTEXT).apply(index), c.SchemaChanged)


def test_what_changes_a_user_changes_the_digest() -> None:
    one, two = Group(), Group()
    one.create()
    two.changed(c.CreateUser(c.FORMAT, "ann", TWO, False, False))
    assert one.machine.digest != two.machine.digest


def test_no_listing_shows_a_hash(group: Group) -> None:
    group.create()
    key = meta_key(META_USER + "ann")
    value = group.store.get(key)
    assert value is not None
    shown = line(key, value, Names.none())
    assert shown.startswith("meta user:ann = User(name='ann'")
    command = c.CreateUser(c.FORMAT, "ann", ONE, False, False)
    for text in (shown, repr(command), repr(c.AlterUser(c.FORMAT, "ann", ONE, expected=TWO))):
        assert "hash-" not in text
        assert "salt" not in text
