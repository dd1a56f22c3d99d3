"""Cycles in a graph of dependencies between transactions, and the names of what they mean.

Snapshot isolation allows a cycle only where two read-write dependencies follow one another (Fekete
et al. 2005); strict serializability allows none. Names are those of Adya's thesis.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from enum import Enum


class Edge(Enum):
    """Why one transaction comes before another."""

    WW = "ww"
    WR = "wr"
    RW = "rw"
    TIME = "time"


class Graph:
    """Transactions are numbers from 0; moments of time are nodes above them."""

    def __init__(self, transactions: int) -> None:
        self.transactions = transactions
        self.edges: dict[int, dict[int, Edge]] = defaultdict(dict)

    def add(self, one: int, other: int, edge: Edge) -> None:
        """``one`` before ``other``; of several reasons the strongest is kept."""
        present = self.edges[one].get(other)
        if present in (None, Edge.RW, Edge.TIME):
            self.edges[one][other] = edge

    def add_real_time(self, spans: Sequence[tuple[float, float | None]]) -> None:
        """What ended before another began comes before it. A chain of moments stands for all
        those pairs: one edge into it, one out of it for each transaction."""
        ends = sorted((end, at) for at, (_, end) in enumerate(spans) if end is not None)
        for place, (_, at) in enumerate(ends):
            self.add(at, self.transactions + place, Edge.TIME)
            if place:
                self.add(self.transactions + place - 1, self.transactions + place, Edge.TIME)
        times = [end for end, _ in ends]
        for at, (start, _) in enumerate(spans):
            before = bisect_left(times, start) - 1
            if before >= 0:
                self.add(self.transactions + before, at, Edge.TIME)


def find(graph: Graph, serializable: bool) -> Iterator[tuple[str, list[tuple[int, Edge]]]]:
    """One cycle of each knot: its name, and transactions with the edge that leaves each."""
    following = _all_edges(graph) if serializable else _no_two_rw(graph)
    for knot in _knots(following):
        cycle = _shortest(following, knot)
        steps = [(node[0], edge) for node, edge in cycle]
        yield (
            _name([edge for _, edge in steps]),
            [step for step in steps if step[0] < graph.transactions],
        )


_Node = tuple[int, bool]
_Following = dict[_Node, list[tuple[_Node, Edge]]]


def _all_edges(graph: Graph) -> _Following:
    return {
        (one, False): [((other, False), edge) for other, edge in others.items()]
        for one, others in graph.edges.items()
    }


def _no_two_rw(graph: Graph) -> _Following:
    """Nodes know whether a read-write edge led to them; from there no other one leads on."""
    following: _Following = defaultdict(list)
    for one, others in graph.edges.items():
        for other, edge in others.items():
            if edge is Edge.RW:
                following[one, False].append(((other, True), edge))
            else:
                following[one, False].append(((other, False), edge))
                following[one, True].append(((other, False), edge))
    return following


def _knots(following: _Following) -> list[set[_Node]]:
    """Strongly connected components of more than one node (Tarjan 1972, without recursion)."""
    order: dict[_Node, int] = {}
    low: dict[_Node, int] = {}
    open_nodes: list[_Node] = []
    is_open: set[_Node] = set()
    knots = []
    for root in following:
        if root in order:
            continue
        work: list[tuple[_Node, Iterator[tuple[_Node, Edge]]]] = []
        _enter(root, following, order, low, open_nodes, is_open, work)
        while work:
            node, rest = work[-1]
            for other, _ in rest:
                if other not in order:
                    _enter(other, following, order, low, open_nodes, is_open, work)
                    break
                if other in is_open:
                    low[node] = min(low[node], order[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == order[node]:
                    knot = set()
                    while node not in knot:
                        knot.add(open_nodes.pop())
                    is_open -= knot
                    if len(knot) > 1:
                        knots.append(knot)
    return knots


def _enter(
    node: _Node, following: _Following, order: dict[_Node, int], low: dict[_Node, int],
    open_nodes: list[_Node], is_open: set[_Node],
    work: list[tuple[_Node, Iterator[tuple[_Node, Edge]]]],
) -> None:  # fmt: skip
    order[node] = low[node] = len(order)
    open_nodes.append(node)
    is_open.add(node)
    work.append((node, iter(following.get(node, ()))))


def _shortest(following: _Following, knot: set[_Node]) -> list[tuple[_Node, Edge]]:
    """A shortest cycle through the first nodes of a knot."""
    best: list[tuple[_Node, Edge]] = []
    for start in sorted(knot)[:100]:
        came: dict[_Node, tuple[_Node, Edge]] = {}
        waiting = deque([start])
        while waiting and start not in came:
            node = waiting.popleft()
            for other, edge in following.get(node, ()):
                if other in knot and other not in came:
                    came[other] = (node, edge)
                    waiting.append(other)
        cycle = []
        node = start
        while start in came:
            node, edge = came[node]
            cycle.append((node, edge))
            if node == start:
                break
        if cycle and (not best or len(cycle) < len(best)):
            best = cycle[::-1]
    return best


def _name(edges: Sequence[Edge]) -> str:
    reads = edges.count(Edge.RW)
    suffix = "-realtime" if Edge.TIME in edges else ""
    if reads == 0:
        return ("G1c" if Edge.WR in edges else "G0") + suffix
    if reads == 1:
        return "G-single" + suffix
    adjacent = any(
        one is Edge.RW and other is Edge.RW
        for one, other in zip(edges, [*edges[1:], edges[0]], strict=True)
    )
    return ("G2" if adjacent else "G-nonadjacent") + suffix
