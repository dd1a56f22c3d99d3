"""A failing seed made smaller: an earlier end, fewer clients, fewer kinds of faults.

Every candidate is run, and kept if it fails in the same way: problems are compared by their words,
numbers left out, since another run meets other terms and members. What is taken away draws its lots
all the same, so the rest of the run stays as it was as far as it can (research: delta debugging).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from tests.sim.profile import Profile
from tests.sim.scenario import Report, run_seed

_NUMBER: Final = re.compile(r"\d+")
_KIND: Final = 40
#: runs, at most
TRIALS_MAX: Final = 60
_EVENTS_LEAST: Final = 250

Run = Callable[[str, Profile], Report]
Told = Callable[[str], None]


def kind_of(report: Report) -> str:
    """What was wrong, in words that another run would say too."""
    return _NUMBER.sub("#", report.problems[0])[:_KIND] if report.problems else ""


def smaller(profile: Profile, report: Report) -> Iterator[Profile]:
    """One step less of each: the biggest cut of time first, then clients, then faults."""
    ends = {report.events, profile.events // 2, profile.events * 3 // 4}
    for end in sorted(each for each in ends if _EVENTS_LEAST <= each < profile.events):
        yield replace(profile, events=end)
    for clients in range(1, profile.clients):
        yield replace(profile, clients=clients)
    left = [each for each in report.faults if each not in profile.without]
    half = len(left) // 2
    for some in (left, left[:half], left[half:], *([each] for each in left)):
        if some:
            yield replace(profile, without=profile.without | {*some})


def shrink(
    seed: str, profile: Profile, run: Run = run_seed, tell: Told = print
) -> tuple[Profile, Report]:
    """The smallest run found that fails like the seed does; the seed's own if it does not fail."""
    report = run(seed, profile)
    kind = kind_of(report)
    tried: set[Profile] = set()
    again = bool(kind)
    while again:
        again = False
        for candidate in smaller(profile, report):
            if candidate in tried:
                continue
            if len(tried) == TRIALS_MAX:
                return profile, report
            tried.add(candidate)
            found = run(seed, candidate)
            if kind_of(found) == kind:
                profile, report, again = candidate, found, True
                tell(f"still fails: {profile}")
                break
    return profile, report
