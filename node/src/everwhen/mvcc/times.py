"""From a time to the version of the last commit at or before it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from everwhen.codec.instants import text_of as text_of
from everwhen.codec.keys import Kind, kind_range, time_key
from everwhen.codec.parse import decode_time
from everwhen.codec.records import RecordHead, decode_version
from everwhen.errors import TimeOutOfRange
from everwhen.mvcc.store import Store

_TIME_MAX: Final = 2**63 - 1


def version_at(
    store: Store, head: RecordHead, time_micros: int, pinned: Collection[int] = ()
) -> int:
    """The version of the last commit at or before a time; ``pinned``: those of restore points.

    :raises TimeOutOfRange: before the first commit or the oldest readable time.
    """
    start, _ = kind_range(Kind.TIME)
    if -_TIME_MAX <= time_micros < _TIME_MAX:
        pair = store.last(start, time_key(time_micros + 1))
        if pair is not None:
            version = decode_version(pair[1])
            if version >= head.oldest_version or version in pinned:
                return version
    raise TimeOutOfRange(
        f"{text_of(time_micros)} lies before the oldest readable time; {readable_range(store, head)}"
    )


def check_readable(head: RecordHead, version: int, pinned: Collection[int] = ()) -> None:
    """:raises TimeOutOfRange: the version cannot be read."""
    if not head.oldest_version <= version <= head.version and version not in pinned:
        since = f" (from {text_of(head.oldest_time)} on)" if head.oldest_version else ""
        raise TimeOutOfRange(
            f"there is no readable version {version}: the readable ones are "
            f"{head.oldest_version} to {head.version}{since}"
        )


def readable_range(store: Store, head: RecordHead) -> str:
    """The times that can be read, in words."""
    first = store.first(*kind_range(Kind.TIME))
    if first is None:
        return "nothing was committed yet"
    oldest = head.oldest_time if head.oldest_version else decode_time(first[0]).time
    return f"readable times begin at {text_of(oldest)}; the last commit was at {text_of(head.time)}"
