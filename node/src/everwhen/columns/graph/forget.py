"""What nobody may read any more is let go: changes up to the oldest readable version, of parts whose
base is not older. Rows and values of what was deleted stay, since rows are never given again."""

from __future__ import annotations

from threading import Lock
from typing import Final

from everwhen.columns.graph.content import Content
from everwhen.columns.graph.log import Log

#: a log is made anew without so many changes at least, or this share of it if that is more
CHANGES_MIN: Final = 4_096
_SHARE: Final = 4


def forget(content: Content, oldest: int, lock: Lock) -> bool:
    """The changes of one part, if enough of them are of no use; whether there was one. ``lock`` is
    that of the follower; ``oldest``: the oldest version that may be read."""
    if oldest > content.floor:
        with lock:  # what is not there any more cannot be gone back through
            content.floor = content.lowest = min(oldest, content.upto)
    floor = content.floor - content.epoch
    for label, members in [(None, content.existing), *list(content.labels.items())]:
        if _of_no_use(members.log, min(floor, members.at)):
            with lock:
                members = content.members(label)
                at = members.log.upto(min(floor, members.at))
                content.put_members(label, members.with_log(members.log.since(at)))
            return True
    for type_ in (None, *list(content.tables)):
        held = content.properties_of(type_)
        for key, one in list(held.items()):
            if _of_no_use(one.log, min(floor, one.at)):
                with lock:
                    one = held[key]
                    held[key] = one.with_log(one.log.since(one.log.upto(min(floor, one.at))))
                return True
    return False


def _of_no_use(log: Log, version: int) -> bool:
    return log.upto(version) >= max(CHANGES_MIN, log.count // _SHARE)
