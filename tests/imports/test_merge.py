"""``--mode update`` and ``sync``, and ``export`` as the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports.conftest import Run
from tests.imports.test_create import KNOWS, PEOPLE, written
from tests.support.query_api import QueryApi

ALL = "MATCH (n) RETURN labels(n), properties(n) ORDER BY n.id"
EDGES = (
    "MATCH (a)-[r]->(b) RETURN a.id AS a, type(r), b.id AS b, properties(r) AS p "
    "ORDER BY a, b, toString(r.since), r.weight, r.v"
)


def pair(folder: Path, nodes: str, edges: str) -> list[object]:
    return [
        "--nodes", f"{written(folder / 'n.csv', nodes)}:N",
        "--edges", f"{written(folder / 'e.csv', edges)}",
    ]  # fmt: skip


OLD = (
    "id:ID,v:int,w,d:date\na,1,x,2020-01-01\nb,2,,\nc,3,z,\n",
    ":START_ID,:END_ID,:TYPE,v\na,b,T,1\na,b,T,1\na,c,T,2\nb,c,U,\n",
)
NEW = (
    "id:ID,v:int,w,d:date\na,1,x,2020-01-02\nb,7,y,\nd,4,,2021-01-01\n",
    ":START_ID,:END_ID,:TYPE,v\na,b,T,1\na,b,T,3\nd,a,U,\n",
)


def test_sync_sends_only_the_difference(run: Run, api: QueryApi, tmp_path: Path) -> None:
    first = run("import", *pair(tmp_path, *OLD), "--at", "2020-01-01", "--mode", "sync")
    assert (first["nodes_created"], first["relationships_created"]) == (3, 4)
    api.run("MATCH (c:N {id: 'c'}) CREATE (:Other)-[:OTHER]->(c)")
    said = run("import", *pair(tmp_path, *NEW), "--mode", "sync")
    counts = {name: value for name, value in said.items() if "_" in name and name != "bad_rows"}
    assert counts == {
        "nodes_created": 1,
        "nodes_changed": 2,
        "nodes_deleted": 1,
        "relationships_created": 1,
        "relationships_changed": 1,
        "relationships_deleted": 3,
    }
    assert api.rows("MATCH (n:N) RETURN n.id, n.v, n.w, toString(n.d) ORDER BY n.id") == [
        ["a", 1, "x", "2020-01-02"],
        ["b", 7, "y", None],
        ["d", 4, None, "2021-01-01"],
    ]
    assert api.rows("MATCH (a)-[r]->(b) RETURN a.id, type(r), b.id, r.v ORDER BY a.id, r.v") == [
        ["a", "T", "b", "1"],
        ["a", "T", "b", "3"],
        ["d", "U", "a", None],
    ]
    assert api.rows("MATCH (:Other) RETURN count(*)") == [[1]]
    assert api.rows("MATCH (n:N) AT TIME '2020-01-01' RETURN n.id, n.v ORDER BY n.id") == [
        ["a", 1], ["b", 2], ["c", 3],
    ]  # fmt: skip
    again = run("import", *pair(tmp_path, *NEW), "--mode", "sync")
    assert not any(value for name, value in again.items() if name.endswith("d"))
    assert "version" not in again


def test_update_deletes_nothing(run: Run, api: QueryApi, tmp_path: Path) -> None:
    run("import", *pair(tmp_path, *OLD))
    said = run("import", *pair(tmp_path, *NEW), "--mode", "update")
    assert (said["nodes_created"], said["nodes_changed"], said["nodes_deleted"]) == (1, 2, 0)
    assert (said["relationships_created"], said["relationships_deleted"]) == (2, 0)
    assert api.rows("MATCH (n:N) RETURN n.id ORDER BY n.id") == [["a"], ["b"], ["c"], ["d"]]


def test_update_needs_a_label_and_a_stored_id(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "n.csv", ":ID\n1\n")
    assert (
        "find nodes by" in run("import", "--mode", "sync", "--nodes", f"{file}:N", code=1)["error"]
    )


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_export_is_what_import_reads(run: Run, api: QueryApi, tmp_path: Path, form: str) -> None:
    people = written(tmp_path / "people.csv", PEOPLE.replace("\\n", "\n"))
    knows = written(tmp_path / "knows.csv", KNOWS)
    run("import", "--nodes", f"{people}:Person", "--edges", knows, "--at", "2020-01-01")
    nodes, edges = api.rows(ALL), api.rows(EDGES)
    api.run("MATCH (p:Person) DETACH DELETE p")
    out = tmp_path / "out"
    said = run("export", "--out", out, "--format", form, "--at", "2020-06-01")
    assert said["rows"] == 7
    words: list[object] = []
    for name in said["files"]:
        path = out / f"{name}.{form}"
        if name in ("KNOWS", "LIKES"):
            words += ["--edges", f"{path}:{name}"]
        else:
            words += ["--nodes", f"{path}:{name.replace('-', ':')}"]
    assert not list(out.glob("*.part"))
    run("import", *words)
    assert api.rows(ALL) == nodes
    assert api.rows(EDGES) == edges


def test_export_of_mixed_and_nothing(run: Run, api: QueryApi, tmp_path: Path) -> None:
    assert run("export", "--out", tmp_path / "out")["files"] == {}
    api.run("CREATE (:A {v: 1}), (:A {v: 'x'}), (:A {v: date('2020-01-01'), l: []}), (:`a/b` {})")
    said = run("export", "--out", tmp_path / "out", "--labels", "A")
    assert said["files"] == {"A": 3}
    text = (tmp_path / "out" / "A.csv").read_text(encoding="utf-8")
    assert '"v:string"' in text
    assert sorted(line.split(",")[-1] for line in text.splitlines()[1:]) == [
        '"1"', '"2020-01-01"', '"x"',
    ]  # fmt: skip
    assert set(run("export", "--out", tmp_path / "out")["files"]) == {"A", "a_b"}
