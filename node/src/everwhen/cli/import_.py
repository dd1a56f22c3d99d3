"""``everwhen import``: CSV and Parquet files into a running server.

What a file's columns mean stands in its header (``cli.loading.headers``) or in a mapping file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from everwhen.cli.connecting import add_credentials, credentials, trust
from everwhen.cli.loading.create import WINDOW_ROWS, Creation
from everwhen.cli.loading.merge import merge
from everwhen.cli.loading.problems import BadRows, ImportFailed
from everwhen.cli.loading.progress import Meter, meter
from everwhen.cli.loading.rows import File, FileSpec, Format
from everwhen.cli.loading.steps import Stepwise, Whole
from everwhen.cli.loading.wire import Wire

_EPILOG = """\
Headers are those of neo4j-admin import: name:ID(Group), :LABEL, :START_ID(Group), :END_ID(Group),
:TYPE, age:int, tags:string[], born:date. A mapping file (TOML) names files and headers instead:

  [[nodes]]                                 [[edges]]
  file = "packages.csv.gz"                  file = "depends.csv.gz"
  labels = ["Package"]                      columns = { from = ":START_ID", to = ":END_ID",
  columns = { name = "name:ID" }                        type = ":TYPE" }
"""


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Arguments of every command that talks to a server."""
    parser.add_argument(
        "--uri",
        default=os.environ.get("EVERWHEN_URI", "http://127.0.0.1:7474"),
        help="address of the server (default $EVERWHEN_URI, else %(default)s)",
    )
    add_credentials(parser)


def connection(options: argparse.Namespace) -> Wire:
    """The server those arguments name."""
    return Wire(options.uri, credentials(options), trust(options))


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "import",
        help="load CSV or Parquet files into a server",
        description="Load files of nodes and relationships into a running server, in one "
        "transaction: all of it or nothing.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_connection(parser)
    add = parser.add_argument
    add("--nodes", action="append", default=[], metavar="FILE[:LABEL…]", help="a file of nodes")
    add("--edges", "--relationships", action="append", default=[], metavar="FILE[:TYPE]",
        help="a file of relationships")  # fmt: skip
    add("--mapping", type=Path, metavar="FILE", help="TOML file that says what columns mean")
    add("--mode", choices=("create", "update", "sync"), default="create",
        help="create: everything is new; update: nodes are found by their id and changed where "
        "they differ; sync: as update, and what the files do not have is deleted")  # fmt: skip
    add("--at", metavar="TIME", help="date of the commit (historical load), oldest first")
    add("--resume", type=Path, metavar="STATE",
        help="commit in batches and note each in this file; the same command goes on where it "
        "ended")  # fmt: skip
    add("--batch-rows", type=_positive, default=1_000_000, metavar="N",
        help="relationships in a batch with --resume (default %(default)s)")  # fmt: skip
    add("--bad-tolerance", type=int, default=0, metavar="N",
        help="bad rows to leave out before giving up; -1: any number (default 0)")  # fmt: skip
    add("--bad-report", type=Path, metavar="FILE", help="write every bad row's place and fault")
    add("--delimiter", default=",", type=_character, help="between fields (TAB for tabs)")
    add("--quote", default='"', type=_character, help="around fields")
    add("--array-delimiter", default=";", type=_character, help="between values of a list")
    add("--id-type", choices=("string", "integer"), default="string",
        help="as what ids of CSV files are stored")  # fmt: skip
    add("--json", action="store_true", help="print the outcome as one JSON object")
    add("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _character(text: str) -> str:
    if text.upper() in ("TAB", "\\T"):
        return "\t"
    if len(text) != 1 or not text.isascii():
        raise argparse.ArgumentTypeError("must be one ASCII character, or TAB")
    return text


# --- files ----------------------------------------------------------------------------------


def _spec(text: str) -> FileSpec:
    """``FILE:A:B``. A path may have colons itself: what exists as a file is one."""
    path, *names = text.split(":")
    while names and not Path(path).exists():
        path = f"{path}:{names.pop(0)}"
    if not Path(path).exists():
        path, *names = text.split(":")
    return FileSpec(Path(path), tuple(name for name in names if name))


def files(options: argparse.Namespace) -> tuple[list[FileSpec], list[FileSpec]]:
    """Files of nodes and of relationships.

    :raises ImportFailed: there are none, or the mapping file is wrong.
    """
    nodes = [_spec(text) for text in options.nodes]
    edges = [_spec(text) for text in options.edges]
    if options.mapping is not None:
        more_nodes, more_edges = mapped(options.mapping)
        nodes += more_nodes
        edges += more_edges
    if not nodes and not edges:
        raise ImportFailed("there is nothing to import", hint="name files with --nodes, --edges")
    return nodes, edges


def mapped(path: Path) -> tuple[list[FileSpec], list[FileSpec]]:
    """Files of nodes and of relationships that a mapping file names.

    :raises ImportFailed: it cannot be read, or says what means nothing.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ImportFailed(f"cannot read the mapping {path}: {error}") from error
    unknown = set(content) - {"nodes", "edges"}
    if unknown:
        raise ImportFailed(f"{path}: unknown part {min(unknown)!r}; known are nodes and edges")

    def specs(part: str, word: str) -> list[FileSpec]:
        found = []
        for item in content.get(part, []):
            if not isinstance(item, dict) or not isinstance(item.get("file"), str):
                raise ImportFailed(f"{path}: each of {part} needs a file")
            for name in set(item) - {"file", word, "columns"}:
                raise ImportFailed(f"{path}: unknown field {name!r} in {part}")
            names = item.get(word, [])
            columns = item.get("columns", {})
            words = [names] if isinstance(names, str) else names
            if not isinstance(columns, dict) or not all(
                isinstance(one, str) for one in [*words, *columns.values()]
            ):
                raise ImportFailed(f"{path}: {word} and columns of {part} must be text")
            found.append(FileSpec(path.parent / item["file"], tuple(words), columns))
        return found

    return specs("nodes", "labels"), specs("edges", "type")


# --- the command ----------------------------------------------------------------------------


def run(options: argparse.Namespace) -> int:
    """Load; 0 if all of it is there."""
    started = time.monotonic()
    nodes, edges = files(options)
    form = Format(options.delimiter, options.quote, options.array_delimiter, options.id_type)
    if options.resume is not None and (options.at is not None or options.mode != "create"):
        raise ImportFailed(
            "--resume commits in batches, so it takes neither --at nor --mode: "
            "a load with a time of its own is one commit, and update and sync find by "
            "themselves what is left to do"
        )
    bad = BadRows(options.bad_tolerance, options.bad_report)
    node_files = [File(spec, form, nodes=True) for spec in nodes]
    edge_files = [File(spec, form, nodes=False) for spec in edges]
    with connection(options) as wire, meter(options.quiet) as shown:
        outcome = _load(wire, options, node_files, edge_files, bad, shown)
    outcome["bad_rows"] = bad.count
    seconds = time.monotonic() - started
    outcome["seconds"] = round(seconds, 3)
    _tell(outcome, as_json=options.json)
    return 0


def _load(
    wire: Wire,
    options: argparse.Namespace,
    nodes: list[File],
    edges: list[File],
    bad: BadRows,
    shown: Meter,
) -> dict[str, Any]:
    if options.mode != "create":
        return merge(wire, nodes, edges, bad, shown, at=options.at, delete=options.mode == "sync")
    steps: Whole | Stepwise
    if options.resume is None:
        steps = Whole(wire, options.at)
    else:
        specs = [file.spec for file in (*nodes, *edges)]
        form = json.dumps([options.delimiter, options.quote, options.batch_rows, options.id_type])
        steps = Stepwise(wire, options.resume, specs, form)
    rows = WINDOW_ROWS if options.resume is None else options.batch_rows
    creation = Creation(steps, bad, shown, rows)
    try:
        creation.load_nodes(nodes)
        creation.load_relationships(edges)
        committed = steps.finish()
    except BaseException:
        steps.abort()
        raise
    outcome: dict[str, Any] = {
        "nodes_created": creation.nodes,
        "relationships_created": creation.relationships,
    }
    if isinstance(steps, Stepwise):
        outcome["batches_resumed"] = steps.resumed
    if committed is not None:
        outcome |= {"version": committed.version, "time": committed.time}
    return outcome


def _tell(outcome: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(outcome))
        return
    done = [
        f"{value:,} {name.replace('_', ' ')}"
        for name, value in outcome.items()
        if isinstance(value, int) and name not in ("version", "bad_rows") and value
    ]
    print(", ".join(done) or "nothing to do", f"in {outcome['seconds']:.1f} s")
    if "version" in outcome:
        print(f"version {outcome['version']} at {outcome['time']}")
    if outcome["bad_rows"]:
        print(f"{outcome['bad_rows']:,} bad rows left out", file=sys.stderr)
