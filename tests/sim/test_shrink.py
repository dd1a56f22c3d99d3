"""Making a failing seed smaller: of a run that is a formula, and of the cluster without a rule."""

from __future__ import annotations

from tests.mutants.catalogue import MUTANTS
from tests.mutants.patching import applied
from tests.sim.profile import Profile
from tests.sim.scenario import Report
from tests.sim.shrink import shrink

FAULTS = ("power cut", "isolate", "clock jump", "join", "leave")


def formula(seed: str, profile: Profile) -> Report:
    """Fails if power is cut while somebody is isolated, after 3,000 events, with two clients."""
    wanted = {"power cut", "isolate"}
    bad = profile.events >= 3_000 and profile.clients >= 2 and not wanted & profile.without
    term = profile.events % 7
    problems = [f"Violated: nodes 1 and 2 lead in term {term}"] if bad else []
    return Report(seed, problems, events=min(profile.events, 3_100), faults=FAULTS)


def test_what_is_not_needed_goes() -> None:
    told: list[str] = []
    profile, report = shrink("1", Profile(), formula, told.append)
    assert (profile.events, profile.clients) == (3_100, 2)
    assert profile.without == {"clock jump", "join", "leave"}
    assert report.problems
    assert told[-1].endswith("--events 3100 --clients 2 --without clock_jump,join,leave")


def test_another_failure_is_not_taken_for_it() -> None:
    def other(seed: str, profile: Profile) -> Report:
        wrong = "one thing" if profile == Profile() else "another thing"
        return Report(seed, [wrong], faults=FAULTS)

    assert shrink("1", Profile(), other, lambda _: None)[0] == Profile()


def test_a_seed_that_is_good_stays_as_it_is() -> None:
    profile, report = shrink("1", Profile(), lambda seed, _: Report(seed), lambda _: None)
    assert (profile, report.good) == (Profile(), True)


def test_a_cluster_without_a_rule() -> None:
    mutant = next(each for each in MUTANTS if each.name == "takes_a_refusal_for_an_acknowledgement")
    with applied(mutant):
        profile, report = shrink("m 0", Profile(events=2_000), tell=lambda _: None)
    assert not report.good
    assert (profile.clients, profile.events) < (2, 2_000)
