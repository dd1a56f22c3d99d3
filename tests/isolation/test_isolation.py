"""Run the anomaly scripts: one file per isolation level."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines import open_engine
from tests.golden.runner import check_file
from tests.isolation.sessions import Script

SCRIPTS = sorted(Path(__file__).parent.glob("*.golden"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script(script: Path, golden_rewrite: bool) -> None:
    engine = open_engine("inprocess")
    try:
        check_file(script, Script(engine).run, golden_rewrite)
    finally:
        engine.close()
