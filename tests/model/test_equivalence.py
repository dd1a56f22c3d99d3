"""A slice of the generated queries; ``python -m tests.model.equivalence`` runs all 10,000."""

from __future__ import annotations

import pytest

from tests.engines import open_engine
from tests.model.equivalence import compare_round


@pytest.mark.parametrize("seed", range(4))
def test_generated_queries_answer_alike(seed: int) -> None:
    engine = open_engine()
    try:
        assert list(compare_round(engine, seed, 60)) == []
    finally:
        engine.close()
