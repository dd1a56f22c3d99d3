"""Checking passwords: what is asked of a thread, what is remembered, what is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, TypeVarTuple, cast

import pytest

from everwhen.codec.users import User
from everwhen.errors import (
    AuthenticationRateLimit,
    AuthorizationExpired,
    QueryArgumentError,
    TooManyRequests,
    Unauthorized,
)
from everwhen.runtime.passwords import (
    check_password,
    check_user_name,
    decoy,
    hash_password,
    matches,
)
from everwhen.runtime.system import SystemRandom, SystemThreads
from everwhen.runtime.twins.time_and_chance import VirtualClock
from everwhen.server.auth import users
from everwhen.server.auth.attempts import Ledger
from everwhen.server.auth.port import NoAuthentication, Principal
from everwhen.server.auth.users import Users

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
RIGHT = "correct horse"
CREDENTIAL = hash_password(RIGHT, SystemRandom())
OTHER = hash_password("battery staple", SystemRandom())


class Counting(SystemThreads):
    """Real threads that count what they are asked to check."""

    def __init__(self) -> None:
        super().__init__({"auth": 2})
        self.checks: list[Any] = []

    async def run(
        self,
        pool: str,
        call: Callable[[*_Ts], _T],
        *arguments: *_Ts,
        stop: Callable[[], None] | None = None,
    ) -> _T:
        assert pool == "auth"
        self.checks.append(cast("tuple[Any, ...]", arguments)[0])
        return await super().run(pool, call, *arguments, stop=stop)


@dataclass
class World:
    """An authenticator over users that the test changes."""

    threads: Counting
    clock: VirtualClock = field(default_factory=VirtualClock)
    users: dict[str, User] = field(default_factory=lambda: {"ann": User("ann", CREDENTIAL)})
    told: list[tuple[str, str, str]] = field(default_factory=list)
    keeper: Users = field(init=False)

    def __post_init__(self) -> None:
        ledger = Ledger(self.clock, 3, 5.0)
        self.keeper = Users(
            lambda: self.users,
            self.threads,
            SystemRandom(),
            ledger,
            lambda *event: self.told.append(event),
        )

    def knock(
        self, password: str = RIGHT, name: str = "ann", remote: str = "there"
    ) -> Coroutine[Any, Any, Principal]:
        return self.keeper.authenticate("basic", name, password, remote)

    def fails(self, password: str, kind: type[Exception] = Unauthorized, name: str = "ann") -> None:
        with pytest.raises(kind):
            asyncio.run(self.knock(password, name))


@pytest.fixture
def world() -> Iterator[World]:
    threads = Counting()
    yield World(threads)
    threads.close()


def test_what_was_right_once_is_not_checked_again(world: World) -> None:
    for _ in range(3):
        assert asyncio.run(world.knock()) == Principal("ann", False, CREDENTIAL)
    assert len(world.threads.checks) == 1


def test_many_with_the_same_password_at_once_cost_one_check(world: World) -> None:
    async def all_at_once() -> None:
        await asyncio.gather(*(world.knock() for _ in range(20)))

    asyncio.run(all_at_once())
    assert len(world.threads.checks) == 1


def test_who_is_expected_does_not_wait_for_the_check(world: World) -> None:
    for _ in range(2):
        asyncio.run(world.keeper.expect("ann", RIGHT))
    assert world.threads.checks == [CREDENTIAL]
    asyncio.run(world.knock())
    assert world.threads.checks == [CREDENTIAL]


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("bob", RIGHT)])
def test_who_is_expected_with_a_wrong_password_is_no_attempt(
    world: World, name: str, password: str
) -> None:
    for _ in range(6):
        asyncio.run(world.keeper.expect(name, password))
    assert world.told == []
    with pytest.raises(Unauthorized):
        asyncio.run(world.knock(password, name))


def test_a_changed_password_is_not_remembered(world: World) -> None:
    asyncio.run(world.knock())
    world.users["ann"] = User("ann", OTHER)
    world.fails(RIGHT)
    assert asyncio.run(world.knock("battery staple")).credential == OTHER


def test_a_name_nobody_has_costs_as_much_as_any(world: World) -> None:
    world.fails(RIGHT, name="nobody")
    [checked] = world.threads.checks
    assert (checked.n, checked.r, checked.p) == (CREDENTIAL.n, CREDENTIAL.r, CREDENTIAL.p)
    assert not matches(decoy(SystemRandom()), "")
    assert world.told == [("authentication_failed", "nobody", "there")]


def test_after_too_many_failures_one_attempt_per_lock_time(world: World) -> None:
    for number in range(3):
        world.fails(f"wrong {number}")
    world.fails(RIGHT, AuthenticationRateLimit)
    world.clock.advance(4.9)
    world.fails(RIGHT, AuthenticationRateLimit)
    world.clock.advance(0.2)
    world.fails("wrong again")
    world.fails(RIGHT, AuthenticationRateLimit)
    world.clock.advance(5.1)
    asyncio.run(world.knock())
    world.fails("wrong once more")
    asyncio.run(world.knock())
    assert len(world.threads.checks) == 6


def test_failures_are_counted_by_user_and_address(world: World) -> None:
    for number in range(3):
        world.fails(f"wrong {number}")
    assert asyncio.run(world.knock(remote="elsewhere")).name == "ann"
    world.fails(RIGHT, name="bob")


def test_who_is_remembered_comes_in_while_others_guess(world: World) -> None:
    asyncio.run(world.knock())
    for number in range(3):
        world.fails(f"wrong {number}")
    assert asyncio.run(world.knock()).name == "ann"


def test_a_long_password_is_refused_without_a_check(world: World) -> None:
    world.fails("x" * 100_000)
    assert world.threads.checks == []


def test_so_many_wait_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # each one that waits is a password hashed, which is slow on purpose
    monkeypatch.setattr(users, "AUTH_CHECKS_WAITING_MAX", 5)

    async def crowd() -> list[BaseException | Principal]:
        knocks = (world.knock(f"wrong {n}", f"user {n}") for n in range(20))
        return await asyncio.gather(*knocks, return_exceptions=True)

    kinds = [type(outcome) for outcome in asyncio.run(crowd())]
    assert kinds.count(Unauthorized) == 5
    assert kinds.count(TooManyRequests) == 15


def test_other_schemes_are_refused(world: World) -> None:
    for scheme in ("none", "bearer", "kerberos", "x" * 10_000):
        with pytest.raises(Unauthorized) as refused:
            asyncio.run(world.keeper.authenticate(scheme, "ann", RIGHT, "there"))
        assert len(str(refused.value)) < 300
    assert world.threads.checks == []


def test_present_follows_the_user(world: World) -> None:
    who = Principal("ann", False, CREDENTIAL)
    assert world.keeper.present(who) is who
    world.users["ann"] = User("ann", CREDENTIAL, must_change=True)
    assert world.keeper.present(who).must_change_password
    for gone in ({"ann": User("ann", OTHER)}, {"ann": User("ann", CREDENTIAL, suspended=True)}, {}):
        world.users = gone
        with pytest.raises(AuthorizationExpired):
            world.keeper.present(who)


def test_whoever_changed_the_own_password_is_known_before_and_after_it_arrives(
    world: World,
) -> None:
    who = Principal("ann", False, OTHER, former=CREDENTIAL)
    world.users["ann"] = User("ann", CREDENTIAL, must_change=True)
    assert world.keeper.present(who) == who
    world.users["ann"] = User("ann", OTHER)
    arrived = world.keeper.present(who)
    assert arrived == Principal("ann", False, OTHER)
    world.users["ann"] = User("ann", CREDENTIAL)
    with pytest.raises(AuthorizationExpired):
        world.keeper.present(arrived)


def test_where_nobody_is_asked_everybody_is_nobody() -> None:
    nobody = NoAuthentication()
    assert asyncio.run(nobody.authenticate("none", "x", "y", "z")) == Principal()
    assert nobody.present(Principal()) == Principal()


@pytest.mark.parametrize("name", ["", "a:b", "a,b", "a\nb", "a\0", "x" * 101])
def test_names_nobody_may_have(name: str) -> None:
    with pytest.raises(QueryArgumentError):
        check_user_name(name)


@pytest.mark.parametrize("name", ["a", "neo4j", "Ada Lovelace", "ада", "o'neil@example.org"])
def test_names_somebody_may_have(name: str) -> None:
    check_user_name(name)


@pytest.mark.parametrize("password", ["", "short", "x" * 1_001])
def test_passwords_nobody_may_have(password: str) -> None:
    with pytest.raises(QueryArgumentError) as refused:
        check_password(password, 8)
    assert not password or password not in str(refused.value)


def test_equal_passwords_have_different_hashes() -> None:
    again = hash_password(RIGHT, SystemRandom())
    assert again != CREDENTIAL
    assert matches(again, RIGHT)
    assert not matches(again, RIGHT + " ")
