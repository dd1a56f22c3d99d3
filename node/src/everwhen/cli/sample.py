"""``everwhen sample debian``: loads the sample's three states, each at its own time.

The first state is loaded whole; of the two later ones only what changed is sent, deletes included.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from everwhen.cli.import_ import add_connection, connection, mapped
from everwhen.cli.loading.merge import merge
from everwhen.cli.loading.problems import BadRows, ImportFailed
from everwhen.cli.loading.progress import Meter, meter
from everwhen.cli.loading.rows import File, FileSpec, Format
from everwhen.cli.loading.wire import Wire


@dataclass(frozen=True, slots=True)
class State:
    """One state of the sample and when the world was so."""

    name: str
    at: str


STATES: Final = (
    State("bookworm", "2023-06-10"),
    State("trixie", "2025-08-09"),
    State("sid", "2026-11-22"),
)
_UNIQUE: Final = (
    "CREATE CONSTRAINT package_name IF NOT EXISTS FOR (p:Package) REQUIRE p.name IS UNIQUE"
)


def add_parser(subparsers: Any) -> None:
    """The command's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "sample",
        help="load sample data into a server",
        description="Load a sample. debian: the packages of Debian and what they depend on, as "
        "of bookworm (2023-06-10), trixie (2025-08-09) and sid (2026-11-22), each a commit at its "
        "own time. The database must be empty, or have no commit after 2023-06-10.",
    )
    parser.add_argument("name", choices=("debian",), help="which sample")
    add_connection(parser)
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="folder of the data (default: the checkout's)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object for each state")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def folder_of(name: str) -> Path:
    """Where a sample lies in the checkout that this program runs from.

    :raises ImportFailed: it runs from somewhere else.
    """
    for parent in Path(__file__).resolve().parents:
        found = parent / "samples" / name
        if (found / "mapping.toml").is_file():
            return found
    raise ImportFailed(
        f"the data of the sample {name!r} is not beside this program",
        hint="name its folder with --folder: samples/debian of the source",
    )


def run(options: argparse.Namespace) -> int:
    """Load all states; 0 if they are there."""
    folder = options.folder or folder_of(options.name)
    with connection(options) as wire, meter(options.quiet) as shown:
        there = wire.call(wire.client.run("MATCH (p:Package) RETURN p LIMIT 1"))
        if there:
            raise ImportFailed("the server has packages already: the sample is loaded")
        for state in STATES:
            started = time.monotonic()
            outcome = load(wire, folder, state, shown)
            if state is STATES[0]:
                wire.call(wire.client.run(_UNIQUE))
            outcome = {"state": state.name, **outcome}
            outcome["seconds"] = round(time.monotonic() - started, 3)
            _tell(outcome, as_json=options.json)
    return 0


def load(wire: Wire, folder: Path, state: State, shown: Meter) -> dict[str, Any]:
    """Bring the database to one state, dated when the world was so."""
    nodes, edges = mapped(folder / "mapping.toml")

    def opened(specs: list[FileSpec], of_nodes: bool) -> list[File]:
        named = [
            replace(one, path=Path(str(one.path).replace("RELEASE", state.name))) for one in specs
        ]
        return [File(one, Format(), nodes=of_nodes) for one in named]

    bad = BadRows(0, None)
    return merge(
        wire, opened(nodes, True), opened(edges, False), bad, shown, at=state.at, delete=True
    )


def _tell(outcome: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(outcome), flush=True)
        return
    done = [
        f"{value:,} {name.replace('_', ' ')}"
        for name, value in outcome.items()
        if isinstance(value, int) and name != "version" and value
    ]
    print(
        f"{outcome['state']} at {outcome.get('time', '')}: {', '.join(done) or 'no change'} "
        f"in {outcome['seconds']:.1f} s",
        flush=True,
    )
