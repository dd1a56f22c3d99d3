"""The command line of the operator."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """What may be said on the command line."""
    made = argparse.ArgumentParser(
        prog="everwhen-operator", description="Keeps GraphCluster objects as they ask."
    )
    made.add_argument(
        "--namespace",
        action="append",
        default=[],
        help="watch this namespace only (may be repeated); without it, all of them",
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal."""
    parser().parse_args(arguments)
    return 0
