"""Run the anomaly scripts: one file per isolation level."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.engines import open_engine
from tests.golden.runner import check_file
from tests.isolation.sessions import Script

#: statements of a session in process, which are messages over Bolt
_TEXTS = "transactions"
SCRIPTS = sorted(Path(__file__).parent.glob("*.golden"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script(script: Path, golden_rewrite: bool) -> None:
    if script.stem == _TEXTS and os.environ.get("TEST_DOOR", "inprocess") != "inprocess":
        pytest.skip("BEGIN with options is a text of sessions in process only")
    engine = open_engine()
    try:
        check_file(script, Script(engine).run, golden_rewrite)
    finally:
        engine.close()
