"""Each judge against histories with one anomaly each, and against correct ones."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.checkers import appends, registers, sums
from tests.checkers.history import Operation, Outcome, Problem


def op(kind: str, start: float, end: float, result: Any = None, **arguments: Any) -> Operation:
    return Operation(0, start, kind, arguments, end, Outcome.OK, result)


def unknown(kind: str, start: float, **arguments: Any) -> Operation:
    return Operation(0, start, kind, arguments)


def failed(kind: str, start: float, **arguments: Any) -> Operation:
    return Operation(0, start, kind, arguments, start + 1, Outcome.FAILED)


def write(start: float, end: float, value: int) -> Operation:
    return op("write", start, end, key="x", value=value)


def read(start: float, end: float, value: int | None) -> Operation:
    return op("read", start, end, value, key="x")


def cas(start: float, end: float, old: int, new: int, done: bool) -> Operation:
    return op("cas", start, end, done, key="x", expected=old, value=new)


def names(problems: list[Problem]) -> set[str]:
    return {problem.anomaly for problem in problems}


# --- registers ---

LINEARIZABLE = {
    "in order": [write(0, 1, 1), read(2, 3, 1)],
    "a read beside a write may see either": [write(0, 4, 1), read(1, 2, 1), read(1, 2, None)],
    "an unknown write may come late": [
        unknown("write", 0, key="x", value=1),
        read(1, 2, None),
        read(8, 9, 1),
    ],
    "an unknown write may never come": [unknown("write", 0, key="x", value=1), read(1, 2, None)],
    "a failed write is none": [failed("write", 0, key="x", value=1), read(2, 3, None)],
    "swaps": [write(0, 1, 1), cas(2, 3, 1, 2, True), cas(4, 5, 1, 3, False), read(6, 7, 2)],
}
NOT_LINEARIZABLE = {
    "stale read": [write(0, 1, 1), write(2, 3, 2), read(4, 5, 1)],
    "lost write": [write(0, 1, 1), read(2, 3, None)],
    "there and gone": [write(0, 9, 1), read(1, 2, 1), read(3, 4, None)],
    "from nowhere": [read(0, 1, 7)],
    "failed and seen": [failed("write", 0, key="x", value=1), read(2, 3, 1)],
    "both swapped": [write(0, 1, 1), cas(2, 5, 1, 2, True), cas(2, 5, 1, 3, True)],
    "swapped and denied": [write(0, 1, 1), cas(2, 3, 1, 2, False), read(4, 5, 1)],
}


@pytest.mark.parametrize("name", LINEARIZABLE)
def test_linearizable(name: str) -> None:
    assert registers.check(LINEARIZABLE[name]) == []


@pytest.mark.parametrize("name", NOT_LINEARIZABLE)
def test_not_linearizable(name: str) -> None:
    assert names(registers.check(NOT_LINEARIZABLE[name])) == {"not linearizable"}


def test_a_long_correct_history_and_one_wrong_answer_in_it() -> None:
    chance = random.Random(7)
    history, value, now = [], None, 0.0
    for number in range(1_500):
        # each takes effect at ``now``, within a span that overlaps those of its neighbours
        now += 1.0
        span = (now - chance.random() * 4, now + chance.random() * 4)
        if chance.random() < 0.4:
            value = number
            history.append(write(*span, number))
        else:
            history.append(read(*span, value))
    assert registers.check(history) == []
    reads = [each for each in history if each.kind == "read" and each.start > 500]
    reads[10].result = history[0].arguments.get("value", -1)
    assert names(registers.check(history)) == {"not linearizable"}


# --- lists ---


def txn(start: float, end: float, *steps: tuple[Any, ...]) -> Operation:
    return op("append-txn", start, end, list(steps))


def r(key: str, *values: int) -> tuple[Any, ...]:
    return ("read", key, list(values))


def a(key: str, value: int) -> tuple[Any, ...]:
    return ("append", key, value)


BAD_LISTS = {
    "G0": [
        txn(0, 9, a("x", 1), a("y", 1)),
        txn(0, 9, a("x", 2), a("y", 2)),
        txn(10, 11, r("x", 1, 2), r("y", 2, 1)),
    ],
    "G1a": [
        Operation(0, 0, "append-txn", {"steps": [a("x", 1)]}, 1, Outcome.FAILED),
        txn(0, 1, r("x", 1)),
    ],
    "G1b": [txn(0, 9, a("x", 1), a("x", 2)), txn(0, 9, r("x", 1))],
    "G1c": [txn(0, 9, a("x", 1), r("y", 1)), txn(0, 9, a("y", 1), r("x", 1))],
    # read skew: one half of the other transaction was seen
    "G-single": [txn(0, 9, a("x", 1), a("y", 1)), txn(0, 9, r("x", 1), r("y"))],
    "internal": [txn(0, 1, a("x", 1), r("x"))],
    "incompatible order": [
        txn(0, 9, a("x", 1)),
        txn(0, 9, a("x", 2)),
        txn(0, 9, r("x", 1, 2)),
        txn(0, 9, r("x", 2, 1)),
    ],
    "duplicate": [txn(0, 9, a("x", 1)), txn(0, 9, r("x", 1, 1))],
    "out of nowhere": [txn(0, 9, r("x", 5))],
    # an acknowledged append that a later transaction does not see
    "G-single-realtime": [txn(0, 1, a("x", 1)), txn(2, 3, r("x")), txn(4, 5, r("x", 1))],
    "G0-realtime": [
        txn(0, 1, a("x", 1)),
        txn(2, 3, a("x", 2)),
        txn(4, 5, r("x", 2, 1)),
    ],
}
#: both read the old, both write: lost update
LOST_UPDATE = [
    txn(0, 9, r("x"), a("x", 1)),
    txn(0, 9, r("x"), a("x", 2)),
    txn(10, 11, r("x", 1, 2)),
]
#: two observers see two independent writes in different orders
LONG_FORK = [
    txn(0, 9, a("x", 1)),
    txn(0, 9, a("y", 1)),
    txn(0, 9, r("x", 1), r("y")),
    txn(0, 9, r("x"), r("y", 1)),
]
WRITE_SKEW = [
    txn(0, 9, r("x"), r("y"), a("x", 1)),
    txn(0, 9, r("x"), r("y"), a("y", 1)),
    txn(10, 11, r("x", 1), r("y", 1)),
]


@pytest.mark.parametrize("name", BAD_LISTS)
def test_lists_with_an_anomaly(name: str) -> None:
    assert name in names(appends.check(BAD_LISTS[name]))


def test_lost_updates_and_long_forks() -> None:
    assert names(appends.check(LOST_UPDATE)) == {"G-single"}
    assert names(appends.check(LONG_FORK)) == {"G-nonadjacent"}


def test_write_skew_is_for_snapshots_only() -> None:
    assert appends.check(WRITE_SKEW) == []
    assert names(appends.check(WRITE_SKEW, serializable=True)) == {"G2"}


def test_a_correct_history_of_lists() -> None:
    chance = random.Random(3)
    lists: dict[str, list[int]] = {key: [] for key in "abcd"}
    history = []
    for number in range(2_000):
        steps: list[tuple[Any, ...]] = []
        for key in chance.sample("abcd", 2):
            steps.append(r(key, *lists[key][-50:]) if len(lists[key]) <= 50 else a(key, -number))
            if steps[-1][0] == "read":
                lists[key].append(number)
                steps.append(a(key, number))
        history.append(txn(number, number + 0.5, *steps))
    assert appends.check(history, serializable=True) == []


def test_unknown_appends_may_show_or_not() -> None:
    one = Operation(0, 0, "append-txn", {"steps": [a("x", 1)]})
    other = Operation(0, 0, "append-txn", {"steps": [a("x", 2)]})
    assert appends.check([one, other, txn(1, 2, r("x")), txn(3, 4, r("x", 2))]) == []


def test_lost_appends() -> None:
    history = [txn(0, 1, a("x", 1)), unknown("append-txn", 0, steps=[a("x", 2)])]
    assert appends.lost(history, {"x": [1]}) == []
    assert names(appends.lost(history, {"x": []})) == {"lost"}


# --- sums ---


def test_bank() -> None:
    good = op("total", 0, 1, [50, 50])
    assert sums.bank([good], 100) == []
    assert names(sums.bank([good, op("total", 0, 1, [60, 50])], 100)) == {"wrong total"}
    assert names(sums.bank([op("total", 0, 1, [-1, 101])], 100)) == {"overdrawn"}


def test_counters() -> None:
    history = [op("add", 0, 1, key="c"), op("add", 0, 1, key="c"), unknown("add", 0, key="c")]
    assert sums.counters([*history, failed("add", 0, key="c")], {"c": 3}) == []
    assert sums.counters(history, {"c": 2}) == []
    assert names(sums.counters(history, {"c": 1})) == {"lost update"}
    assert names(sums.counters(history, {"c": 4})) == {"counted twice"}


def test_sets_and_unique_values() -> None:
    history = [
        op("insert", 0, 1, value=1),
        unknown("insert", 0, value=2),
        failed("insert", 0, value=3),
    ]
    assert sums.members_of_set(history, [1]) == []
    assert sums.members_of_set(history, [1, 2]) == []
    assert names(sums.members_of_set(history, [2])) == {"lost"}
    assert names(sums.members_of_set(history, [1, 3])) == {"failed and there"}
    assert names(sums.members_of_set(history, [1, 9])) == {"out of nowhere"}
    assert names(sums.members_of_set(history, [1, 1])) == {"twice"}
    claims = [op("claim", 0, 1, value="v"), failed("claim", 0, value="v")]
    assert sums.unique(claims, ["v"]) == []
    assert names(sums.unique([*claims, claims[0]], ["v"])) == {"claimed twice"}
    assert names(sums.unique(claims, ["v", "v"])) == {"not unique"}
    assert names(sums.unique(claims, [])) == {"lost"}


def test_the_past_and_the_end() -> None:
    asked = [op("past", 0, 1, 5, moment="t1", node=node, question="q") for node in ("n1", "n2")]
    assert sums.repeatable([*asked, op("past", 0, 1, 6, moment="t2", node="n1")]) == []
    asked[1].result = 6
    assert names(sums.repeatable(asked)) == {"the past changed"}
    assert sums.same_everywhere({"n1": "d", "n2": "d"}) == []
    assert names(sums.same_everywhere({"n1": "d", "n2": "e"})) == {"nodes differ"}
