"""``python -m tests.sim.run``: seeds of the whole-cluster simulator, until so many or so long.

``--seed S`` plays one again and tells its story; with ``--shrink`` it is first made as small as it
can be, and the arguments that play it then are printed. Progress is kept in ``build/sim.json``, so that a
later run goes on where this one ended; failing seeds are listed there.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.pool import AsyncResult
from pathlib import Path
from typing import Final, TypedDict

from tests.sim.profile import CLIENTS, EVENTS, Profile
from tests.sim.scenario import Report, run_seed
from tests.sim.shrink import shrink


class State(TypedDict):
    """What earlier runs did."""

    next: int
    seeds: int
    failed: list[str]


STATE: Final = Path(__file__).resolve().parents[2] / "build" / "sim.json"
#: every run of so many seeds must have met all of this, or the simulator does not look hard enough
_DECADE: Final = 10
#: every so many seeds forget and undo as well (``--forgets`` plays such a one again)
_FORGETFUL: Final = 4
#: and every so many compact (``--compacts``)
_COMPACTING: Final = 3
#: seeds under way or waiting, for each process: a short one need not wait for the end of a long one
_AHEAD: Final = 2
#: and every so many have large transactions (``--heaps``)
_HEAPING: Final = 2
_MUST: Final = {
    "a crash": ("power cut", "kill -9", "kill leader", "all dark"),
    "a partition": ("partition", "isolate", "one way"),
    "an election": ("elections",),
    "a snapshot install": ("snapshots installed",),
    "a membership change": ("members joined", "members left"),
    "a transaction of several statements": ("ok: append-txn",),
    "a large transaction": ("ok: heap",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.sim.run", description=__doc__)
    parser.add_argument("--seed", help="play this one and tell its story")
    parser.add_argument("--seeds", type=int, help="how many (default: by time)")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--first", type=int, help="number of the first seed (default: go on)")
    parser.add_argument("--events", type=int, default=EVENTS, help="of a seed, at least")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--forgets", action="store_true", help="retention, vacuum, erasures, undo")
    parser.add_argument("--compacts", action="store_true", help="keys become column segments")
    parser.add_argument("--heaps", action="store_true", help="large transactions")
    parser.add_argument("--without", default="", help="kinds of faults: one,other_one")
    parser.add_argument("--shrink", action="store_true", help="with --seed: find a smaller run")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        without = frozenset(filter(None, options.without.replace("_", " ").split(",")))
        profile = Profile(
            options.events,
            options.clients,
            without,
            options.forgets,
            options.compacts,
            options.heaps,
        )
        if options.shrink:
            profile, report = shrink(options.seed, profile)
        else:
            report = run_seed(options.seed, profile)
        print("\n".join(report.story))
        tell(report)
        print(f"again: make sim SEED='{options.seed}' ARGS='{profile}'")
        return 0 if report.good else 1
    return campaign(options)


def campaign(options: argparse.Namespace) -> int:
    """Many seeds, in processes of their own."""
    state = _load()
    first = state["next"] if options.first is None else options.first
    started = time.monotonic()
    passed, failed, events, decades = 0, 0, 0, []
    counts: Counter[str] = Counter()
    decade: Counter[str] = Counter()
    for report in _reports(first, options):
        passed += report.good
        failed += not report.good
        events += report.events
        counts += report.counts
        decade += report.counts
        if (passed + failed) % _DECADE == 0:
            decades.append(decade)
            decade = Counter()
        if not report.good:
            tell(report)
            state["failed"].append(report.seed)
        if options.first is None:
            # after each: a run that is ended has not been for nothing
            state["next"] += 1
            state["seeds"] += 1
            _save(state)
    seconds = time.monotonic() - started
    done = passed + failed
    print("reached: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    weak = [names for names in (_missing(each) for each in decades) if names]
    for names in weak:
        print(f"ten seeds without {', '.join(names)}")
    print(
        f"seeds {first} to {first + done - 1}: {events:,} events, {events / seconds:,.0f} a second, "
        f"{seconds / max(done, 1):.1f} seconds a seed; "
        f"{len(decades) - len(weak)} of {len(decades)} tens met everything; "
        f"{state['seeds']:,} seeds in all here"
    )
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def _reports(first: int, options: argparse.Namespace) -> Iterator[Report]:
    """Reports in the order of the seeds, until there are enough or time is up."""
    wanted = options.seeds or 1_000_000
    deadline = None if options.seeds else time.monotonic() + options.minutes * 60
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        playing: deque[AsyncResult[Report]] = deque()
        for seed in range(first, first + wanted):
            if deadline is not None and time.monotonic() > deadline:
                break
            playing.append(pool.apply_async(_one, (seed, options.events)))
            # more than there are processes: a short seed does not wait for the end of a long one
            if len(playing) > _AHEAD * options.jobs:
                yield playing.popleft().get()
        while playing:
            yield playing.popleft().get()


def _one(seed: int, events: int) -> Report:
    # a tenth of the time went into looking for garbage that a whole run may just as well keep
    gc.disable()
    profile = Profile(
        events,
        forgets=seed % _FORGETFUL == 0,
        compacts=seed % _COMPACTING == 0,
        heaps=seed % _HEAPING == 0,
    )
    report = run_seed(str(seed), profile)
    gc.collect()
    gc.freeze()  # what lives on was imported: no garbage, however often one looks
    if report.good:
        report.story = []
    return report


def tell(report: Report) -> None:
    """One seed in a few lines."""
    word = "ok    " if report.good else "FAILED"
    print(
        f"{word} seed {report.seed}: {report.events:,} events in {report.virtual_seconds:.1f} "
        f"virtual seconds, digest {report.digest}",
        flush=True,
    )
    for problem in report.problems[:10]:
        print(f"  {problem[:1000]}", flush=True)


def _missing(counts: Counter[str]) -> list[str]:
    return [name for name, kinds in _MUST.items() if not any(counts[kind] for kind in kinds)]


def _load() -> State:
    if STATE.exists():
        found: State = json.loads(STATE.read_text())
        return found
    return {"next": 1, "seeds": 0, "failed": []}


def _save(state: State) -> None:
    STATE.parent.mkdir(exist_ok=True)
    STATE.write_text(json.dumps(state) + "\n")


if __name__ == "__main__":
    sys.exit(main())
