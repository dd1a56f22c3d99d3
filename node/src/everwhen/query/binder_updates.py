"""CREATE, MERGE, SET, REMOVE, DELETE, FOREACH."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from everwhen.model.graph import Direction
from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query import physical as p
from everwhen.query import static_types as t
from everwhen.query import syntax as s
from everwhen.query.binder_projections import ProjectionBinder
from everwhen.query.pattern_build import DIRECTIONS
from everwhen.query.rename import rename_slots
from everwhen.query.static_types import NODE, PATH, RELATIONSHIP
from everwhen.query.traverse import walk

Spec = p.NodeSpec | p.RelationshipSpec


@dataclass(slots=True)
class Building:
    """What one CREATE or MERGE makes."""

    word: str
    specs: list[Spec] = field(default_factory=list)
    paths: list[tuple[int, b.Expression]] = field(default_factory=list)


class UpdateBinder(ProjectionBinder):
    """Binds clauses that write."""

    def _writing(self, at: int, word: str) -> None:
        self.writes = True
        if self.whole_view:
            raise self.fail(
                at,
                f"{word} cannot be part of a statement that reads at a past time as a whole",
                "WriteToPast",
                hint="put AT TIME after the MATCH that reads the past",
            )
        if self.read_only is not None:
            raise self.fail(
                at,
                f"{word} cannot be used inside {self.read_only} {{ }}",
                "InvalidClauseComposition",
            )

    # --- CREATE -----------------------------------------------------------------------------

    def create(self, child: p.Operator, clause: s.Create) -> p.Operator:
        self._writing(clause.at, "CREATE")
        building = Building("CREATE")
        for pattern in clause.patterns:
            self._build_path(pattern, building)
        # nodes first: a relationship may name a node that stands further right
        nodes = [spec for spec in building.specs if isinstance(spec, p.NodeSpec)]
        others = [spec for spec in building.specs if not isinstance(spec, p.NodeSpec)]
        looks = any(isinstance(x, lg.SubqueryExpression) for s_ in building.specs for x in walk(s_))
        if isinstance(child, p.Create) and not looks:
            # CREATE after CREATE is one: scripts have hundreds
            child.specs = (*child.specs, *nodes, *others)
        else:
            child = p.Create(child, (*nodes, *others))
        return p.Project(child, tuple(building.paths)) if building.paths else child

    def _build_path(self, pattern: s.PathPattern, building: Building) -> None:
        if pattern.selector is not None:
            raise self.fail(
                pattern.at, f"{building.word} takes no shortest path", "UnexpectedSyntax"
            )
        alone = len(pattern.elements) == 1
        slots: list[int] = []
        waiting: s.RelationshipPattern | None = None
        for element in pattern.elements:
            if isinstance(element, s.NodePattern):
                node = self._build_node(element, building, alone=alone)
                if waiting is not None:
                    slots.append(self._build_relationship(slots[-1], waiting, node, building))
                    waiting = None
                slots.append(node)
            elif isinstance(element, s.RelationshipPattern):
                waiting = element
            else:
                raise self.fail(
                    element.at, f"{building.word} takes no quantified pattern", "CreatingVarLength"
                )
        if pattern.variable is not None:
            made = self.declare(pattern.variable, PATH)
            building.paths.append((made.slot, b.PathValue(tuple(slots))))

    def _build_node(self, element: s.NodePattern, building: Building, *, alone: bool) -> int:
        variable = element.variable
        if element.where is not None:
            raise self.fail(element.where.at, f"{building.word} takes no WHERE", "UnexpectedSyntax")
        known = self.scope.find(variable.name) if variable is not None else None
        if variable is not None and known is not None:
            if known.type.known and known.type != NODE:
                raise self.conflict(variable, known, "NODE")
            described = element.labels is not None or element.properties is not None
            if described or alone:
                raise self.already_bound(variable)
            self._writable(known.past, variable, building.word)
            return known.slot
        labels = self._label_source(element.labels, building.word)
        properties = self._build_properties(element.properties, building.word)
        if variable is None:
            slot = self.slots.new("")
        else:
            slot = self.declare(variable, NODE).slot
        building.specs.append(p.NodeSpec(slot, labels, properties))
        return slot

    def _build_properties(self, e: s.Expression | None, word: str) -> b.Expression | None:
        if e is None:
            return None
        if word == "MERGE" and not isinstance(e, s.MapLiteral):
            raise self.fail(
                e.at,
                "A parameter cannot stand for the properties of MERGE",
                "InvalidParameterUse",
                hint="name the properties: {key: $parameter.key}",
            )
        with self.without_aggregates():
            return self.value(e)

    def _label_source(self, labels: s.LabelExpression | None, word: str) -> p.LabelSource:
        if labels is None:
            return p.LabelSource()
        found = labels.operands if isinstance(labels, s.LabelAnd) else (labels,)
        return self.label_source(found, f"{word} needs plain labels")

    def label_source(self, labels: tuple[s.LabelExpression, ...], problem: str) -> p.LabelSource:
        """Labels to write, in the order given."""
        names: list[str] = []
        dynamic: list[b.Expression] = []
        for label in labels:
            if isinstance(label, s.LabelName):
                names.append(label.name)
            elif isinstance(label, s.DynamicLabel) and not label.any:
                dynamic.append(self.value(label.expression))
            else:
                raise self.fail(
                    label.at, problem, "UnexpectedSyntax", hint="write :A:B, without | & ! %"
                )
        return p.LabelSource(tuple(names), tuple(dynamic))

    def _build_relationship(
        self, left: int, element: s.RelationshipPattern, right: int, building: Building
    ) -> int:
        word = building.word
        if element.variable is not None and self.scope.find(element.variable.name) is not None:
            raise self.already_bound(element.variable)
        if self.length_of(element) is not None:
            raise self.fail(
                element.at,
                f"{word} cannot make a relationship of variable length",
                "CreatingVarLength",
            )
        if element.where is not None:
            raise self.fail(element.where.at, f"{word} takes no WHERE", "UnexpectedSyntax")
        if element.direction == "both" and word == "CREATE":
            raise self.fail(
                element.at,
                "A relationship to be created needs a direction",
                "RequiresDirectedRelationship",
                hint="write --> or <--",
            )
        type_ = self._build_type(element, word)
        properties = self._build_properties(element.properties, word)
        if element.variable is None:
            slot = self.slots.new("")
        else:
            slot = self.declare(element.variable, RELATIONSHIP).slot
        incoming = DIRECTIONS[element.direction] is Direction.IN
        start, end = (right, left) if incoming else (left, right)
        building.specs.append(
            p.RelationshipSpec(slot, type_, start, end, properties, at=element.at)
        )
        return slot

    def _build_type(self, element: s.RelationshipPattern, word: str) -> str | b.Expression:
        if isinstance(element.types, s.LabelName):
            return element.types.name
        if isinstance(element.types, s.DynamicLabel) and not element.types.any:
            return self.value(element.types.expression)
        raise self.fail(
            element.at,
            f"A relationship in {word} needs exactly one type",
            "NoSingleRelationshipType",
            hint="write -[:TYPE]->",
        )

    # --- MERGE ------------------------------------------------------------------------------

    def merge(self, child: p.Operator, clause: s.Merge) -> p.Operator:
        self._writing(clause.at, "MERGE")
        before = dict(self.scope.variables)
        building = Building("MERGE")
        self._build_path(clause.pattern, building)
        made = {
            name: variable for name, variable in self.scope.variables.items() if name not in before
        }
        inner = self._merge_match(clause.pattern, building, before)
        self.scope.variables.update(made)
        slots = tuple(spec.slot for spec in building.specs)
        child = p.Merge(
            child,
            inner,
            tuple(building.specs),
            tuple(self.changes(clause.on_create)),
            tuple(self.changes(clause.on_match)),
            slots,
        )
        return p.Project(child, tuple(building.paths)) if building.paths else child

    def _merge_match(
        self, pattern: s.PathPattern, building: Building, before: dict[str, Any]
    ) -> p.Operator:
        """The pattern as a MATCH that fills the very slots the specs fill.

        It is bound with names of its own, and its slots are then renamed to those of the specs:
        so that a property expression is not bound to the variables the clause makes.
        """
        view, self.view = self.view, None
        outer = {name: v for name, v in self.scope.variables.items() if name in before}
        self.scope.variables = outer
        bare = s.PathPattern(pattern.elements, None, None, at=pattern.at)
        used = len(self.names_used)
        found = self.match(p.Argument(), (bare,), None, at=pattern.at)
        # it makes what is not there: that the graph does not know a name yet is no remark
        del self.names_used[used:]
        self.view = view
        renamed: p.Operator = rename_slots(found, self._spec_slots(found, building))
        return renamed

    def _spec_slots(self, found: Any, building: Building) -> dict[int, int]:
        nodes = [slot for slot in found.nodes if slot not in found.bound]
        relationships = [part.slot for part in found.parts]
        targets = [spec.slot for spec in building.specs if isinstance(spec, p.NodeSpec)]
        links = [spec.slot for spec in building.specs if not isinstance(spec, p.NodeSpec)]
        pairs = [*zip(nodes, targets, strict=True), *zip(relationships, links, strict=True)]
        return dict(pairs)

    # --- SET and REMOVE ---------------------------------------------------------------------

    def set_clause(self, child: p.Operator, clause: s.Set) -> p.Operator:
        self._writing(clause.at, "SET")
        return p.Update(child, tuple(self.changes(clause.items)))

    def changes(self, items: tuple[Any, ...]) -> list[p.Change]:
        """Items of SET, REMOVE, ON CREATE SET, ON MATCH SET."""
        with self.without_aggregates():
            return [_CHANGES[type(item)](self, item) for item in items]

    def remove(self, child: p.Operator, clause: s.Remove) -> p.Operator:
        self._writing(clause.at, "REMOVE")
        return p.Update(child, tuple(self.changes(clause.items)))

    def _target(self, e: s.Expression, word: str) -> b.Expression:
        found, type_ = self.expression(e)
        if type_.known and type_.name not in ("NODE", "RELATIONSHIP"):
            raise self.mismatch(e.at, "NODE or RELATIONSHIP", type_)
        if isinstance(e, s.Variable):
            self._writable(self.lookup(e).past, e, word)
        return found

    def _writable(self, past: bool, variable: s.Variable, word: str) -> None:
        if past:
            raise self.fail(
                variable.at,
                f"`{variable.name}` was read at a past time and cannot be used by {word}",
                "WriteToPast",
                hint="the past cannot be changed: match it again without AT TIME",
            )

    def _set_property(self, item: s.SetProperty) -> p.Change:
        self.name_used("key", item.key, item.at)
        return p.SetProperty(self._target(item.subject, "SET"), item.key, self.value(item.value))

    def _set_dynamic(self, item: s.SetDynamicProperty) -> p.Change:
        target = self._target(item.subject, "SET")
        return p.SetProperty(target, self.value(item.key), self.value(item.value))

    def _set_properties(self, item: s.SetProperties) -> p.Change:
        target = self._target(item.variable, "SET")
        value, type_ = self.expression(item.value)
        if type_.known and type_.name not in ("MAP", "NODE", "RELATIONSHIP"):
            raise self.mismatch(item.value.at, "MAP, NODE or RELATIONSHIP", type_)
        return p.SetProperties(target, value, not item.merge)

    def _set_labels(self, item: s.SetLabels) -> p.Change:
        target = self._target(item.variable, "SET")
        return p.SetLabels(target, self.label_source(item.labels, "SET needs plain labels"))

    def _remove_property(self, item: s.RemoveProperty) -> p.Change:
        return p.RemoveProperty(self._target(item.subject, "REMOVE"), item.key)

    def _remove_dynamic(self, item: s.RemoveDynamicProperty) -> p.Change:
        return p.RemoveProperty(self._target(item.subject, "REMOVE"), self.value(item.key))

    def _remove_labels(self, item: s.RemoveLabels) -> p.Change:
        target = self._target(item.variable, "REMOVE")
        return p.RemoveLabels(target, self.label_source(item.labels, "REMOVE needs plain labels"))

    # --- DELETE and FOREACH -----------------------------------------------------------------

    def delete(self, child: p.Operator, clause: s.Delete) -> p.Operator:
        self._writing(clause.at, "DELETE")
        found: list[b.Expression] = []
        with self.without_aggregates():
            for e in clause.expressions:
                if isinstance(e, s.HasLabels):
                    raise self.fail(
                        e.at,
                        "DELETE takes a node, relationship or path, not a label test",
                        "InvalidDelete",
                        hint="use REMOVE to take a label off a node",
                    )
                target, type_ = self.expression(e)
                if type_.known and type_.name not in ("NODE", "RELATIONSHIP", "PATH"):
                    raise self.mismatch(e.at, "NODE, RELATIONSHIP or PATH", type_)
                if isinstance(e, s.Variable):
                    self._writable(self.lookup(e).past, e, "DELETE")
                found.append(target)
        return p.Delete(child, tuple(found), clause.detach)

    def foreach(
        self,
        child: p.Operator,
        clause: s.Foreach,
        clauses: Callable[[p.Operator, tuple[s.Clause, ...]], p.Operator],
    ) -> p.Operator:
        """``clauses`` binds the updating clauses inside."""
        with self.without_aggregates():
            source, type_ = self.expression(clause.source)
        if type_.known and type_.name != "LIST":
            raise self.mismatch(clause.source.at, "LIST", type_)
        variable = self.local(clause.variable.name, t.element_of(type_))
        scope = self.scope.child()
        scope.variables[variable.name] = variable
        with self.scoped(scope):
            inner = clauses(p.Argument(), clause.clauses)
        return p.Foreach(child, variable.slot, source, inner)


_U = UpdateBinder
_CHANGES: Final[dict[type, Callable[[Any, Any], p.Change]]] = {
    s.SetProperty: _U._set_property,
    s.SetDynamicProperty: _U._set_dynamic,
    s.SetProperties: _U._set_properties,
    s.SetLabels: _U._set_labels,
    s.RemoveProperty: _U._remove_property,
    s.RemoveDynamicProperty: _U._remove_dynamic,
    s.RemoveLabels: _U._remove_labels,
}
