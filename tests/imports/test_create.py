"""``everwhen import``: what stands in files is then in the database, or nothing is."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.imports.conftest import Run
from tests.support.query_api import Failed, QueryApi

PEOPLE = """\
id:ID(Person),name,age:int,height:float,ok:boolean,born:date,tags:string[],marks:int[],:LABEL,x:IGNORE
a,Ann,33,1.7,true,1990-02-03,red;blue,1;2,Old;Wise,1
b,"Bob, ""B""\nof B",,,FALSE,,,,,2

c,"",-5,1e3,,2001-01-01,,,Old,3
"""
KNOWS = """\
:START_ID(Person),:END_ID(Person),:TYPE,since:datetime,weight:double
a,b,KNOWS,2020-01-01T00:00+01:00,0.5
b,c,LIKES,,
a,b,KNOWS,,2
c,c,KNOWS,,
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return written(tmp_path / "people.csv", PEOPLE.replace("\\n", "\n"))


@pytest.fixture
def knows(tmp_path: Path) -> Path:
    return written(tmp_path / "knows.csv", KNOWS)


def test_every_kind_of_column(run: Run, api: QueryApi, people: Path, knows: Path) -> None:
    said = run("import", "--nodes", f"{people}:Person", "--edges", knows)
    assert said["nodes_created"] == 3
    assert said["relationships_created"] == 4
    assert api.rows(
        "MATCH (p:Person) RETURN p.id, labels(p), p.name, p.age, p.height, p.ok, "
        "toString(p.born), valueType(p.born), p.tags, p.marks, p.x ORDER BY p.id"
    ) == [
        ["a", ["Old", "Person", "Wise"], "Ann", 33, 1.7, True, "1990-02-03", "DATE NOT NULL",
         ["red", "blue"], [1, 2], None],
        ["b", ["Person"], 'Bob, "B"\nof B', None, None, False, None, "NULL", None, None, None],
        ["c", ["Old", "Person"], "", -5, 1000.0, None, "2001-01-01", "DATE NOT NULL", None, None,
         None],
    ]  # fmt: skip
    assert api.rows(
        "MATCH (a)-[r]->(b) RETURN a.id, type(r), b.id, toString(r.since), r.weight "
        "ORDER BY a.id, b.id, r.weight"
    ) == [
        ["a", "KNOWS", "b", "2020-01-01T00:00+01:00", 0.5],
        ["a", "KNOWS", "b", None, 2.0],
        ["b", "LIKES", "c", None, None],
        ["c", "KNOWS", "c", None, None],
    ]
    assert api.rows("MATCH (:Person {id: 'b'})-[r]-() RETURN count(r)") == [[3]]


def test_compressed_mapped_and_parquet(run: Run, api: QueryApi, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "n.csv.gz", "wt") as out:
        out.write("key\tvalue\n1\tone\n2\ttwo\n")
    table = pa.table(
        {
            "from": [1, 2],
            "to": pa.array([2, 1], pa.int32()),
            "on": pa.array([0, 86_400_000], pa.timestamp("ms")),
            "list": [[1.5], None],
        }
    )
    pq.write_table(table, tmp_path / "e.parquet")
    mapping = written(
        tmp_path / "m.toml",
        """
        [[nodes]]
        file = "n.csv.gz"
        labels = ["N", "M"]
        columns = { key = "key:ID" }
        [[edges]]
        file = "e.parquet"
        type = "E"
        columns = { from = ":START_ID", to = ":END_ID" }
        """,
    )
    run("import", "--mapping", mapping, "--delimiter", "TAB", "--id-type", "integer")
    assert api.rows("MATCH (a:N:M)-[r:E]->(b) RETURN a.key, b.value, r.list ORDER BY a.key") == [
        [1, "two", [1.5]],
        [2, "one", None],
    ]
    assert api.rows("MATCH ()-[r]->() RETURN toString(r.on) ORDER BY r.on") == [
        ["1970-01-01T00:00"],
        ["1970-01-02T00:00"],
    ]


BAD_NODES = """\
id:ID,n:int,d:date
a,1,2020-01-01
b,x,2020-01-01
c,3
"d
d",4,2020-13-01
a,5,
,6,
e,99999999999999999999,

f,7,2021-01-01
g,8,
"""


def test_bad_rows_have_file_and_line(run: Run, api: QueryApi, tmp_path: Path) -> None:
    nodes = written(tmp_path / "n.csv", BAD_NODES)
    edges = written(tmp_path / "e.csv", ":START_ID,:END_ID\na,f\na,nobody\n,f\ng,a\n")
    words = ("--nodes", f"{nodes}:N", "--edges", f"{edges}:E")
    # rows of the wrong width are found before any value is looked at
    assert f"{nodes}:4: 2 fields" in run("import", *words, code=1)["error"]
    assert api.rows("MATCH (n) RETURN count(n)") == [[0]]
    report = tmp_path / "bad.txt"
    said = run("import", *words, "--bad-tolerance", 8, "--bad-report", report)
    lines = report.read_text(encoding="utf-8").splitlines()
    assert sorted(lines) == sorted(
        [
            f"{nodes}:3: 'x' is no int",
            f"{nodes}:4: 2 fields, the header has 3: 'c,3'",
            f"{nodes}:5: '2020-13-01' is no date",
            f"{nodes}:7: the id 'a' is there twice",
            f"{nodes}:8: no id",
            f"{nodes}:9: '99999999999999999999' is no int",
            f"{edges}:3: there is no node with the id 'nobody'",
            f"{edges}:4: no start id",
        ]
    )
    assert said["bad_rows"] == 8
    assert (said["nodes_created"], said["relationships_created"]) == (3, 2)
    assert api.rows("MATCH (n:N) RETURN n.id ORDER BY n.id") == [["a"], ["f"], ["g"]]


def test_a_time_of_its_own(run: Run, api: QueryApi, people: Path, tmp_path: Path) -> None:
    first = written(tmp_path / "first.csv", "id:ID\nx\n")
    said = run("import", "--nodes", f"{first}:N", "--at", "2020-01-01")
    assert said["time"].startswith("2020-01-01T00:00")
    run("import", "--nodes", f"{people}:Person", "--at", "2021-06-01T12:00")
    for time, count in (("2020-06-01", 1), ("2022-01-01", 4)):
        assert api.rows(f"MATCH (n) AT TIME '{time}' RETURN count(n)") == [[count]]
    early = run("import", "--nodes", f"{first}:N", "--at", "2019-01-01", code=1)["error"]
    assert "time is closed" in early
    late = run("import", "--nodes", f"{first}:N", "--at", "2999-01-01", code=1)["error"]
    assert "later than the clock" in late
    assert (
        "malformed time" in run("import", "--nodes", f"{first}:N", "--at", "soon", code=1)["error"]
    )


def test_constraints_hold(run: Run, api: QueryApi, tmp_path: Path) -> None:
    api.run("CREATE CONSTRAINT one FOR (n:N) REQUIRE n.name IS UNIQUE")
    api.run("CREATE INDEX FOR (n:N) ON (n.size)")
    rows = [f"{at},name {at},{at % 7}" for at in range(3_000)]
    good = written(tmp_path / "good.csv", "\n".join(["id:ID,name,size:int", *rows]))
    run("import", "--nodes", f"{good}:N")
    assert api.rows("MATCH (n:N {name: 'name 2999'}) RETURN n.size") == [[3]]
    assert api.rows("MATCH (n:N) WHERE n.size = 3 RETURN count(n)") == [[429]]
    with pytest.raises(Failed, match="already exists"):
        api.run("CREATE (:N {name: 'name 7'})")
    for text in ("id:ID,name\np,same\nq,same\n", "id:ID,name\np,new\nq,name 12\n"):
        bad = written(tmp_path / "bad.csv", text)
        error = run("import", "--nodes", f"{bad}:N", code=1)["error"]
        assert "already exists" in error, error
    api.run("CREATE CONSTRAINT there FOR (n:M) REQUIRE n.name IS NOT NULL")
    missing = written(tmp_path / "missing.csv", "id:ID,name\np,x\nq,\n")
    assert "name" in run("import", "--nodes", f"{missing}:M", code=1)["error"]
    assert api.rows("MATCH (n) RETURN count(n)") == [[3_000]]


@pytest.mark.parametrize(
    ("nodes", "edges", "wanted"),
    [
        ("", ":START_ID,:END_ID\n", "no header"),
        ("id:ID,a:number\n", "", "unknown type"),
        ("id:ID,a,a\n", "", "twice"),
        (":START_ID\n", "", "cannot have the column"),
        ("id:ID\n", ":START_ID\n", "no :END_ID"),
        ("id:ID\n", ":START_ID(X),:END_ID\n", "ids of the group 'X'"),
        ("id:ID,id:ID(B)\n", "", "more than one"),
    ],
)
def test_files_that_make_no_sense(
    run: Run, tmp_path: Path, nodes: str, edges: str, wanted: str
) -> None:
    words: list[object] = ["--nodes", f"{written(tmp_path / 'n.csv', nodes)}:N"]
    if edges:
        words += ["--edges", f"{written(tmp_path / 'e.csv', edges)}:E"]
    assert wanted in run("import", *words, code=1)["error"]


def test_arguments_that_make_no_sense(run: Run, tmp_path: Path) -> None:
    assert "nothing to import" in run("import", code=1)["error"]
    assert "cannot read" in run("import", "--nodes", tmp_path / "gone.csv", code=1)["error"]
    file = written(tmp_path / "n.csv", "id:ID\n1\n")
    edges = written(tmp_path / "e.csv", ":START_ID,:END_ID\n1,1\n")
    words = ("--nodes", file, "--edges", edges)
    assert "need a type" in run("import", *words, code=1)["error"]
    both = ("--nodes", file, "--resume", tmp_path / "s", "--at", "2020-01-01")
    assert "--resume" in run("import", *both, code=1)["error"]


def test_several_files_of_nodes(run: Run, api: QueryApi, tmp_path: Path) -> None:
    """Ids come back while further files are read."""
    one = written(tmp_path / "1.csv", "id:ID\na\nb\n")
    two = written(tmp_path / "2.csv", "id:ID\nc\na\n")
    edges = written(tmp_path / "e.csv", ":START_ID,:END_ID\na,b\nb,c\n")
    words = ("--nodes", f"{one}:N", "--nodes", f"{two}:N", "--edges", f"{edges}:E")
    assert f"{two}:3: the id 'a' is there twice" in run("import", *words, code=1)["error"]
    run("import", *words, "--bad-tolerance", 1)
    assert api.rows("MATCH (a)-[:E]->(b) RETURN a.id, b.id ORDER BY a.id") == [
        ["a", "b"],
        ["b", "c"],
    ]
