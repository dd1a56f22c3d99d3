"""What is told to whoever runs a node: events with a name and fields, one a line, to stderr.

Text on a terminal, one JSON object a line anywhere else. Only the edges log (``server/``, ``cli/``);
the core returns facts. Libraries that log by the standard library's means (the HTTP server) come out
in the same form. Field names that mean a secret are hidden wherever they occur.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

from everwhen.server.problems import RECENT

_SECRET: Final = frozenset({"authorization", "credentials", "password", "secret", "token"})

Event = MutableMapping[str, Any]


def configure(level: str, form: str, stream: TextIO | None = None) -> None:
    """Sets up logging for this process; ``level`` and ``form`` as in the settings."""
    stream = stream or sys.stderr
    as_text = form == "text" or (form == "auto" and stream.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
    ]
    as_lines: list[structlog.types.Processor] = [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("event"),
        structlog.processors.JSONRenderer(default=str),
    ]

    def formatter_of(ending: list[structlog.types.Processor]) -> logging.Formatter:
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )

    handler = logging.StreamHandler(stream)
    colours = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    handler.setFormatter(formatter_of([colours] if as_text else as_lines))
    root = logging.getLogger()
    RECENT.setFormatter(formatter_of(as_lines))
    root.handlers[:] = [handler, RECENT]
    set_level(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def set_level(level: str) -> None:
    """What is logged from now on; ``level`` as in the settings."""
    logging.getLogger().setLevel(logging.getLevelNamesMapping()[level.upper()])


def logger(part: str) -> structlog.stdlib.BoundLogger:
    """The logger of a part of the server, e.g. ``http``."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(f"everwhen.{part}", part=part)
    return bound


def _hide_secrets(_logger: object, _method: str, event: Event) -> Event:
    for name in event:
        if name.lower() in _SECRET:
            event[name] = "(hidden)"
    return event
