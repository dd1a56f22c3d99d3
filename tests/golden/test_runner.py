"""The golden runner itself: scripts round-trip, differences fail, rewriting writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.runner import Block, check_file, parse, render

SCRIPT = """# a comment

echo a=1 b={"x": [1, 2]} c
one
two
----
one
two

echo
----

# blank lines inside
echo
x

y
----
----
x

y
----
----
"""


def echo(block: Block) -> str:
    return block.input


def test_scripts_round_trip() -> None:
    assert render(parse(SCRIPT)) == SCRIPT


def test_arguments() -> None:
    block = next(part for part in parse(SCRIPT) if isinstance(part, Block))
    assert block.command == "echo"
    assert block.arguments == {"a": "1", "b": '{"x": [1, 2]}', "c": ""}


def test_a_difference_fails_and_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text(SCRIPT)
    check_file(path, echo)
    with pytest.raises(AssertionError, match=r"script:3"):
        check_file(path, lambda block: block.input + "!")
    check_file(path, lambda block: block.input + "!", rewrite=True)
    check_file(path, lambda block: block.input + "!")


def test_a_block_without_separator_is_refused() -> None:
    with pytest.raises(ValueError, match="without"):
        parse("echo\nx\n")
