"""Turns one PatternMatch into scans, seeks and expands: where to begin, and in which order.

Greedy: from each promising beginning the cheapest next step is taken until the pattern is done;
the cheapest of these runs wins. A step is an expand along a part that touches what is found
already, a seek or scan of a further node, or a hash join with an unconnected piece. Predicates
and named paths are put in as soon as what they need is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from everwhen.model.graph import Direction
from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query.cost import ROWS_MIN
from everwhen.query.rules.access_paths import (
    Access,
    node_accesses,
)
from everwhen.query.rules.context import PlanContext
from everwhen.query.rules.partial import SUBQUERY, Cross, Partial, Step, walks, weight
from everwhen.query.rules.relationship_starts import relationship_starts
from everwhen.query.rules.uniqueness import different_from
from everwhen.query.traverse import conjunction, slots_of, volatile

#: beginnings tried; patterns with more nodes than this are planned from the best ones only
STARTS_MAX: Final = 8


class PatternOrder:
    """Plans one PatternMatch over a child that is planned already."""

    def __init__(self, ctx: PlanContext, match: lg.PatternMatch, child: p.Operator) -> None:
        self.ctx = ctx
        self.match = match
        self.introduced = frozenset(match.introduced)
        self.view = match.view.slot if match.view is not None else None
        #: elements are bound to each of their versions in a range of time
        self.ranged = match.view is not None and match.view.is_range
        self.needs = {id(x): self._need(x) for x in match.predicates}
        nodes = tuple(slot for slot in match.nodes if slot not in match.bound)
        start = Partial(
            child,
            max(child.estimate, 1.0),
            0.0,
            frozenset(),
            match.parts,
            nodes,
            match.predicates,
            match.paths,
        )
        self.start = self._settle(self._bound_nodes(start))

    def _need(self, predicate: b.Expression) -> frozenset[int]:
        """What must be found before a predicate can be tested. Patterns in it are looked for in what
        the whole match leaves of a range of time; chance is asked for each whole match."""
        whole = (self.ranged and weight(predicate) == SUBQUERY) or volatile(predicate)
        return self.introduced if whole else slots_of(predicate) & self.introduced

    def plan(self) -> p.Operator:
        """The operators of the cheapest order found."""
        best: Partial | None = None
        for beginning in self._beginnings():
            found = self._finish(beginning)
            if best is None or found.cost < best.cost:
                best = found
        return (best or self._finish(self.start)).operator

    def _beginnings(self) -> list[Partial]:
        steps = list(self._steps(self.start))
        if self.start.done:
            return [self.start]
        connected = [step for step in steps if not isinstance(step, Cross)]
        if connected and len(connected) == len(steps):
            return [step.partial for step in connected][:STARTS_MAX]
        return [s.partial for s in sorted(steps, key=lambda s: s.partial.cost)][:STARTS_MAX]

    def _finish(self, partial: Partial) -> Partial:
        while not partial.done:
            steps = list(self._steps(partial))
            partial = min((s.partial for s in steps), key=lambda x: (x.rows, x.cost))
        return partial

    # --- bound nodes ------------------------------------------------------------------------

    def _bound_nodes(self, partial: Partial) -> Partial:
        """Bound nodes must not be null, and must exist at the time asked for."""
        ends = {slot for part in self.match.parts for slot in (part.left, part.right)}
        operator = partial.operator
        if self.ranged:
            return replace(partial, operator=self._bound_lifetimes(operator, partial.rows))
        for slot in self.match.nodes:
            if slot not in self.match.bound:
                continue
            here = self.ctx.slot(slot)
            if self.view is not None and slot not in self.match.existing:
                fresh = self.ctx.new_slot(f"{here.name}@")
                ids = b.FunctionCall("id", (here,))
                operator = p.NodeByIdSeek(operator, fresh, ids, view=self.view)
            elif slot not in ends:
                operator = p.Filter(operator, b.IsNull(here, negated=True))
            else:
                continue
            operator.estimate = partial.rows
        return replace(partial, operator=operator)

    def _bound_lifetimes(self, operator: p.Operator, rows: float) -> p.Operator:
        slots = (*self.match.nodes, *(part.slot for part in self.match.parts))
        kept = tuple(slot for slot in slots if slot in self.match.bound)
        assert self.view is not None
        return p.EachVersion(operator, (), kept, self.view, estimate=rows) if kept else operator

    def _each_version(
        self, operator: p.Operator, slots: tuple[int, ...], partial: Partial, rows: float
    ) -> p.Operator:
        """What was just found, bound to its versions where the match is one in a range of time."""
        fresh = tuple(x for x in slots if x in self.introduced and x not in partial.solved)
        if not self.ranged or not fresh:
            return operator
        assert self.view is not None
        return p.EachVersion(operator, fresh, (), self.view, estimate=rows)

    # --- what is ready ----------------------------------------------------------------------

    def _settle(self, partial: Partial) -> Partial:
        """Adds paths and predicates whose slots all have values now."""
        while True:
            ready = [(s, v) for s, v in partial.paths if self._has(partial, v.slots)]
            if ready:
                operator = p.Project(partial.operator, tuple(ready), estimate=partial.rows)
                partial = replace(
                    partial,
                    operator=operator,
                    solved=partial.solved | {slot for slot, _ in ready},
                    paths=tuple(path for path in partial.paths if path not in ready),
                )
            predicates = [x for x in partial.predicates if self.needs[id(x)] <= partial.solved]
            if predicates:
                partial = self._filter(partial, predicates)
            if not ready:
                return partial

    def _has(self, partial: Partial, slots: tuple[int, ...]) -> bool:
        return (self.introduced & set(slots)) <= partial.solved

    def _filter(self, partial: Partial, predicates: list[b.Expression]) -> Partial:
        ordered = sorted(predicates, key=weight)
        rows = partial.rows
        for predicate in ordered:
            rows *= self.ctx.estimator.selectivity(predicate)
        rows = max(rows, ROWS_MIN)
        operator = p.Filter(partial.operator, conjunction(ordered), estimate=rows)
        left = tuple(x for x in partial.predicates if all(x is not y for y in predicates))
        return replace(partial, operator=operator, rows=rows, predicates=left)

    # --- steps ------------------------------------------------------------------------------

    def _steps(self, partial: Partial) -> Iterator[Step]:
        touching = False
        for part in partial.parts:
            found = self._along(partial, part)
            if found is not None:
                touching = True
                yield Step(found)
        for slot in partial.nodes:
            for access in self._accesses(partial, slot):
                if access.seek or not touching:
                    yield Cross(self.take(partial, access, (slot,)))
        if not touching:
            yield from relationship_starts(self, partial)
            yield from self._joins(partial)

    def _joins(self, partial: Partial) -> Iterator[Step]:
        from everwhen.query.rules.hash_join import joined

        found = joined(self, partial)
        if found is not None:
            yield Cross(found)

    def unknown(self, partial: Partial) -> frozenset[int]:
        return self.introduced - partial.solved

    def _accesses(self, partial: Partial, slot: int) -> list[Access]:
        return list(
            node_accesses(
                self.ctx,
                partial.operator,
                slot,
                partial.predicates,
                self.unknown(partial),
                self.needs,
                self.view,
            )
        )

    def take(
        self, partial: Partial, access: Access, slots: tuple[int, ...], part: lg.Part | None = None
    ) -> Partial:
        """The partial after a scan or seek that fills ``slots``."""
        rows = max(partial.rows * access.rows, ROWS_MIN)
        access.operator.estimate = rows
        if self.ranged:  # what is found may be so at some moments only
            access = replace(access, implied=())
            if isinstance(access.operator, p.IndexSeek):
                access.operator.each_version = True
        following = Partial(
            self._each_version(access.operator, slots, partial, rows),
            rows,
            partial.cost + partial.rows * max(access.cost, ROWS_MIN) + rows,
            partial.solved | set(slots),
            tuple(x for x in partial.parts if x is not part),
            tuple(slot for slot in partial.nodes if slot not in slots),
            tuple(x for x in partial.predicates if all(x is not y for y in access.implied)),
            partial.paths,
        )
        return self._settle(following)

    # --- relationships ----------------------------------------------------------------------

    def known(self, partial: Partial, slot: int) -> bool:
        """Whether a node slot has its value."""
        return slot in partial.solved or slot not in self.introduced

    def _along(self, partial: Partial, part: lg.Part) -> Partial | None:
        """The partial after walking ``part`` from an end that is known; None if none is."""
        left, right = self.known(partial, part.left), self.known(partial, part.right)
        if isinstance(part, lg.GroupPart):
            return self._group(partial, part, left, right) if left or right else None
        if part.selector is not None:
            return self._shortest(partial, part) if left and right else None
        if not left and not right:
            return None
        if part.length is not None:
            return self._variable_length(partial, part, from_left=left, into=left and right)
        return self._single(partial, part, from_left=left, into=left and right)

    def _after(
        self, partial: Partial, part: lg.Part, operator: p.Operator, rows: float, target: int
    ) -> Partial:
        rows = max(rows, ROWS_MIN)
        operator.estimate = rows
        if isinstance(part, lg.GroupPart) or part.length is not None:
            elements: tuple[int, ...] = (target,) if isinstance(part, lg.GroupPart) else ()
        else:
            elements = (part.slot, target)
        operator = self._each_version(operator, elements, partial, rows)
        fresh = {part.slot, target}
        if isinstance(part, lg.GroupPart):
            fresh |= {group.outer for group in part.groups}
        return self._settle(
            Partial(
                operator,
                rows,
                partial.cost + partial.rows + rows,
                partial.solved | fresh,
                tuple(x for x in partial.parts if x is not part),
                tuple(slot for slot in partial.nodes if slot != target),
                partial.predicates,
                partial.paths,
            )
        )

    def unique(self, partial: Partial, part: lg.Part) -> tuple[int, ...]:
        """Slots of relationships found before that this one must differ from."""
        if self.match.repeatable:
            return ()
        left = {x.slot for x in partial.parts}
        done = [x for x in self.match.parts if x.slot not in left]
        return different_from(part, done)

    def _degree(self, part: lg.RelationshipPart, source: int, direction: Direction) -> float:
        labels = frozenset(
            x.labels.name
            for x in self.match.predicates
            if isinstance(x, b.HasLabels)
            and isinstance(x.labels, b.LabelName)
            and isinstance(x.subject, b.Slot)
            and x.subject.index == source
        )
        return self.ctx.estimator.degree(part.types, direction, labels)

    def _into(self, rows: float) -> float:
        """Of all ends reached, those that are one given node."""
        return rows / max(self.ctx.estimator.nodes(), 1.0)

    def _single(
        self, partial: Partial, part: lg.RelationshipPart, *, from_left: bool, into: bool
    ) -> Partial:
        source, target = (part.left, part.right) if from_left else (part.right, part.left)
        direction = part.direction if from_left else part.direction.reverse
        rows = partial.rows * self._degree(part, source, direction)
        bound = part.slot in self.match.bound
        if into:
            rows = self._into(rows)
        if bound:
            rows = partial.rows
        operator = p.Expand(
            partial.operator,
            source,
            part.slot,
            target,
            direction,
            part.types,
            into,
            bound,
            self.unique(partial, part),
            self.view,
        )
        return self._after(partial, part, operator, rows, target)

    def _variable_length(
        self, partial: Partial, part: lg.RelationshipPart, *, from_left: bool, into: bool
    ) -> Partial:
        assert part.length is not None
        minimum, maximum = part.length
        source, target = (part.left, part.right) if from_left else (part.right, part.left)
        direction = part.direction if from_left else part.direction.reverse
        degree = self._degree(part, source, direction)
        rows = partial.rows * walks(degree, minimum, maximum)
        operator = p.VarExpand(
            partial.operator,
            source,
            part.slot,
            target,
            direction,
            part.types,
            minimum,
            maximum,
            into,
            part.slot in self.match.bound,
            not from_left,
            self.unique(partial, part),
            part.step_predicate,
            part.step_relationship,
            part.step_node,
            self.view,
            self.ranged,
        )
        found = self._after(partial, part, operator, self._into(rows) if into else rows, target)
        return replace(found, cost=found.cost + rows) if into else found

    def _shortest(self, partial: Partial, part: lg.RelationshipPart) -> Partial:
        assert part.length is not None
        assert part.selector is not None
        operator = p.ShortestPath(
            partial.operator,
            part.left,
            part.slot,
            part.right,
            part.direction,
            part.types,
            part.length[0],
            part.length[1],
            part.selector,
            b.Literal(part.count) if part.selector in ("k", "groups") else None,
            part.step_predicate,
            part.step_relationship,
            part.step_node,
            self.unique(partial, part),
            self.view,
        )
        return self._after(partial, part, operator, partial.rows, part.right)

    def _group(self, partial: Partial, part: lg.GroupPart, left: bool, right: bool) -> Partial:
        source, target = (part.left, part.right) if left else (part.right, part.left)
        begin, end = (
            (part.inner_start, part.inner_end) if left else (part.inner_end, part.inner_start)
        )
        ends = frozenset({part.inner_start, part.inner_end})
        inner_match = replace(part.inner, bound=part.inner.bound - ends | {begin})
        inner = PatternOrder(self.ctx, inner_match, p.Argument(estimate=1.0)).plan()
        rows = partial.rows * walks(inner.estimate, part.minimum, part.maximum)
        into = left and right
        operator = p.QuantifiedExpand(
            partial.operator,
            inner,
            source,
            target,
            begin,
            end,
            part.minimum,
            part.maximum,
            part.groups,
            part.inner_relationships,
            into,
            not left,
            self.unique(partial, part),
            self.view,
            part.slot,
            self.ranged,
        )
        return self._after(partial, part, operator, self._into(rows) if into else rows, target)
