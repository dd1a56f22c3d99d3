"""Canaries of the crash judge: each kind of broken promise is reported."""

from __future__ import annotations

import pytest

from tests.crash.ledger import Ledger


def ledger(state: str, deletion: str | None = None) -> Ledger:
    book = Ledger()
    unit = book.open(3, 0)
    unit.state, unit.deletion = state, deletion
    return book


WHOLE = ({1: 3}, {1: 2}, {0: 1})
ABSENT: tuple[dict[int, int], dict[int, int], dict[int, int]] = ({}, {}, {0: 0})


@pytest.mark.parametrize(
    ("state", "deletion", "found", "says"),
    [
        ("acked", None, WHOLE, None),
        ("acked", None, ABSENT, "lost"),
        ("refused", None, ABSENT, None),
        ("refused", None, WHOLE, "refused and is there"),
        ("unknown", None, WHOLE, None),
        ("unknown", None, ABSENT, None),
        ("unknown", None, ({1: 2}, {1: 1}, {0: 1}), "torn"),
        ("unknown", None, ({1: 3}, {1: 1}, {0: 1}), "torn"),
        ("acked", "acked", WHOLE, "deletion was acknowledged"),
        ("acked", "acked", ({}, {}, {0: 1}), None),
        ("acked", "unknown", WHOLE, None),
        ("acked", "unknown", ({}, {}, {0: 1}), None),
        ("acked", "refused", ({}, {}, {0: 1}), "lost"),
        ("acked", None, ({1: 3}, {1: 2}, {0: 2}), "counter 0 is 2"),
        ("acked", None, ({1: 3, 9: 1}, {1: 2}, {0: 1}), "never asked"),
    ],
)
def test_promises(
    state: str,
    deletion: str | None,
    found: tuple[dict[int, int], dict[int, int], dict[int, int]],
    says: str | None,
) -> None:
    wrong = ledger(state, deletion).reconcile(*found)
    if says is None:
        assert wrong == []
    else:
        assert any(says in line for line in wrong)


def test_what_was_found_once_stays() -> None:
    book = ledger("unknown")
    assert book.reconcile(*WHOLE) == []
    assert any("lost" in line for line in book.reconcile(*ABSENT))
    book = ledger("unknown")
    assert book.reconcile(*ABSENT) == []
    assert any("refused and is there" in line for line in book.reconcile(*WHOLE))
