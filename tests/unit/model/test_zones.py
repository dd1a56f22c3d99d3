"""Zones against Python's zoneinfo over the same locked package."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import TZPATH, ZoneInfo, reset_tzpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.errors import QueryArgumentError
from everwhen.model import zones

EPOCH = datetime(1970, 1, 1)
NAMES = sorted(zones.zone_names())
instants = st.integers(-5 * 10**9, 9 * 10**9)


@pytest.fixture(autouse=True, scope="module")
def _the_locked_package_only():
    reset_tzpath(to=[])
    ZoneInfo.clear_cache()
    yield
    reset_tzpath(to=TZPATH)
    ZoneInfo.clear_cache()


def python_offset(name, local, fold):
    offset = (EPOCH + timedelta(seconds=local)).replace(tzinfo=ZoneInfo(name), fold=fold)
    found = offset.utcoffset()
    assert found is not None
    return round(found.total_seconds())


@given(st.sampled_from(NAMES), instants)
def test_offsets_at_instants(name, seconds):
    there = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    offset = there.astimezone(ZoneInfo(name)).utcoffset()
    assert offset is not None
    assert zones.zone(name).offset_at(seconds) == round(offset.total_seconds())


def expected(name, local):
    first, second = python_offset(name, local, 0), python_offset(name, local, 1)
    if first < second:  # a gap: moved forward by its length
        return local + second - first, second
    return local, first


@given(st.sampled_from(NAMES), instants)
def test_local_times(name, local):
    assert zones.zone(name).resolve(local) == expected(name, local)


@pytest.mark.parametrize("seed", range(4))
def test_local_times_around_every_kind_of_transition(seed):
    chance = random.Random(seed)
    for name in chance.sample(NAMES, 40):
        found = zones.zone(name)
        transitions = [t for t in found._transitions if abs(t.at) < 6 * 10**10]
        for at, before, after in chance.sample(transitions, min(8, len(transitions))):
            for step in (-3601, -1, 0, 1, 1800, 3600, 7200):
                for offset in (before, after):
                    local = at + offset + step
                    assert found.resolve(local) == expected(name, local), (name, at, step)
                    if len(found.offsets_of(local)) == 2:
                        assert found.resolve(local, after) == (local, after)


def test_a_gap_an_overlap_and_the_rule_of_later_years():
    stockholm = zones.zone("Europe/Stockholm")
    gap = int((datetime(2020, 3, 29, 2, 30) - EPOCH).total_seconds())
    assert stockholm.resolve(gap) == (gap + 3600, 7200)
    assert stockholm.offsets_of(gap) == ()
    overlap = int((datetime(2020, 10, 25, 2, 30) - EPOCH).total_seconds())
    assert stockholm.resolve(overlap) == (overlap, 7200)
    assert stockholm.resolve(overlap, 3600) == (overlap, 3600)
    assert stockholm.offsets_of(overlap) == (7200, 3600)
    summer = int((datetime(9000, 7, 1) - EPOCH).total_seconds())
    assert stockholm.resolve(summer) == (summer, 7200)
    assert stockholm.offset_at(31_556_889_864_403_199) == 3600  # year 999,999,999


def test_names():
    for name in ("Nowhere/City", "", "../zones", "europe/stockholm", "a" * 100):
        with pytest.raises(QueryArgumentError):
            zones.zone(name)
    assert zones.zone("UTC").offset_at(0) == 0
    assert zones.zone("Etc/GMT+5").offset_at(0) == -18_000


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("Z", 0),
        ("+00:00", 0),
        ("-00:00", 0),
        ("+01", 3600),
        ("-0130", -5400),
        ("+01:12:12", 4332),
        ("-18:00", -64_800),
        ("01:00", None),
        ("+1:0", None),
        ("Europe/Stockholm", None),
    ],
)
def test_offsets_from_text(text, offset):
    assert zones.parse_offset(text) == offset


@pytest.mark.parametrize("text", ["+18:01", "-19", "+01:60", "+01:00:60"])
def test_offsets_out_of_range(text):
    with pytest.raises(QueryArgumentError):
        zones.parse_offset(text)


@given(st.integers(-64_800, 64_800))
def test_offset_text_reads_back(offset):
    assert zones.parse_offset(zones.offset_text(offset)) == offset
