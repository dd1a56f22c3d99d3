"""Answers full-text queries over tables of texts, scored as Lucene scores (BM25, k1 1.2, b 0.75).

A term counts for each field it may stand in, and scores add up; so do those of the parts of a
query. What a beginning or a shape stands for scores 1 a field, near words score like terms, the
less the more they differ. Scores are computed from the statistics of the version asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from everwhen.errors import QueryArgumentError
from everwhen.limits import TEXT_TERMS_EXPANDED_MAX, TEXT_TICK_EVERY
from everwhen.model.text_analysis import Analyzer, Token
from everwhen.model.text_query import All, Group, Near, Occur, Part, Pattern, Words
from everwhen.mvcc.text_table import Found, Ids, Statistics, TextTable

Scores = npt.NDArray[np.float64]

_K1: Final = 1.2
_B: Final = 0.75
#: near words that count, the nearest ones
_NEAR_MAX: Final = 50
#: room for a position in a number that holds row and position
_PLACE_BITS: Final = 33
_PLACE_SHIFT: Final = 1 << 31


class Hits(NamedTuple):
    """Rows ascending, and a score for each."""

    rows: Ids
    scores: Scores


class Own(NamedTuple):
    """What a transaction wrote: entities that it touched, and a table of what they are now."""

    touched: Collection[int]
    table: TextTable


class Corpus:
    """The rows of a table that were there at a version, without those that a transaction touched,
    and its own rows after them."""

    def __init__(self, table: TextTable, version: int, own: Own | None = None) -> None:
        self._table = table
        self._version = version
        self._own = None if own is None else own.table
        self._shift = len(table)
        self._hidden = np.zeros(0, np.int64)
        self.statistics = table.statistics(version)
        if own is not None:
            self._hidden = table.rows_of(own.touched, version)
            self.statistics = self._with_own(self.statistics, own.table)

    def _with_own(self, whole: Statistics, own: TextTable) -> Statistics:
        rows, terms = whole.rows.copy(), whole.terms.copy()
        mine = own.statistics(own.base)
        for field in range(own.fields):
            gone = self._table.lengths(self._hidden, field)
            rows[field] += mine.rows[field] - np.count_nonzero(gone)
            terms[field] += mine.terms[field] - gone.sum()
        return Statistics(rows, terms)

    def posting(self, field: int, term: str) -> Found | None:
        """Where a term stands."""
        parts = []
        base = self._table.posting((field, term))
        if base is not None:
            there = self._table.there(self._version, base.rows)
            if len(self._hidden):
                there &= ~np.isin(base.rows, self._hidden)
            parts.append(_chosen(base, there))
        own = None if self._own is None else self._own.posting((field, term))
        if own is not None and self._own is not None:
            alive = self._own.there(self._own.base, own.rows)
            chosen = _chosen(own, alive)
            parts.append(chosen._replace(rows=chosen.rows + self._shift))
        if not any(len(part.rows) for part in parts):
            return None
        if len(parts) == 1:
            return parts[0]
        first, second = parts
        return Found(
            np.concatenate((first.rows, second.rows)),
            np.concatenate((first.starts, second.starts[1:] + first.starts[-1])),
            np.concatenate((first.positions, second.positions)),
        )

    def terms(self, field: int, begin: str) -> Iterator[str]:
        """Terms of a field that begin so, each once."""
        yield from self._table.terms(field, begin)
        if self._own is not None:
            for term in self._own.terms(field, begin):
                if self._table.posting((field, term)) is None:
                    yield term

    def lengths(self, rows: Ids, field: int) -> Ids:
        """How many terms rows have in a field."""
        if self._own is None:
            return self._table.lengths(rows, field)
        found = np.zeros(len(rows), np.int64)
        mine = rows >= self._shift
        found[~mine] = self._table.lengths(rows[~mine], field)
        found[mine] = self._own.lengths(rows[mine] - self._shift, field)
        return found

    def everything(self) -> Ids:
        """All rows."""
        rows = self._table.all_rows(self._version)
        if self._own is None:
            return rows
        rows = rows[~np.isin(rows, self._hidden)]
        mine = self._own.all_rows(self._own.base)
        return np.concatenate((rows, mine + self._shift))

    def ids(self, rows: Ids) -> Ids:
        """Entities of rows."""
        if self._own is None:
            return self._table.ids(rows)
        found = np.zeros(len(rows), np.int64)
        mine = rows >= self._shift
        found[~mine] = self._table.ids(rows[~mine])
        found[mine] = self._own.ids(rows[mine] - self._shift)
        return found


def _chosen(found: Found, there: npt.NDArray[np.bool_]) -> Found:
    """The part of a posting in some of its rows."""
    if there.all():
        return found
    counts = found.counts
    return Found(
        found.rows[there],
        np.concatenate((np.zeros(1, np.int64), np.cumsum(counts[there]))),
        found.positions[np.repeat(there, counts)],
    )


class Searcher:
    """One query on one corpus. ``fields`` are the index's properties; ``tick`` may raise."""

    def __init__(
        self,
        corpus: Corpus,
        fields: Sequence[str],
        analyzer: Analyzer,
        tick: Callable[[], None],
    ) -> None:
        self._corpus = corpus
        self._fields = fields
        self._analyzer = analyzer
        self._tick = tick

    def search(self, query: Group) -> tuple[Ids, Scores]:
        """Entities and scores, best first; of equals the lower id first.

        :raises QueryArgumentError: a field the index does not have, or too many terms.
        """
        hits = self._group(query)
        if hits is None:
            return np.zeros(0, np.int64), np.zeros(0)
        ids = self._corpus.ids(hits.rows)
        order = np.lexsort((ids, -hits.scores))
        return ids[order], hits.scores[order]

    # --- parts; None: nothing of it is left after analysis, so that it does not count ---

    def _part(self, part: Part) -> Hits | None:
        self._tick()
        if isinstance(part, Group):
            found = self._group(part)
        elif isinstance(part, Words):
            found = self._words(part)
        elif isinstance(part, Pattern):
            found = self._pattern(part)
        elif isinstance(part, Near):
            found = self._near(part)
        elif isinstance(part, All):
            rows = self._corpus.everything()
            found = Hits(rows, np.ones(len(rows)))
        else:
            raise TypeError(f"a part of a query that is {type(part).__name__}")
        if found is None or part.boost == 1.0:
            return found
        return Hits(found.rows, found.scores * part.boost)

    def _group(self, group: Group) -> Hits | None:
        must: list[Hits] = []
        may: list[Hits] = []
        excluded: list[Hits] = []
        lists = {Occur.MUST: must, Occur.MAY: may, Occur.MUST_NOT: excluded}
        for occur, part in group.parts:
            found = self._part(part)
            if found is not None:
                lists[occur].append(found)
        if not must and not may:
            return None if not excluded else _NONE
        whole = added(may)
        if must:
            rows = must[0].rows
            for each in must[1:]:
                rows = np.intersect1d(rows, each.rows, assume_unique=True)
            whole = _within(added([*must, *may]), rows)
        for each in excluded:
            kept = ~np.isin(whole.rows, each.rows, assume_unique=True)
            whole = Hits(whole.rows[kept], whole.scores[kept])
        return whole

    def _fields_of(self, part: Part) -> Sequence[int]:
        if part.field is None:
            return range(len(self._fields))
        if part.field not in self._fields:
            raise QueryArgumentError(
                f"the full-text index has no property {part.field!r}",
                hint=f"its properties: {', '.join(self._fields)}",
                detail="InvalidArgumentValue",
            )
        return (self._fields.index(part.field),)

    def _words(self, part: Words) -> Hits | None:
        fields = self._fields_of(part)
        tokens = list(self._analyzer.tokens(part.text))
        if not tokens:
            return None
        if part.phrase and len(tokens) > 1:
            return added([self._phrase(field, tokens, part.slop) for field in fields])
        terms = dict.fromkeys(token.term for token in tokens)
        return added([self._term(field, term) for field in fields for term in terms])

    def _term(self, field: int, term: str) -> Hits:
        found = self._corpus.posting(field, term)
        if found is None:
            return _NONE
        return self._scored(field, found.rows, found.counts, self._rarity(field, len(found.rows)))

    def _rarity(self, field: int, rows: int) -> float:
        """What a term is worth that stands in so many rows."""
        whole = int(self._corpus.statistics.rows[field])
        return float(np.log1p((whole - rows + 0.5) / (rows + 0.5)))

    def _scored(
        self, field: int, rows: Ids, counts: npt.NDArray[np.float64] | Ids, worth: float
    ) -> Hits:
        statistics = self._corpus.statistics
        average = statistics.terms[field] / max(int(statistics.rows[field]), 1)
        lengths = self._corpus.lengths(rows, field)
        often = np.asarray(counts, np.float64)
        return Hits(rows, worth * often / (often + _K1 * (1 - _B + _B * lengths / average)))

    # --- phrases ---

    def _phrase(self, field: int, tokens: Sequence[Token], slop: int) -> Hits:
        """Rows where the terms stand at the distances of the phrase."""
        places: list[Ids] = []
        worth = 0.0
        for term, position in tokens:
            found = self._corpus.posting(field, term)
            if found is None:
                return _NONE
            worth += self._rarity(field, len(found.rows))
            rows = np.repeat(found.rows, found.counts)
            places.append((rows << _PLACE_BITS) + found.positions - position + _PLACE_SHIFT)
        if slop:
            rows, often = self._moved(places, slop)
        else:
            same, *others = sorted(places, key=len)
            for each in others:
                same = same[np.take(each, np.searchsorted(each, same), mode="clip") == same]
            rows, counts = np.unique(same >> _PLACE_BITS, return_counts=True)
            often = counts.astype(np.float64)
        return self._scored(field, rows, often, worth)

    def _moved(self, places: list[Ids], slop: int) -> tuple[Ids, npt.NDArray[np.float64]]:
        """Rows where all terms stand within ``slop`` places of where they should, and how well:
        1 for each place of the first term, the less the further they moved."""
        rows = np.unique(places[0] >> _PLACE_BITS)
        for each in places[1:]:
            rows = np.intersect1d(rows, each >> _PLACE_BITS)
        kept: list[int] = []
        often: list[float] = []
        for row in rows.tolist():
            self._tick()
            low, high = row << _PLACE_BITS, (row + 1) << _PLACE_BITS
            here = [one[np.searchsorted(one, low) : np.searchsorted(one, high)] for one in places]
            total = 0.0
            for place in here[0].tolist():
                nearest = [int(one[np.argmin(np.abs(one - place))]) for one in here[1:]]
                moved = max(place, *nearest) - min(place, *nearest)
                total += 1 / (1 + moved) if moved <= slop else 0.0
            if total:
                kept.append(row)
                often.append(total)
        return np.array(kept, np.int64), np.array(often)

    # --- terms that a part stands for ---

    def _pattern(self, part: Pattern) -> Hits:
        plain = self._analyzer.plain
        begin = plain(part.begin)
        shape = Pattern(shape=tuple(None if one is None else plain(one) for one in part.shape))
        found = []
        for field in self._fields_of(part):
            rows: list[Ids] = []
            for term in self._each(field, begin):
                if not shape.matches(term):
                    continue
                if len(rows) == TEXT_TERMS_EXPANDED_MAX:
                    raise QueryArgumentError(
                        f"a part of the full-text query stands for more than "
                        f"{TEXT_TERMS_EXPANDED_MAX:,} words",
                        hint="make its beginning longer",
                    )
                posting = self._corpus.posting(field, term)
                if posting is not None:
                    rows.append(posting.rows)
            if rows:
                whole = np.unique(np.concatenate(rows))
                found.append(Hits(whole, np.ones(len(whole))))
        return added(found)

    def _near(self, part: Near) -> Hits:
        word = self._analyzer.plain(part.text)
        found = []
        for field in self._fields_of(part):
            near = []
            for term in self._each(field, ""):
                edits = distance(word, term, part.edits)
                if edits is not None:
                    near.append((edits / min(len(word), len(term)), term))
            for share, term in sorted(near)[:_NEAR_MAX]:
                if share < 1:
                    hits = self._term(field, term)
                    found.append(Hits(hits.rows, hits.scores * (1 - share)))
        return added(found)

    def _each(self, field: int, begin: str) -> Iterator[str]:
        for number, term in enumerate(self._corpus.terms(field, begin)):
            if number % TEXT_TICK_EVERY == 0:
                self._tick()
            yield term


_NONE: Final = Hits(np.zeros(0, np.int64), np.zeros(0))


def added(parts: Sequence[Hits]) -> Hits:
    """All rows of some parts, scores added up in their order."""
    parts = [part for part in parts if len(part.rows)]
    if not parts:
        return _NONE
    if len(parts) == 1:
        return parts[0]
    rows, places = np.unique(np.concatenate([part.rows for part in parts]), return_inverse=True)
    scores = np.zeros(len(rows))
    np.add.at(scores, places, np.concatenate([part.scores for part in parts]))
    return Hits(rows, scores)


def _within(hits: Hits, rows: Ids) -> Hits:
    kept = np.isin(hits.rows, rows, assume_unique=True)
    return Hits(hits.rows[kept], hits.scores[kept])


def distance(one: str, other: str, most: int) -> int | None:
    """In how many characters two words differ (Levenshtein); None: in more than ``most``."""
    if abs(len(one) - len(other)) > most:
        return None
    row = list(range(len(other) + 1))
    for at, char in enumerate(one, start=1):
        before, row[0] = row[0], at
        for place, theirs in enumerate(other, start=1):
            cost = before + (char != theirs)
            before = row[place]
            row[place] = min(cost, before + 1, row[place - 1] + 1)
        if min(row) > most:
            return None
    return row[-1] if row[-1] <= most else None
