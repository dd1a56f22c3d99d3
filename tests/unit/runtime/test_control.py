"""Which texts are statements about transactions."""

from __future__ import annotations

import pytest

from everwhen.query import syntax
from everwhen.runtime.session import control_of


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("BEGIN", syntax.Begin),
        ("/* a * b **/ // c\n /**/ commit", syntax.Commit),
        ("// BEGIN\nROLLBACK", syntax.Rollback),
        ("/* BEGIN */ RETURN 1", type(None)),
        ("BEGINNING", type(None)),
        ("RETURN 1 /* */ BEGIN", type(None)),
    ],
)
def test_what_stands_behind_comments(text, kind):
    assert type(control_of(text)) is kind


def test_many_comments_are_read_at_once():
    # each could end with any of those behind it: this took more than the age of the world
    assert control_of("/* a */ " * 200 + "RETURN 1") is None
