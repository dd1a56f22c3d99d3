"""The sample's graph goes back to 2023 and forth again, and is exactly what the files say.

``make test`` takes the packages that begin with an *a*; ``make flashback`` takes all of them.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from everwhen.cli.main import main
from tests.cluster.running import Local
from tests.imports.conftest import Run
from tests.support.query_api import QueryApi
from tests.support.waiting import until
from tests.tidy.tree import ROOT

SAMPLE: Final = ROOT / "samples" / "debian"
WHOLE: Final = os.environ.get("FLASHBACK_SAMPLE") == "whole"
_PACKAGES: Final = (
    "MATCH (p:Package) RETURN p.name, p.version, p.section, p.priority, p.installed_kb, p.source, "
    "p.description"
)
_DEPENDS: Final = "MATCH (a:Package)-[r]->(b:Package) RETURN a.name, b.name, type(r), r.constraint"
Graph = tuple[Counter[tuple[Any, ...]], Counter[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sample, or of a part of it."""
    if WHOLE:
        return SAMPLE
    folder = tmp_path_factory.mktemp("sample")
    shutil.copy(SAMPLE / "mapping.toml", folder)
    for path in SAMPLE.glob("*.csv.gz"):
        ends = 2 if path.name.startswith("depends") else 1
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="") as whole,
            gzip.open(folder / path.name, "wt", encoding="utf-8", newline="") as part,
        ):
            head, *rows = csv.reader(whole)
            writer = csv.writer(part)
            writer.writerow(head)
            writer.writerows(row for row in rows if all(name[0] == "a" for name in row[:ends]))
    return folder


def _file(path: Path) -> Counter[tuple[Any, ...]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return Counter(tuple(row) for row in rows)


def in_files(files: Path, release: str) -> Graph:
    kinds = ("packages", "depends")
    nodes, relationships = (_file(files / f"{kind}-{release}.csv.gz") for kind in kinds)
    return nodes, relationships


def in_database(api: QueryApi) -> Graph:
    """As text, like the files: nothing is the empty text."""
    found = []
    for query in (_PACKAGES, _DEPENDS):
        rows = api.rows(query)
        found.append(Counter(tuple("" if v is None else str(v) for v in row) for row in rows))
    return found[0], found[1]


def there_and_back(apis: Sequence[QueryApi], files: Path) -> None:
    """Every one of ``apis`` must show it."""
    api = apis[0]
    _planned(api)
    [count] = api.rows("MATCH (p:Package) RETURN count(p)")
    assert count == [in_files(files, "sid")[0].total()]
    for moment, release, version in (("'2023-07-01'", "bookworm", 1), ("VERSION 3", "sid", 3)):
        answer = api.run(f"FLASHBACK TO {moment}", counters=True)
        row = dict(zip(answer["data"]["fields"], answer["data"]["values"][0], strict=True))
        assert row["version"] == version
        assert answer["counters"]["nodesCreated"] == row["nodesRevived"] > 0
        assert answer["counters"]["relationshipsDeleted"] == row["relationshipsDeleted"] > 0
        wanted = in_files(files, release)
        for each in apis:
            assert in_database(each) == wanted
            # by id, and as it was in the record: nothing differs from that version
            [rest] = each.rows(f"EXPLAIN FLASHBACK TO VERSION {version}")
            assert rest[:10] == [version] + [0] * 9


def _planned(api: QueryApi) -> None:
    """EXPLAIN says what diff says, and changes nothing."""
    answer = api.run("EXPLAIN FLASHBACK TO '2023-07-01'")["data"]
    row = dict(zip(answer["fields"], answer["values"][0], strict=True))
    kinds = Counter(
        (event, element[0])
        for event, element in api.rows(
            "CALL diff('2023-07-01', datetime()) YIELD event, elementId RETURN event, elementId"
        )
    )
    assert kinds == Counter({
        ("added", "4"): row["nodesDeleted"],
        ("removed", "4"): row["nodesRevived"],
        ("changed", "4"): row["nodesChanged"],
        ("added", "5"): row["relationshipsDeleted"],
        ("removed", "5"): row["relationshipsRevived"],
        ("changed", "5"): row["relationshipsChanged"],
    })  # fmt: skip


@pytest.mark.timeout(3_600 if WHOLE else 300)
def test_on_one_node(run: Run, api: QueryApi, files: Path) -> None:
    run("sample", "debian", "--folder", files)
    api.timeout = 3_600
    there_and_back([api], files)


@pytest.fixture
def group() -> Iterator[Local]:
    folder = Path(tempfile.mkdtemp(prefix="everwhen-flashback-"))
    local = Local(folder / "group", "--nodes", "3", "--base-port", "0")
    yield local
    assert local.stop() == 0
    members = [each.parent for each in sorted((folder / "group").glob("*/record"))]
    assert len(members) == 3
    assert [main(["verify", str(each)]) for each in members] == [0, 0, 0]
    shutil.rmtree(folder)


@pytest.mark.timeout(7_200 if WHOLE else 300)
def test_on_three_nodes(group: Local, files: Path) -> None:
    with ExitStack() as stack:
        each = (QueryApi(group.port(at), timeout=3_600) for at in range(3))
        _everywhere([stack.enter_context(one) for one in each], files)


def _everywhere(apis: Sequence[QueryApi], files: Path) -> None:
    uri = f"http://127.0.0.1:{apis[1].port}"
    assert main(["sample", "debian", "--uri", uri, "--json", "--folder", str(files)]) == 0
    there_and_back(apis, files)

    def settled() -> bool:
        seen = [json.loads(api.request("GET", "/v1/status")[2]) for api in apis]
        digests = {(each["appliedIndex"], each["digest"]) for each in seen}
        return len(digests) == 1

    until(settled)
