"""Options shared by all tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden-rewrite",
        action="store_true",
        help="write what came into the golden scripts, to be read and judged",
    )


@pytest.fixture
def golden_rewrite(request: pytest.FixtureRequest) -> bool:
    """Whether golden scripts are to be rewritten."""
    return bool(request.config.getoption("--golden-rewrite"))
