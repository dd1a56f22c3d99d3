"""Transactions that append to lists and read them, judged as Elle does (Kingsbury and Alvaro 2020):
unique values make every read tell in which order all appends before it happened, and from that
follow dependencies between transactions; a cycle of them is an anomaly, and its kind has a name.

A transaction is an ``Operation`` of kind ``append-txn``; ``result`` (or ``arguments["steps"]`` where
the outcome is unknown) lists steps ``("append", key, value)`` and ``("read", key, [values])``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from tests.checkers import cycles
from tests.checkers.cycles import Edge, Graph
from tests.checkers.history import Operation, Problem, of_kind

Step = tuple[Any, ...]


def check(history: Iterable[Operation], *, serializable: bool = False) -> list[Problem]:
    """What snapshot isolation, or strict serializability, does not allow."""
    transactions = [each for each in of_kind(history, "append-txn") if each.happened]
    failed = [each for each in of_kind(history, "append-txn") if not each.happened]
    judge = _Judge(transactions, failed)
    problems = judge.internal() + judge.values() + judge.orders()
    return problems + judge.cycles(serializable)


class _Judge:
    def __init__(self, transactions: Sequence[Operation], failed: Sequence[Operation]) -> None:
        self.transactions = transactions
        #: (key, value) -> number of the transaction that appended it
        self.writer: dict[tuple[Hashable, Any], int] = {}
        self.twice: list[tuple[Hashable, Any]] = []
        #: the last value each transaction appended to a key
        self.final: dict[tuple[int, Hashable], Any] = {}
        for number, each in enumerate(transactions):
            for kind, key, value in _steps(each):
                if kind == "append":
                    if (key, value) in self.writer:
                        self.twice.append((key, value))
                    self.writer[key, value] = number
                    self.final[number, key] = value
        self.aborted = {
            (key, value) for each in failed for kind, key, value in _steps(each) if kind == "append"
        }
        self.longest: dict[Hashable, list[Any]] = {}
        #: key -> who appended what no read saw: it comes after everything that was seen
        self.unseen: dict[Hashable, list[int]] = defaultdict(list)

    def reads(self) -> Iterable[tuple[int, Hashable, list[Any]]]:
        """What transactions read from outside: a key's list without their own appends."""
        for number, each in enumerate(self.transactions):
            if not each.ok:
                continue
            own: dict[Hashable, int] = defaultdict(int)
            for kind, key, value in _steps(each):
                if kind == "append":
                    own[key] += 1
                else:
                    yield number, key, value[: len(value) - own[key]]

    def internal(self) -> list[Problem]:
        """A transaction sees its own appends, at the end, and nobody else's arriving meanwhile."""
        problems = []
        for each in self.transactions:
            if not each.ok:
                continue
            own: dict[Hashable, list[Any]] = defaultdict(list)
            before: dict[Hashable, list[Any]] = {}
            for kind, key, value in _steps(each):
                if kind == "append":
                    own[key].append(value)
                    continue
                mine = own[key]
                outside = value[: len(value) - len(mine)]
                if value[len(outside) :] != mine or before.setdefault(key, outside) != outside:
                    text = f"client {each.client}: {_steps(each)}"
                    problems.append(Problem("internal", text))
                    break
        return problems

    def values(self) -> list[Problem]:
        """Nothing from failed transactions, nothing twice, nothing half-way, nothing unheard of."""
        problems = [Problem("duplicate", f"{value!r} appended twice") for value in self.twice]
        for number, key, values in self.reads():
            who = f"client {self.transactions[number].client} read {values!r} of {key!r}"
            for value in values:
                if (key, value) in self.aborted:
                    problems.append(Problem("G1a", f"{who}: {value!r} was rolled back"))
                elif (key, value) not in self.writer:
                    problems.append(Problem("out of nowhere", f"{who}: nobody wrote {value!r}"))
            if len(set(values)) < len(values):
                problems.append(Problem("duplicate", who))
            if values:
                last = values[-1]
                writer = self.writer.get((key, last))
                if writer not in (None, number) and self.final[writer or 0, key] != last:
                    problems.append(Problem("G1b", f"{who}: {last!r} was not the last append"))
        return problems

    def orders(self) -> list[Problem]:
        """All reads of a key are beginnings of one list; acknowledged appends are in it."""
        problems = []
        found: dict[Hashable, list[list[Any]]] = defaultdict(list)
        for _, key, values in self.reads():
            found[key].append(values)
        for key, lists in found.items():
            longest = max(lists, key=len)
            self.longest[key] = longest
            problems += [
                Problem("incompatible order", f"{key!r}: {each} {longest}")
                for each in lists
                if each != longest[: len(each)]
            ]
        return problems

    def cycles(self, serializable: bool) -> list[Problem]:
        """Dependencies that run in a circle."""
        graph = Graph(len(self.transactions))
        for (key, value), number in self.writer.items():
            if value not in self.longest.get(key, ()):
                self.unseen[key].append(number)
        for key, order in self.longest.items():
            writers = [self.writer.get((key, value)) for value in order]
            for one, other in pairwise(writers):
                if one is not None and other is not None and one != other:
                    graph.add(one, other, Edge.WW)
        for number, key, values in self.reads():
            self._read(graph, number, key, values)
        spans = [(each.start, each.end if each.ok else None) for each in self.transactions]
        graph.add_real_time(spans)
        return [
            Problem(name, " -> ".join(self._named(step) for step in steps))
            for name, steps in cycles.find(graph, serializable)
        ]

    def _read(self, graph: Graph, number: int, key: Hashable, values: list[Any]) -> None:
        order = self.longest[key]
        if values:
            writer = self.writer.get((key, values[-1]))
            if writer is not None and writer != number:
                graph.add(writer, number, Edge.WR)
        if values != order[: len(values)]:
            return
        following = [self.writer.get((key, value)) for value in order[len(values) :][:1]]
        for each in following or self.unseen[key]:
            if each is not None and each != number:
                graph.add(number, each, Edge.RW)

    def _named(self, step: tuple[int, Edge]) -> str:
        number, edge = step
        each = self.transactions[number]
        return f"client {each.client} {_steps(each)} -[{edge.value}]"


def lost(history: Iterable[Operation], final: dict[Hashable, list[Any]]) -> list[Problem]:
    """Acknowledged appends that the lists at the end do not hold."""
    return [
        Problem("lost", f"{value!r} of {key!r} was acknowledged")
        for each in of_kind(history, "append-txn")
        if each.ok
        for kind, key, value in _steps(each)
        if kind == "append" and value not in final.get(key, [])
    ]


def _steps(each: Operation) -> Sequence[Step]:
    steps: Sequence[Step] = each.result if each.ok else each.arguments["steps"]
    return steps
