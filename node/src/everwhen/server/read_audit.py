"""The audit of reads: who asked what and when, in files beside the log of this node.

Reads change nothing, so no commit tells of them, and no other node knows. A thread of its own
writes; statements never wait for the disk. What does not fit into its queue, or cannot be written,
is lost; every lost line is counted, in the metrics and in the next line that is written.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import deque
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from threading import Condition, Thread
from typing import Any, Final

from everwhen.codec.journal import statement_hash
from everwhen.errors import EverwhenError, SettingsInvalid
from everwhen.exec.context import ExecutionContext
from everwhen.limits import AUDIT_READS_WAITING_MAX, AUDIT_TEXT_BYTES_MAX
from everwhen.model.moments import micros_text
from everwhen.runtime.transaction import OpenTransaction
from everwhen.server.logging import logger
from everwhen.settings import Settings

_CLOSE_SECONDS: Final = 5.0


class ReadAudit:
    """Lines of one node; ``written`` and ``lost`` are told how many lines more."""

    def __init__(
        self,
        path: Path,
        *,
        bytes_max: int,
        files: int,
        with_text: bool,
        written: Callable[[int], None],
        lost: Callable[[int], None],
        waiting_max: int = AUDIT_READS_WAITING_MAX,
    ) -> None:
        """:raises SettingsInvalid: the file cannot be written."""
        try:
            self._file = _File(path, maxBytes=bytes_max, backupCount=files - 1, encoding="utf-8")
        except OSError as error:
            raise SettingsInvalid(f"cannot write audit.reads_file {path}: {error}") from error
        self._file.setFormatter(logging.Formatter("%(message)s"))
        self._with_text = with_text
        self._written = written
        self._lost = lost
        self._waiting_max = waiting_max
        self._waiting: deque[dict[str, Any]] = deque()
        self._wake = Condition()
        self._closing = False
        #: lines lost since the last one that was written
        self._missing = 0
        self._thread = Thread(target=self._write_all, name="audit-reads", daemon=True)
        self._thread.start()

    # --- from threads that run statements ---

    def note(
        self,
        transaction: OpenTransaction,
        ctx: ExecutionContext,
        rows: int,
        error: EverwhenError | None,
    ) -> None:
        """A statement ended; one that changed something is in the journal already."""
        if ctx.counters.contains_updates and error is None:
            return
        caller = transaction.caller
        line: dict[str, Any] = {
            "time": micros_text(ctx.now_statement),
            "principal": caller.principal,
            "client": caller.client,
            "tag": caller.tag,
            "metadata": {str(k): str(v) for k, v in transaction.options.metadata.items()},
            "version": transaction.version,
            "statementHash": statement_hash([ctx.text]).hex(),
            "rows": rows,
        }
        if self._with_text and len(ctx.text.encode()) <= AUDIT_TEXT_BYTES_MAX:
            line["statement"] = ctx.text
        if error is not None:
            line["error"] = error.code
        with self._wake:
            if self._closing or len(self._waiting) >= self._waiting_max:
                self._missed(1)
                return
            self._waiting.append(line)
            self._wake.notify()

    def _missed(self, count: int) -> None:
        self._missing += count
        self._lost(count)

    # --- the thread that writes ---

    def _write_all(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closing:
                    self._wake.wait()
                if not self._waiting:
                    return
                line = self._waiting.popleft()
                missing = self._missing
            if missing:
                line["lostBefore"] = missing
            failed = self._file.write(json.dumps(line, ensure_ascii=False))
            with self._wake:
                if failed is None:
                    self._missing -= missing
                    self._written(1)
                else:
                    self._missed(1)
            if failed is not None:
                logger("audit").error("audit_of_reads_failed", message=str(failed))

    def close(self) -> None:
        """Write what waits, within a few seconds, and stop."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(_CLOSE_SECONDS)
        with self._wake:
            left = len(self._waiting)
            self._waiting.clear()
            if left:
                self._missed(left)
        if not self._thread.is_alive():
            self._file.close()


class _File(RotatingFileHandler):
    """Says what went wrong instead of printing it."""

    failed: Exception | None = None

    def write(self, text: str) -> Exception | None:
        """One line; the error if it could not be written."""
        self.failed = None
        self.handle(logging.LogRecord("audit", logging.INFO, "", 0, text, None, None))
        return self.failed

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        error = sys.exc_info()[1]
        self.failed = error if isinstance(error, Exception) else OSError("it could not be written")


def open_read_audit(
    settings: Settings, written: Callable[[int], None], lost: Callable[[int], None]
) -> ReadAudit | None:
    """As set; None where reads are not audited."""
    audit = settings.audit
    if audit.reads == "off" or audit.reads_file is None:
        return None
    return ReadAudit(
        audit.reads_file,
        bytes_max=audit.reads_file_bytes,
        files=audit.reads_files,
        with_text=audit.statement_text == "on",
        written=written,
        lost=lost,
    )
