"""What RUN and BEGIN carry besides the statement: access mode, bookmarks, time-out, metadata.

``tx_metadata`` is kept for the audit record. A few names in it are ours, so that any driver can
ask for what its interface has no word for: ``at_time``, ``at_version``, ``isolation``,
``consistency``, ``max_staleness``, ``commit_time``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from everwhen.errors import DatabaseNotFound, NotSupported, RequestInvalid
from everwhen.limits import BOLT_BOOKMARKS_MAX, INT_MAX
from everwhen.model.moments import moment_micros
from everwhen.query.physical import Notification
from everwhen.runtime.requests import Stop, TransactionOptions, staleness_of
from everwhen.runtime.service import Service
from everwhen.server.bolt.messages import Extra
from everwhen.server.remarks import classification
from everwhen.txn.transaction import Isolation

#: ``system`` is where other servers keep users and databases; here it is the same one
_DATABASES: Final = frozenset({"neo4j", "system"})
_SEVERITIES: Final = {"OFF": 2, "WARNING": 1, "INFORMATION": 0}


def options_of(
    extra: Extra, service: Service, stop: Stop, *, auto_commit: bool = False
) -> TransactionOptions:
    """The options of a transaction.

    :raises ClientError: one of them makes no sense; says which.
    """
    if not extra:
        return TransactionOptions(stop=stop, auto_commit=auto_commit)
    check_database(extra)
    mode = _text(extra, "mode", "w")
    if mode not in ("r", "w"):
        raise RequestInvalid(f"mode must be 'r' or 'w', not {mode!r}")
    metadata = extra.get("tx_metadata")
    if metadata is None:
        metadata = {}
    if type(metadata) is not dict:
        raise RequestInvalid("tx_metadata must be a map")
    return TransactionOptions(
        isolation=_isolation(metadata),
        read_only=mode == "r",
        at=_moment(metadata),
        own_time=_time(metadata, "commit_time"),
        timeout=_timeout(extra),
        metadata=metadata,
        after_version=service.bookmark_version(bookmarks_of(extra.get("bookmarks"))),
        staleness=staleness_of(metadata.get("consistency"), metadata.get("max_staleness")),
        auto_commit=auto_commit,
        stop=stop,
    )


def check_database(extra: Extra) -> None:
    """There is one database, and everybody is themselves.

    :raises DatabaseNotFound: another name.
    :raises NotSupported: impersonation.
    """
    name = _text(extra, "db", "neo4j")
    if name.lower() not in _DATABASES:
        raise DatabaseNotFound(
            f"there is no database {name!r}", hint="this server has one database: neo4j"
        )
    if extra.get("imp_user") is not None:
        raise NotSupported("impersonation is not available", hint="log on as the user who is meant")


def bookmarks_of(value: Any) -> list[str]:
    """A list of bookmarks, maybe absent.

    :raises RequestInvalid: something else.
    """
    if value is None:
        return []
    if type(value) is not list or not all(type(item) is str for item in value):
        raise RequestInvalid("bookmarks must be a list of strings")
    if len(value) > BOLT_BOOKMARKS_MAX:
        raise RequestInvalid(f"at most {BOLT_BOOKMARKS_MAX:,} bookmarks")
    return value


def _text(extra: Extra, name: str, default: str) -> str:
    value = extra.get(name)
    if value is None:
        return default
    if type(value) is not str:
        raise RequestInvalid(f"{name} must be a string")
    return value


def _timeout(extra: Extra) -> float | None:
    value = extra.get("tx_timeout")
    if value is None or value == 0:
        return None
    if type(value) is not int or value < 0:
        raise RequestInvalid("tx_timeout must be a number of milliseconds")
    return min(value, 10**12) / 1_000


def _isolation(metadata: Extra) -> Isolation:
    name = str(metadata.get("isolation", "snapshot")).upper()
    if name not in Isolation.__members__:
        raise RequestInvalid("isolation must be snapshot, serializable or pessimistic")
    return Isolation[name]


def _moment(metadata: Extra) -> tuple[str, int] | None:
    time, version = _time(metadata, "at_time"), metadata.get("at_version")
    if time is not None and version is not None:
        raise RequestInvalid("at_time and at_version cannot be combined")
    if version is None:
        return None if time is None else ("time", time)
    if type(version) is not int or not 0 <= version <= INT_MAX:
        raise RequestInvalid("at_version must be a version number")
    return "version", version


def _time(metadata: Extra, name: str) -> int | None:
    value = metadata.get(name)
    return None if value is None else moment_micros(value)


# --- which remarks a client wants ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Remarks:
    """What of the notifications is to be sent."""

    severity: int = 0
    disabled: frozenset[str] = frozenset()

    def changed(self, extra: Extra) -> Remarks:
        """With what HELLO, RUN or BEGIN say."""
        severity = extra.get("notifications_minimum_severity")
        disabled = extra.get(
            "notifications_disabled_classifications",
            extra.get("notifications_disabled_categories"),
        )
        if severity is None and disabled is None:
            return self
        return Remarks(
            self.severity if severity is None else _SEVERITIES.get(str(severity).upper(), 0),
            self.disabled
            if type(disabled) is not list
            else frozenset(str(each).upper() for each in disabled),
        )

    def wanted(self, found: tuple[Notification, ...]) -> tuple[Notification, ...]:
        """Those to send."""
        if not found or (not self.severity and not self.disabled):
            return found
        return tuple(
            each
            for each in found
            if _SEVERITIES.get(each.severity.upper(), 0) >= self.severity
            and classification(each.code) not in self.disabled
        )
