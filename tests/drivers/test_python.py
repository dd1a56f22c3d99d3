"""The suite with the Python driver of the lock; ``make test-drivers`` runs it with all."""

import warnings
from collections.abc import Iterator

import pytest

from tests.drivers import python_suite as _collects_cases  # noqa: F401
from tests.drivers.nodes import nodes
from tests.drivers.python_common import CASES


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[int, int]]:
    with nodes() as both:
        yield both


@pytest.mark.parametrize("name", CASES)
def test_driver(servers, name):
    free, secured = servers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        CASES[name](free, secured)
