"""Patterns to read: variables, labels, properties and paths of MATCH and of pattern expressions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from everwhen.errors import NotSupported, QuerySyntaxError
from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query import syntax as s
from everwhen.query.binder_expressions import ExpressionBinder
from everwhen.query.diagnostics import position
from everwhen.query.pattern_build import (
    DIRECTIONS,
    PatternBuild,
    relationship_fits,
    simple_types,
)
from everwhen.query.rename import rename_slots
from everwhen.query.scope import Variable
from everwhen.query.static_types import (
    NODE,
    PATH,
    RELATIONSHIP,
    list_of,
)
from everwhen.query.traverse import conjuncts, slots_of, walk

_SELECTORS: Final = {
    "shortestPath": "one",
    "allShortestPaths": "all",
    "any": "any",
    "shortest": "k",
    "all_shortest": "all",
    "shortest_groups": "groups",
}


class PatternBinder(ExpressionBinder):
    """Binds patterns that are searched for."""

    # --- a whole clause ---------------------------------------------------------------------

    def match(
        self,
        child: p.Operator,
        patterns: tuple[s.PathPattern, ...],
        where: s.Expression | None,
        *,
        optional: bool = False,
        repeatable: bool = False,
        at: int = -1,
    ) -> lg.PatternMatch:
        """A PatternMatch over ``child`` in the current scope, which gains its variables."""
        build = PatternBuild(self.view)
        for pattern in patterns:
            self._path(pattern, build)
        self._bind_later(build)
        with self.without_aggregates():
            for condition in (*build.wheres, *([where] if where is not None else [])):
                build.predicates += conjuncts(self.predicate(condition))
        return lg.PatternMatch(
            child,
            tuple(dict.fromkeys(build.nodes)),
            tuple(build.parts),
            tuple(build.predicates),
            frozenset(build.bound),
            tuple(build.paths),
            optional,
            build.view,
            frozenset(build.existing),
            repeatable,
            at,
        )

    def _bind_later(self, build: PatternBuild) -> None:
        with self.without_aggregates():
            for slot, element in build.later:
                self._element_predicates(slot, element, build)
            for part, pattern in build.steps:
                self._step_predicates(part, pattern)

    def _element_predicates(
        self, slot: int, element: s.NodePattern | s.RelationshipPattern, build: PatternBuild
    ) -> None:
        name = element.variable.name if element.variable else self.slots.names[slot]
        subject = b.Slot(slot, name, at=element.at)
        if isinstance(element, s.NodePattern) and element.labels is not None:
            labels = self.labels(element.labels)
            for part in labels.operands if isinstance(labels, b.LabelAnd) else (labels,):
                build.predicates.append(b.HasLabels(subject, part, at=element.at))
        build.predicates += self._properties(subject, element.properties)
        if element.where is not None:
            build.predicates += conjuncts(self.predicate(element.where))

    def _properties(self, subject: b.Slot, properties: s.Expression | None) -> list[b.Expression]:
        """``{key: value, …}`` as equalities."""
        if properties is None:
            return []
        if not isinstance(properties, s.MapLiteral):
            raise self.fail(
                properties.at,
                "A parameter cannot stand for the properties of a pattern that is searched for",
                "InvalidParameterUse",
                hint="name the properties: {key: $parameter.key}",
            )
        found: list[b.Expression] = []
        for key, value in properties.entries:
            self.name_used("property", key, value.at)
            wanted = self.value(value)
            found.append(
                b.Binary("=", b.Property(subject, key, at=subject.at), wanted, at=value.at)
            )
        return found

    # --- one path ---------------------------------------------------------------------------

    def _path(self, pattern: s.PathPattern, build: PatternBuild) -> None:
        selector = pattern.selector
        if selector is not None and selector.kind == "all":
            selector = None
        before = len(build.parts)
        slots = self._elements(pattern.elements, build)
        if selector is not None:
            if build.view is not None and build.view.is_range:
                raise self.fail(
                    pattern.at,
                    "A shortest path belongs to one moment, not to a range of time",
                    "RangeOfTime",
                    hint="read it AT TIME",
                )
            self._select(pattern, selector, build.parts[before:])
        if pattern.variable is not None:
            self._path_variable(pattern.variable, slots, build)

    def _path_variable(self, variable: s.Variable, slots: list[int], build: PatternBuild) -> None:
        if self.scope.find(variable.name) is not None:
            raise self.already_bound(variable)
        made = self.declare(variable, PATH, past=build.view is not None)
        build.fresh.add(variable.name)
        build.paths.append((made.slot, b.PathValue(tuple(slots), at=variable.at)))

    def _select(
        self, pattern: s.PathPattern, selector: s.PathSelector, parts: list[lg.Part]
    ) -> None:
        """Marks the one variable length relationship of a shortest path pattern."""
        if len(parts) != 1 or not isinstance(parts[0], lg.RelationshipPart):
            where = position(self.text, pattern.at)
            raise NotSupported(
                "a shortest path pattern must be one relationship between two nodes "
                f"(line {where.line}, column {where.column})",
                position=where,
                detail="UnsupportedPattern",
            )
        part = parts[0]
        if part.length is None:
            part.length = (1, 1)
        part.selector = _SELECTORS[selector.kind]
        part.count = selector.count
        if part.selector in ("any", "k"):
            part.selector = "one" if selector.count == 1 else "k"

    def _elements(self, elements: tuple[s.PatternElement, ...], build: PatternBuild) -> list[int]:
        """Binds the elements of a path; the slots of its nodes and parts in turn."""
        slots: list[int] = []
        flat = list(self._flattened(elements, build))
        pending: list[s.RelationshipPattern | s.GroupPattern] = []
        for position_, element in enumerate(flat):
            if isinstance(element, s.NodePattern):
                node = self._node(element, build)
                if pending:
                    slots += [self._connect(slots[-1], pending.pop(), node, build), node]
                elif not slots:
                    slots.append(node)
                continue
            if not slots:  # begins with a group
                slots.append(self._anonymous_node(build))
            if pending:  # two groups side by side
                node = self._anonymous_node(build)
                slots += [self._connect(slots[-1], pending.pop(), node, build), node]
            pending.append(element)
            if position_ == len(flat) - 1:
                node = self._anonymous_node(build)
                slots += [self._connect(slots[-1], pending.pop(), node, build), node]
        return slots

    def _flattened(
        self, elements: tuple[s.PatternElement, ...], build: PatternBuild
    ) -> Iterator[s.PatternElement]:
        """Without the groups that are only parentheses."""
        for element in elements:
            if isinstance(element, s.GroupPattern) and element.repetition is None:
                if element.where is not None:
                    build.wheres.append(element.where)
                yield from self._flattened(element.path.elements, build)
            else:
                yield element

    def _anonymous_node(self, build: PatternBuild) -> int:
        slot = self.slots.new("")
        build.nodes.append(slot)
        return slot

    def _connect(
        self,
        left: int,
        element: s.RelationshipPattern | s.GroupPattern,
        right: int,
        build: PatternBuild,
    ) -> int:
        if isinstance(element, s.GroupPattern):
            part: lg.Part = self._group(left, element, right, build)
        else:
            part = self._relationship(left, element, right, build)
        build.parts.append(part)
        return part.slot

    # --- nodes ------------------------------------------------------------------------------

    def conflict(self, variable: s.Variable, found: Variable, wanted: str) -> QuerySyntaxError:
        return self.fail(
            variable.at,
            f"Type mismatch: `{variable.name}` is {found.type} but is used as {wanted}",
            "VariableTypeConflict",
        )

    def _node(self, element: s.NodePattern, build: PatternBuild) -> int:
        slot = self._node_slot(element, build)
        build.nodes.append(slot)
        build.later.append((slot, element))
        return slot

    def _node_slot(self, element: s.NodePattern, build: PatternBuild) -> int:
        variable = element.variable
        if variable is None:
            return self.slots.new("")
        found = self.scope.find(variable.name)
        if found is None:
            build.fresh.add(variable.name)
            view = build.view
            moment = None if view is None else view.moment
            return self.declare(variable, NODE, past=view is not None, view=moment).slot
        if found.type.known and found.type != NODE:
            raise self.conflict(variable, found, "NODE")
        if variable.name not in build.fresh:
            build.bound.add(found.slot)
            if build.view is not None and found.view == build.view.slot:
                build.existing.add(found.slot)
        return found.slot

    # --- relationships ----------------------------------------------------------------------

    def _relationship(
        self, left: int, element: s.RelationshipPattern, right: int, build: PatternBuild
    ) -> lg.RelationshipPart:
        length = self.length_of(element)
        slot = self._relationship_slot(element, length is not None, build)
        types = simple_types(element.types)
        part = lg.RelationshipPart(slot, left, right, DIRECTIONS[element.direction], types, length)
        for name in types or ():
            self.name_used("type", name, element.at)
        if length is not None:
            build.steps.append((part, element))
            return part
        build.later.append((slot, element))
        if element.types is not None and types is None:
            subject = b.Slot(slot, self.slots.names[slot], at=element.at)
            labels = self.labels(element.types, relationship=True)
            build.predicates.append(b.HasLabels(subject, labels, at=element.at))
        return part

    def length_of(self, element: s.RelationshipPattern) -> tuple[int, int | None] | None:
        """(minimum, maximum) of a variable length relationship, None of a single one."""
        if element.repetition is not None:
            return element.repetition.minimum, element.repetition.maximum
        if element.length is None:
            return None
        minimum = 1 if element.length.minimum is None else element.length.minimum
        return minimum, element.length.maximum

    def _relationship_slot(
        self, element: s.RelationshipPattern, several: bool, build: PatternBuild
    ) -> int:
        variable = element.variable
        if variable is None:
            return self.slots.new("")
        found = self.scope.find(variable.name)
        wanted = list_of(RELATIONSHIP) if several else RELATIONSHIP
        if found is None:
            build.fresh.add(variable.name)
            return self.declare(variable, wanted, past=build.view is not None).slot
        if not relationship_fits(found.type, several):
            raise self.conflict(variable, found, str(wanted))
        if variable.name in build.fresh:
            raise self.fail(
                variable.at,
                f"The relationship `{variable.name}` cannot be used twice in one pattern",
                "RelationshipUniquenessViolation",
            )
        build.bound.add(found.slot)
        return found.slot

    def _step_predicates(self, part: lg.RelationshipPart, pattern: s.RelationshipPattern) -> None:
        """What every single relationship of a variable length part must satisfy."""
        complex_types = pattern.types is not None and part.types is None
        if not complex_types and pattern.properties is None and pattern.where is None:
            return
        step = self.local(pattern.variable.name if pattern.variable else "step", RELATIONSHIP)
        part.step_relationship = step.slot
        predicates: list[b.Expression] = []
        if pattern.types is not None and complex_types:
            labels = self.labels(pattern.types, relationship=True)
            predicates.append(b.HasLabels(self.slot_of(step), labels, at=pattern.at))
        predicates += self._properties(self.slot_of(step), pattern.properties)
        if pattern.where is not None:
            with self.within(step):
                predicates.append(self.predicate(pattern.where))
        part.step_predicate = predicates[0] if len(predicates) == 1 else b.And(tuple(predicates))

    # --- quantified groups ------------------------------------------------------------------

    def _group(
        self, left: int, element: s.GroupPattern, right: int, build: PatternBuild
    ) -> lg.GroupPart:
        """``((a)-[r]->(b) WHERE …){1,3}``: the inside is a pattern of its own."""
        repetition = element.repetition
        assert repetition is not None
        inner = PatternBuild(build.view)
        with self.scoped(self.scope.child()):
            slots = self._elements(element.path.elements, inner)
            if element.path.variable is not None:
                self._path_variable(element.path.variable, slots, inner)
            inner.wheres += [element.where] if element.where is not None else []
            self._bind_later(inner)
            for condition in inner.wheres:
                inner.predicates += conjuncts(self.predicate(condition))
            local = dict(self.scope.variables)
        if any(isinstance(part, lg.GroupPart) for part in inner.parts):
            raise self.fail(element.at, "Quantified patterns cannot be nested", "UnexpectedSyntax")
        match = lg.PatternMatch(
            p.Argument(),
            tuple(dict.fromkeys(inner.nodes)),
            tuple(inner.parts),
            tuple(inner.predicates),
            frozenset({*inner.bound, slots[0]}),
            tuple(inner.paths),
            view=build.view,
            # where a walk is, it came to at this time; where it begins is looked at by the whole
            existing=frozenset({*inner.existing, slots[0]}),
        )
        if repetition.minimum > 0:
            ends = {slots[0]: left, slots[-1]: right}
            build.predicates += self._of_ends(inner.predicates, ends)
        groups = []
        for variable in local.values():
            at = s.Variable(variable.name, at=element.at)
            outer = self.declare(at, list_of(variable.type), past=build.view is not None)
            build.fresh.add(variable.name)
            groups.append(p.GroupVariable(variable.slot, outer.slot))
        return lg.GroupPart(
            self.slots.new("walk"),
            left,
            right,
            match,
            slots[0],
            slots[-1],
            repetition.minimum,
            repetition.maximum,
            tuple(groups),
            tuple(part.slot for part in inner.parts),
        )

    def _of_ends(
        self, predicates: list[b.Expression], ends: dict[int, int]
    ) -> Iterator[b.Expression]:
        """What the first and last repetition demand of the nodes outside, where it is simple."""
        for predicate in predicates:
            slots = slots_of(predicate)
            plain = isinstance(predicate, (b.HasLabels, b.Binary))
            if plain and len(slots) == 1 and slots <= ends.keys():
                if not any(isinstance(x, lg.SubqueryExpression) for x in walk(predicate)):
                    yield rename_slots(predicate, ends)
