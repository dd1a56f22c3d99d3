"""Bookmarks: tokens that say "at least this version of this history".

``ew:<history id>:<version>``; drivers hand them on from session to session without a look inside.
"""

from __future__ import annotations

from collections.abc import Iterable

from everwhen.errors import BookmarkInvalid

#: digits of a version number that fits in 64 bits for certain
_DIGITS_MAX = 18


def bookmark_of(version: int, history_id: str) -> str:
    """The token of a version."""
    return f"ew:{history_id}:{version}"


def version_of(bookmarks: Iterable[str], history_id: str) -> int:
    """The newest version among bookmarks, 0 for none.

    :raises BookmarkInvalid: malformed, or of another history.
    """
    newest = 0
    for bookmark in bookmarks:
        kind, _, rest = bookmark.partition(":")
        history, _, version = rest.rpartition(":")
        is_number = version.isascii() and version.isdigit() and len(version) <= _DIGITS_MAX
        if kind != "ew" or not is_number:
            raise BookmarkInvalid(f"{bookmark!r} is not a bookmark of this database")
        if history != history_id:
            raise BookmarkInvalid(
                f"the bookmark {bookmark!r} belongs to another history of this database",
                hint="drop bookmarks taken before a restore",
            )
        newest = max(newest, int(version))
    return newest
