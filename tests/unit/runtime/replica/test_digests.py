"""Who is right when members computed different things."""

from __future__ import annotations

from everwhen.runtime.replica.digests import Difference, first_difference

A, B, C = b"a", b"b", b"c"


def test_members_that_agree_or_share_nothing_do_not_differ() -> None:
    assert first_difference({64: A}, {2: {64: A}, 3: {64: A}}, [1, 2, 3], 1) is None
    assert first_difference({64: A}, {2: {128: B}}, [1, 2, 3], 1) is None
    assert first_difference({}, {2: {64: B}}, [1, 2, 3], 1) is None


def test_one_against_two_is_outvoted() -> None:
    others = {2: {64: B, 128: B}, 3: {64: B}}
    assert first_difference({64: A, 128: A}, others, [1, 2, 3], 1) == Difference(64, True, (2, 3))


def test_two_see_who_differs_and_go_on() -> None:
    found = first_difference({64: B}, {1: {64: A}, 3: {64: B}}, [1, 2, 3], 2)
    assert found == Difference(64, False, (1,))


def test_without_a_majority_nobody_is_right() -> None:
    assert first_difference({64: A}, {2: {64: B}}, [1, 2], 1) == Difference(64, False, (2,))
    found = first_difference({64: A}, {2: {64: B}, 3: {64: C}}, [1, 2, 3], 1)
    assert found == Difference(64, False, (2, 3))


def test_learners_have_no_say_but_can_be_outvoted() -> None:
    assert first_difference({64: A}, {4: {64: B}, 5: {64: B}, 6: {64: B}}, [1, 2, 3], 1) == (
        Difference(64, False, (4, 5, 6))
    )
    found = first_difference({64: A}, {1: {64: B}, 2: {64: B}}, [1, 2, 3], 4)
    assert found == Difference(64, True, (1, 2))


def test_the_first_entry_counts() -> None:
    own = {64: A, 128: B, 192: C}
    others = {2: {128: A, 192: A}, 3: {64: A, 128: A}}
    assert first_difference(own, others, [1, 2, 3], 1) == Difference(128, True, (2, 3))
