"""How large a run is, and which of the faults that its seed chose do not happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EVENTS: Final = 20_000
CLIENTS: Final = 5


@dataclass(frozen=True, slots=True)
class Profile:
    """``without``: kinds of faults that are drawn and left out."""

    events: int = EVENTS
    clients: int = CLIENTS
    without: frozenset[str] = frozenset()
    #: old versions are let go, restore points kept, things erased and flashed back meanwhile
    forgets: bool = False
    #: elements move from keys into column segments, a few at a time
    compacts: bool = False
    #: clients grow and fell hubs, by transactions that count as large
    heaps: bool = False

    def __str__(self) -> str:
        """As arguments of ``make sim``."""
        left_out = ",".join(sorted(self.without)).replace(" ", "_")
        return (
            f"--events {self.events} --clients {self.clients}"
            + (f" --without {left_out}" if left_out else "")
            + (" --forgets" if self.forgets else "")
            + (" --compacts" if self.compacts else "")
            + (" --heaps" if self.heaps else "")
        )


#: what a seed is unless told otherwise
WHOLE: Final = Profile()
