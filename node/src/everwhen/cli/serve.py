"""``everwhen serve``: one node over one data directory."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from everwhen.errors import SettingsInvalid
from everwhen.server.hot import SettingsFile
from everwhen.server.logging import configure
from everwhen.server.run import serve
from everwhen.settings import Settings, load


def add_parser(subparsers: Any) -> None:
    """The command's arguments; every other setting has a flag ``--set group.name=value``."""
    parser = subparsers.add_parser(
        "serve", help="run a node", description="Run a node until SIGTERM or Ctrl-C."
    )
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the record and the log")
    parser.add_argument("--name", help="name of this node")
    parser.add_argument("--http", metavar="HOST:PORT", help="address of the HTTP door")
    parser.add_argument("--bolt", metavar="HOST:PORT", help="address of the Bolt door")
    parser.add_argument("--peer", metavar="HOST:PORT", help="address for other members")
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--bootstrap", action="store_true", help="found a cluster if the data directory is empty"
    )
    group.add_argument("--join", metavar="URL[,URL]", help="members to ask for admission")
    parser.add_argument("--auth", choices=("none", "basic"), help="none: loopback only")
    parser.add_argument("--import-folder", metavar="DIR", help="folder LOAD CSV may read")
    parser.add_argument("--config", metavar="FILE", help="TOML file with settings")
    parser.add_argument(
        "--set",
        metavar="GROUP.NAME=VALUE",
        action="append",
        default=[],
        help="any setting, for instance limits.statement_timeout_s=30",
    )
    parser.set_defaults(run=run)


def settings_of(options: argparse.Namespace) -> tuple[Settings, SettingsFile | None]:
    """Defaults < file < environment < flags; and the file, if there is one.

    :raises SettingsInvalid: names the setting and where it came from.
    """
    flags = _flags(options)
    name = options.config or os.environ.get("EVERWHEN_CONFIG")
    if not name:
        return load(environment=os.environ, flags=flags), None

    def read(text: str) -> Settings:
        return load(file=(name, text), environment=os.environ, flags=flags)

    file = SettingsFile(Path(name), read)
    return read(file.text), file


def _flags(options: argparse.Namespace) -> dict[str, object]:
    flags: dict[str, object] = {}
    if options.data_dir is not None:
        flags["node.data_dir"] = options.data_dir
    if options.name is not None:
        flags["node.name"] = options.name
    doors = (("http", options.http), ("bolt", options.bolt), ("cluster", options.peer))
    for door, address in doors:
        if address is None:
            continue
        host, separator, port = address.rpartition(":")
        if not separator or not port.isdigit():
            flag = "peer" if door == "cluster" else door
            raise SettingsInvalid(f"--{flag} needs HOST:PORT, got {address!r}")
        flags[f"{door}.host"] = host.strip("[]")
        flags[f"{door}.port"] = int(port)
    if options.bootstrap:
        flags["cluster.bootstrap"] = True
    if options.join is not None:
        flags["cluster.join"] = options.join
    if options.auth is not None:
        flags["auth.mode"] = options.auth
    if options.import_folder is not None:
        flags["imports.dir"] = options.import_folder
    for item in options.set:
        name, separator, value = item.partition("=")
        if not separator:
            raise SettingsInvalid(f"--set needs GROUP.NAME=VALUE, got {item!r}")
        flags[name] = value
    return flags


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop; 1 if the node broke."""
    settings, file = settings_of(options)
    configure(settings.log.level, settings.log.format)
    print(settings.as_toml(), file=sys.stderr)
    return serve(settings, file)
