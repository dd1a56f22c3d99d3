"""One Kubernetes for all scripts; a namespace for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from e2e.harness.rig import CannotHere, choose
from e2e.harness.world import Graph, World
from tests.conftest import pytest_unconfigure  # noqa: F401 - the closing line


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    rig = choose()
    made = World(rig)
    try:
        made.install()
        yield made
    finally:
        rig.down()


@pytest.fixture
def make(world: World, request: pytest.FixtureRequest) -> Iterator[Callable[..., Graph]]:
    """Makes a ready cluster in a namespace named after the test."""
    made: list[Graph] = []

    def graph(*, ready: bool = True, **spec: object) -> Graph:
        name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip(
            "-"
        )
        each = Graph(world, f"e2e-{name}"[:50].strip("-"))
        made.append(each)
        each.apply(**spec)
        if ready:
            each.until_ready()
            each.watched.start()
        return each

    yield graph
    for each in made:
        each.remove()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(1_800))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A fault that this way to a cluster cannot make is a skip that says so."""
    try:
        return (yield)
    except CannotHere as cannot:
        print(f"{item.name}: skipped: {cannot}")
        pytest.skip(str(cannot))
