"""Options shared by all tests, hypothesis profiles, and the line that a run of tests ends with."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Machines that test are small and shared: how long one example takes says nothing.
_COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", _COMMON)
#: the same examples in every run, so that a red build is red again
settings.register_profile("ci", settings(_COMMON, derandomize=True))
settings.register_profile("long", settings(_COMMON, max_examples=5_000))
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "default")
)


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


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The plain closing line that every suite of this project has."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput") or config.option.collectonly:
        return
    count = {kind: len(reports) for kind, reports in reporter.stats.items()}
    failed = count.get("failed", 0) + count.get("error", 0)
    skipped = count.get("skipped", 0) + count.get("xfailed", 0)
    print(f"{count.get('passed', 0)} passed, {failed} failed, {skipped} skipped")
