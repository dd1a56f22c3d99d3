"""Run the query scripts in process; behind ``TEST_DOOR=cluster`` those about time, on three
members, each statement at one of them by chance (``make test-cluster``)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.engines import open_engine
from tests.golden.query.language import Language
from tests.golden.runner import check_file

DOOR: Final = "cluster" if os.environ.get("TEST_DOOR") == "cluster" else "inprocess"
#: scripts that say nothing of ids and users, which differ there
ON_CLUSTER: Final = ("changes", "diff", "history", "ranges", "time")
SCRIPTS = [
    path
    for path in sorted(Path(__file__).parent.glob("*.golden"))
    if DOOR == "inprocess" or path.stem in ON_CLUSTER
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script(script: Path, golden_rewrite: bool) -> None:
    engine = open_engine(DOOR)
    try:
        check_file(script, Language(engine).run, golden_rewrite and DOOR == "inprocess")
    finally:
        engine.close()
