"""FLASHBACK. Source: architecture brief, section 5."""

from __future__ import annotations

from everwhen.query.parser_users import UserParser
from everwhen.query.syntax import Flashback, FlashbackTransaction, PathPattern, TimeSpec

_KINDS = "TO and a time, TRANSACTION and the version of a commit, or a pattern"


class FlashbackParser(UserParser):
    """Adds flashbacks."""

    def flashback(self) -> Flashback | FlashbackTransaction:
        """``FLASHBACK [patterns [WHERE e]] TO moment``, ``FLASHBACK TRANSACTION e [FORCE]``."""
        at = self.expect("FLASHBACK")
        path = self.peek(1) == "="
        if self.kinds[self.i] == "TRANSACTION" and not path:
            self.i += 1
            version = self.expression()
            return FlashbackTransaction(version, self.take("FORCE"), at=at)
        patterns: tuple[PathPattern, ...] = ()
        where = None
        if self.kinds[self.i] != "TO" or path:
            if self.kinds[self.i] != "(" and not path and not self._selector_ahead():
                raise self.fail(_KINDS)
            patterns = self.path_patterns()
            where = self.expression() if self.take("WHERE") else None
        self.expect("TO", "TO and the time to go back to")
        return Flashback(self._moment(), patterns, where, at=at)

    def _selector_ahead(self) -> bool:
        words = ("SHORTESTPATH", "ALLSHORTESTPATHS", "SHORTEST", "ANY", "ALL")
        return self.kinds[self.i] in words

    def _moment(self) -> TimeSpec:
        """``[TIME|TIMESTAMP] e`` or ``VERSION e``; ``timestamp()`` and ``time()`` are calls."""
        at, kind = self.starts[self.i], self.kinds[self.i]
        called = self.peek(1) in ("(", ".")
        if kind == "VERSION":
            self.i += 1
            return TimeSpec("version", self.expression(), at=at)
        if kind in ("TIME", "TIMESTAMP") and not called:
            self.i += 1
        return TimeSpec("time", self.expression(), at=at)
