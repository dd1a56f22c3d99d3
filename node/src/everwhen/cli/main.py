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
COMMANDS = ("serve", "import_", "sample", "dump", "verify")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="everwhen",
        description="A graph database that never forgets.",
        epilog="everwhen COMMAND --help tells more about a command.",
    )
    parser.add_argument("--version", action="version", version=f"everwhen {VERSION}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"everwhen.cli.{name}").add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    options = build_parser().parse_args(arguments)
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
