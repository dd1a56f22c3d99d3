"""The database behind its Bolt door, asked by a client with a codec of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from tests.engine import (
    ErrorSeen,
    Neutral,
    NodeValue,
    Outcome,
    PathValue,
    RelationshipValue,
    TextValue,
    error_type,
)
from tests.engines.remote import CONTROL, Remote
from tests.support.bolt import BEGIN, COMMIT, ROLLBACK, Bolt, Failed, Lost, Structure
from tests.support.process import Server


class OverBolt(Remote):
    """A node of our own in a temporary folder, or the one ``$EVERWHEN_BOLT_PORT`` names."""

    def __init__(self) -> None:
        super().__init__()
        self.folder: Path | None = None
        self.server: Server | None = None
        given = os.environ.get("EVERWHEN_BOLT_PORT")
        if given:
            self.port = int(given)
        else:
            self.folder = Path(tempfile.mkdtemp(prefix="everwhen-bolt-"))
            self.server = Server(self.folder / "data")
            self.server.start()
            self.port = self.server.bolt_port
        self.client = Bolt(self.port)

    def ask(self, text: str, parameters: Mapping[str, Neutral] | None) -> Outcome:
        return outcome(lambda: self.client.run(text, parameters))

    def version(self) -> int:
        """From a bookmark, whose last part is the version."""
        bookmark = self.client.run("RETURN 1")[2]["bookmark"]
        return int(bookmark.rpartition(":")[2])

    def session(self) -> BoltSession:
        return BoltSession(self.port)

    def reopen(self) -> None:
        if self.server is None:
            raise RuntimeError("the node belongs to somebody else")
        self.client.close()
        self.server.stop()
        self.server.start()
        self.client = Bolt(self.port)

    def close(self) -> None:
        self.client.close()
        if self.server is not None and self.folder is not None:
            self.server.stop()
            shutil.rmtree(self.folder, ignore_errors=True)


class BoltSession:
    """A further client: BEGIN, COMMIT and ROLLBACK become messages."""

    def __init__(self, port: int) -> None:
        self.client = Bolt(port)
        self.open = False

    def run(self, query: str, parameters: Mapping[str, Neutral] | None = None) -> Outcome:
        control = CONTROL.match(query)
        if control is None:
            return outcome(lambda: self._statement(query, parameters))
        return outcome(lambda: self._control(control.group(1), control.group(2)))

    def _statement(self, query: str, parameters: Mapping[str, Neutral] | None) -> Any:
        return self.client.run(query, parameters)

    def _control(self, word: str, isolation: str) -> Any:
        if word == "BEGIN":
            self.client.ask(BEGIN, {"tx_metadata": {"isolation": isolation}} if isolation else {})
        else:
            self.client.ask(COMMIT if word == "COMMIT" else ROLLBACK)
        self.open = word == "BEGIN"
        return [], [], {}

    def close(self) -> None:
        self.client.close()


def outcome(run: Callable[[], tuple[list[str], list[list[Any]], dict[str, Any]]]) -> Outcome:
    """What a statement answered."""
    try:
        columns, rows, metadata = run()
    except Failed as failed:
        internal = failed.code.startswith("Neo.Database")
        seen = ErrorSeen(error_type(failed.code), None, failed.message, failed.code, None, internal)
        return Outcome(error=seen)
    except (Lost, OSError) as lost:
        return Outcome(error=ErrorSeen("Lost", None, str(lost), internal=True))
    counters = {k: v for k, v in metadata.get("stats", {}).items() if not isinstance(v, bool)}
    return Outcome(columns, [[neutral(value) for value in row] for row in rows], counters)


def neutral(value: Any) -> Neutral:
    """A value as it came, as a neutral one."""
    match value:
        case list():
            return [neutral(item) for item in value]
        case dict():
            return {key: neutral(item) for key, item in value.items()}
        case Structure(0x4E, (_, labels, properties, name)):
            return NodeValue(frozenset(labels), neutral(properties), name)
        case Structure(0x52, (_, _, _, kind, properties, name, start, end)):
            return RelationshipValue(kind, neutral(properties), name, start, end)
        case Structure(0x50, (nodes, links, steps)):
            return _path([neutral(node) for node in nodes], links, steps)
        case Structure(tag, fields):
            kind, text = _TEXTS[tag]
            return TextValue(kind, text(*fields))
    return value


def _path(nodes: list[NodeValue], links: list[Structure], steps: list[int]) -> PathValue:
    walked, along, forward = [nodes[0]], [], []
    for step, to in zip(steps[::2], steps[1::2], strict=True):
        _, kind, properties, name = links[abs(step) - 1].fields
        ends = (walked[-1].id, nodes[to].id)
        start, end = ends if step > 0 else reversed(ends)
        along.append(RelationshipValue(kind, neutral(properties), name, start, end))
        walked.append(nodes[to])
        forward.append(step > 0)
    return PathValue(tuple(walked), tuple(along), tuple(forward))


# --- texts of temporal values, points and vectors ------------------------------------------


def _date(days: int) -> str:
    """Years beyond Python's are moved by whole cycles of 400 years (146,097 days)."""
    cycles = (days + 719_162) // 146_097
    if 0 <= cycles <= 24:
        cycles = 0
    day = datetime(1970, 1, 1) + timedelta(days=days - cycles * 146_097)
    year = day.year + cycles * 400
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    return f"{sign}{abs(year):04}-{day.month:02}-{day.day:02}"


def _clock(nanos: int) -> str:
    seconds, fraction = divmod(nanos, 10**9)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
    if seconds % 60 or fraction:
        text += f":{seconds % 60:02}"
    if fraction:
        digits = f"{fraction:09}"
        while digits.endswith("000"):
            digits = digits[:-3]
        text += "." + digits
    return text


def _offset(seconds: int) -> str:
    if seconds == 0:
        return "Z"
    size = abs(seconds)
    text = f"{'-' if seconds < 0 else '+'}{size // 3600:02}:{size // 60 % 60:02}"
    return f"{text}:{size % 60:02}" if size % 60 else text


def _local(seconds: int, nanos: int) -> str:
    days, rest = divmod(seconds, 86_400)
    return f"{_date(days)}T{_clock(rest * 10**9 + nanos)}"


def _zoned(seconds: int, nanos: int, zone: str) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    shift = int(offset.total_seconds())
    return f"{_local(seconds + shift, nanos)}{_offset(shift)}[{zone}]"


def _duration(months: int, days: int, seconds: int, nanos: int) -> str:
    years, months = int(months / 12), months - int(months / 12) * 12
    out = "".join(f"{n}{u}" for n, u in ((years, "Y"), (months, "M"), (days, "D")) if n)
    total = seconds * 10**9 + nanos
    sign, total = (-1, -total) if total < 0 else (1, total)
    hours, minutes = total // (3600 * 10**9), total // (60 * 10**9) % 60
    whole, fraction = divmod(total % (60 * 10**9), 10**9)
    time = "".join(f"{sign * n}{u}" for n, u in ((hours, "H"), (minutes, "M")) if n)
    if whole or fraction:
        digits = f".{fraction:09}".rstrip("0") if fraction else ""
        time += f"{'-' if sign < 0 else ''}{whole}{digits}S"
    return f"P{out}{'T' + time if time else ''}" if out or time else "PT0S"


def _point(srid: int, *coordinates: float) -> str:
    kind = "POINT" if len(coordinates) == 2 else "POINT Z"
    return f"SRID={srid};{kind} ({' '.join(map(repr, coordinates))})"


_TEXTS: Final[dict[int, tuple[str, Callable[..., str]]]] = {
    0x44: ("date", _date),
    0x54: ("time", lambda nanos, offset: _clock(nanos) + _offset(offset)),
    0x74: ("localtime", _clock),
    0x64: ("localdatetime", _local),
    0x49: ("datetime", lambda s, n, offset: _local(s + offset, n) + _offset(offset)),
    0x69: ("datetime", _zoned),
    0x45: ("duration", _duration),
    0x58: ("point", _point),
    0x59: ("point", _point),
}
