"""The examples of ``docs/client.md`` against a real node, in their order."""

from __future__ import annotations

import doctest
from pathlib import Path

from tests.support.process import Server

PAGE = Path(__file__).parents[2] / "docs/client.md"


def test_the_examples_of_the_page(server: Server) -> None:
    text = PAGE.read_text(encoding="utf-8").replace("127.0.0.1:7474", f"127.0.0.1:{server.port}")
    test = doctest.DocTestParser().get_doctest(text, {}, "client.md", str(PAGE), 0)
    assert len(test.examples) > 15
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not failed, "".join(said)
