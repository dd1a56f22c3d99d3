"""What was asked, what was acknowledged, and what may therefore be found after a crash.

Every unit of work writes a known number of nodes that carry its number (``op``), so that one
query tells for each unit whether it is wholly there, wholly absent, or torn. A unit is

* ``acked``: must be there;
* ``refused``: the server said it did not happen: must be absent;
* ``unknown``: no answer came; either, but whole, and what is found once stays so.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Unit:
    """One transaction's worth of work: ``size`` nodes with ``size - 1`` relationships, and one
    added to a counter."""

    op: int
    size: int
    counter: int
    state: str = "unknown"
    #: of its deletion, if that was asked: None, "unknown", "acked" or "refused"
    deletion: str | None = None


@dataclass
class Ledger:
    """All units of a run, over all its crashes. Safe for several threads."""

    units: dict[int, Unit] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    last: int = 0

    def open(self, size: int, counter: int) -> Unit:
        """A new unit, unknown until its answer comes."""
        with self.lock:
            self.last += 1
            unit = self.units[self.last] = Unit(self.last, size, counter)
            return unit

    def deletable(self, number: int) -> Unit | None:
        """Some acknowledged unit nobody deletes yet, now marked as being deleted."""
        with self.lock:
            some = [u for u in self.units.values() if u.state == "acked" and u.deletion is None]
            if not some:
                return None
            unit = some[number % len(some)]
            unit.deletion = "unknown"
            return unit

    def reconcile(
        self,
        nodes: Mapping[int, int],
        relationships: Mapping[int, int],
        counters: Mapping[int, int],
    ) -> list[str]:
        """Violations of what was promised; settles the unknown ones by what was found."""
        strangers = sorted(set(nodes) - set(self.units))
        wrong = [f"unit {op} was never asked for, {nodes[op]} nodes found" for op in strangers]
        for unit in self.units.values():
            wrong += self._unit(unit, nodes.get(unit.op, 0), relationships.get(unit.op, 0))
        present = [u for u in self.units.values() if u.state == "acked"]
        for counter in sorted({u.counter for u in self.units.values()}):
            wanted = sum(u.counter == counter for u in present)
            found = counters.get(counter, 0)
            if found != wanted:
                wrong.append(f"counter {counter} is {found}, committed units add up to {wanted}")
        return wrong

    def _unit(self, unit: Unit, found: int, links: int) -> list[str]:
        """Judge and settle one unit."""
        whole = found == unit.size and links == unit.size - 1
        absent = found == 0 and links == 0
        if not whole and not absent:
            what = f"{found} of {unit.size} nodes and {links} of {unit.size - 1} relationships"
            return [f"unit {unit.op} ({unit.state}) is torn: {what}"]
        if unit.state == "refused":
            return [f"unit {unit.op} was refused and is there"] if whole else []
        if unit.state == "unknown":
            unit.state = "acked" if whole else "refused"
            return []
        match unit.deletion:
            case "acked" if whole:
                return [f"unit {unit.op}: its deletion was acknowledged and it is there"]
            case "refused" | None if absent:
                return [f"unit {unit.op} was acknowledged and is lost"]
            case "refused":
                unit.deletion = None
            case "unknown":
                unit.deletion = "acked" if absent else None
        return []
