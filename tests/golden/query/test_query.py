"""Run the query scripts in process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines import open_engine
from tests.golden.query.language import Language
from tests.golden.runner import check_file

SCRIPTS = sorted(Path(__file__).parent.glob("*.golden"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script(script: Path, golden_rewrite: bool) -> None:
    engine = open_engine("inprocess")
    try:
        check_file(script, Language(engine).run, golden_rewrite)
    finally:
        engine.close()
