"""The suites with the Python driver of the lock, over Bolt and over HTTP; ``make test-drivers``
runs them with all."""

import warnings
from collections.abc import Iterator

import pytest

from tests.drivers import python_http_suite
from tests.drivers import python_suite as _collects_cases  # noqa: F401
from tests.drivers.nodes import Ports, nodes
from tests.drivers.python_common import CASES


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Ports, Ports]]:
    with nodes() as both:
        yield both


@pytest.mark.parametrize("name", CASES)
def test_driver(servers, name):
    free, secured = servers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        CASES[name](free.bolt, secured.bolt)


@pytest.mark.parametrize("name", python_http_suite.CASES)
def test_driver_over_http(servers, name):
    free, secured = servers
    with warnings.catch_warnings():
        # the driver says that its HTTP mode is a preview
        warnings.simplefilter("ignore", Warning)
        python_http_suite.CASES[name](free.http, secured.http)
