"""The sample's graph goes back to 2023 and forth again, and is exactly what the files say."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from everwhen.cli.main import main
from tests.cluster.running import Local, until
from tests.imports.conftest import Run
from tests.support.query_api import QueryApi
from tests.tidy.tree import ROOT

FILES: Final = ROOT / "samples" / "debian"
_PACKAGES: Final = (
    "MATCH (p:Package) RETURN p.name, p.version, p.section, p.priority, p.installed_kb, p.source, "
    "p.description"
)
_DEPENDS: Final = "MATCH (a:Package)-[r]->(b:Package) RETURN a.name, b.name, type(r), r.constraint"
Graph = tuple[Counter[tuple[Any, ...]], Counter[tuple[Any, ...]]]


def _file(name: str) -> Counter[tuple[Any, ...]]:
    with gzip.open(FILES / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        return Counter(tuple(row) for row in rows)


def in_files(release: str) -> Graph:
    return _file(f"packages-{release}"), _file(f"depends-{release}")


def in_database(api: QueryApi) -> Graph:
    """As text, like the files: nothing is the empty text."""
    found = []
    for query in (_PACKAGES, _DEPENDS):
        rows = api.rows(query)
        found.append(Counter(tuple("" if v is None else str(v) for v in row) for row in rows))
    return found[0], found[1]


def there_and_back(apis: Sequence[QueryApi]) -> None:
    """Every one of ``apis`` must show it."""
    api = apis[0]
    [[before]] = api.rows("MATCH (p:Package {name: 'python3'}) CALL history(p) YIELD version "
                          "RETURN max(version)")  # fmt: skip
    assert before == 3
    _planned(api)
    for moment, release, version in (("'2023-07-01'", "bookworm", 1), ("VERSION 3", "sid", 3)):
        answer = api.run(f"FLASHBACK TO {moment}", counters=True)
        row = dict(zip(answer["data"]["fields"], answer["data"]["values"][0], strict=True))
        assert row["version"] == version
        assert answer["counters"]["nodesCreated"] == row["nodesRevived"] > 0
        assert answer["counters"]["relationshipsDeleted"] == row["relationshipsDeleted"] > 0
        wanted = in_files(release)
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
    assert api.rows("MATCH (p:Package) RETURN count(p)") == [[_count("sid")]]


def _count(release: str) -> int:
    return _file(f"packages-{release}").total()


@pytest.mark.timeout(900)
def test_on_one_node(run: Run, api: QueryApi) -> None:
    run("sample", "debian")
    api.timeout = 300
    there_and_back([api])


@pytest.fixture
def group() -> Iterator[Local]:
    folder = Path(tempfile.mkdtemp(prefix="everwhen-flashback-"))
    local = Local(folder / "group", "--nodes", "3", "--base-port", "0")
    yield local
    assert local.stop() == 0
    for each in sorted((folder / "group").glob("*")):
        if (each / "record").is_dir():
            assert main(["verify", str(each)]) == 0
    shutil.rmtree(folder)


@pytest.mark.timeout(1_800)
def test_on_three_nodes(group: Local) -> None:
    apis = [QueryApi(group.port(at), timeout=300) for at in range(3)]
    uri = f"http://127.0.0.1:{group.port(1)}"
    assert main(["sample", "debian", "--uri", uri, "--json"]) == 0
    there_and_back(apis)

    def settled() -> bool:
        seen = [json.loads(api.request("GET", "/v1/status")[2]) for api in apis]
        digests = {(each["appliedIndex"], each["digest"]) for each in seen}
        return len(digests) == 1

    until(settled)
