"""Linearizability of registers, key by key: is there one order of all operations that agrees with
real time and explains every answer? (Wing and Gong 1993, with Lowe's memory of states seen.)

An operation is a ``Operation`` of kind ``read`` (``result``: the value), ``write``
(``arguments["value"]``) or ``cas`` (``arguments["expected"]``, ``arguments["value"]``, ``result``:
whether it swapped), each with ``arguments["key"]``. A register that was never written holds None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Final

from tests.checkers.history import Operation, Outcome, Problem

#: more operations of one key than this are not judged but refused: the search may explode
OPERATIONS_MAX: Final = 4_000


def check(history: Iterable[Operation]) -> list[Problem]:
    """A problem for every key without such an order."""
    keys: dict[Hashable, list[Operation]] = defaultdict(list)
    for each in history:
        if each.kind in ("read", "write", "cas") and _matters(each):
            keys[each.arguments["key"]].append(each)
    problems = []
    for key, operations in keys.items():
        if len(operations) > OPERATIONS_MAX:
            raise ValueError(f"{len(operations)} operations of key {key!r}: use more keys")
        stuck = _stuck(operations)
        if stuck:
            problems.append(Problem("not linearizable", f"key {key!r}: no order explains {stuck}"))
    return problems


def _matters(each: Operation) -> bool:
    """Reads without an answer and what certainly did not happen say nothing."""
    return each.ok or (each.kind != "read" and each.outcome is Outcome.UNKNOWN)


def _step(state: Hashable, each: Operation) -> tuple[bool, Hashable]:
    """Whether the operation could come next, and what the register holds then."""
    if each.kind == "read":
        return each.result == state, state
    if each.kind == "write":
        return True, each.arguments["value"]
    swaps = state == each.arguments["expected"]
    if each.ok and each.result != swaps:
        return False, state
    return True, each.arguments["value"] if swaps else state


class _Events:
    """Beginnings and ends in order, as a list from which operations can be taken and put back."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        marks = [(each.start, 0, at) for at, each in enumerate(operations)]
        marks += [(each.end, 1, at) for at, each in enumerate(operations) if each.ok]
        marks.sort()
        #: place 0 is the head; place p > 0 is event p - 1
        self.is_end = [False, *(bool(kind) for _, kind, _ in marks)]
        self.operation = [-1, *(at for _, _, at in marks)]
        self.next = [*range(1, len(marks) + 1), 0]
        self.previous = [len(marks), *range(len(marks))]
        self.ends = {at: place + 1 for place, (_, kind, at) in enumerate(marks) if kind}

    def take(self, place: int) -> None:
        for gone in (place, self.ends.get(self.operation[place], 0)):
            if gone:
                self.next[self.previous[gone]] = self.next[gone]
                self.previous[self.next[gone]] = self.previous[gone]

    def put_back(self, place: int) -> None:
        for back in (self.ends.get(self.operation[place], 0), place):
            if back:
                self.next[self.previous[back]] = back
                self.previous[self.next[back]] = back


def _stuck(operations: Sequence[Operation]) -> str:
    """An empty text if there is an order, otherwise the operation that never fits."""
    events = _Events(operations)
    state: Hashable = None
    taken = 0
    seen: set[tuple[int, Hashable]] = set()
    stack: list[tuple[int, Hashable]] = []
    furthest, blocker = -1, ""
    place = events.next[0]
    while place:  # coming around to the head: only operations without an end are left
        at = events.operation[place]
        if not events.is_end[place]:
            fits, after = _step(state, operations[at])
            if fits and (taken | 1 << at, after) not in seen:
                taken |= 1 << at
                seen.add((taken, after))
                stack.append((place, state))
                state = after
                events.take(place)
                place = events.next[0]
            else:
                place = events.next[place]
            continue
        if len(stack) > furthest:
            furthest, blocker = len(stack), _named(operations[at])
        if not stack:
            return blocker
        place, state = stack.pop()
        taken &= ~(1 << events.operation[place])
        events.put_back(place)
        place = events.next[place]
    return ""


def _named(each: Operation) -> str:
    answer = f" -> {each.result!r}" if each.kind != "write" else ""
    return (
        f"client {each.client} {each.kind} {each.arguments}{answer} "
        f"[{each.start:.4f}, {each.end:.4f}]"
    )
