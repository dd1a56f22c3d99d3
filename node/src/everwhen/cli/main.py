"""``everwhen``: one command with a sub-command for each thing it does.

Exit codes: 0 done, 1 it failed (the message says why), 2 wrong arguments, 3 ``verify`` found
something wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from everwhen.errors import EverwhenError
from everwhen.version import VERSION

#: modules with ``add_parser(subparsers)``, in the order of ``--help``; imported when needed
COMMANDS = ("serve", "local", "sh", "import_", "export", "sample", "admin", "dump", "verify")


def build_parser(wanted: str = "") -> argparse.ArgumentParser:
    """The command line: of one command, or all of it if there is none of that name."""
    parser = argparse.ArgumentParser(
        prog="everwhen",
        description="A graph database that never forgets.",
        epilog="everwhen COMMAND --help tells more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"everwhen {VERSION}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    known = [name for name in COMMANDS if name.rstrip("_") == wanted]
    for name in known or COMMANDS:
        import_module(f"everwhen.cli.{name}").add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    # a command imports only what it needs: that is half of its start
    options = build_parser(given[0] if given else "").parse_args(given)
    try:
        code: int = options.run(options)
    except EverwhenError as error:
        print(f"everwhen: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
