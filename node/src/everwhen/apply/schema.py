"""Indexes and constraints: created *building*, filled by bounded steps, dropped at any moment.

From its creation on every write maintains (and, for a constraint, keeps) a definition. What was
there before is brought in at a fixed version, the one of the creation: a backfill step walks on
from where the last one stopped, over the graph as of that version, and writes entries of that
version. Entities changed since are right already, because their newer entries win. A snapshot
older than the creation does not use the index (``IndexDefinition.created_version``).

A constraint that what was there breaks becomes *failed*, with the ids of the offenders.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

from everwhen.apply.staging import Stagings
from everwhen.apply.work import Work
from everwhen.codec.cluster import LEVEL_FULLTEXT, LEVEL_VECTORS, check_level
from everwhen.codec.keys import Counter, after, index_prefix, meta_key, schema_key
from everwhen.codec.records import encode_definition
from everwhen.errors import (
    ConstraintAlreadyExists,
    ConstraintNotFound,
    ForbiddenOnConstraintIndex,
    IndexAlreadyExists,
    IndexNotFound,
)
from everwhen.model.fulltext_index import parse_config
from everwhen.model.schema import (
    Catalog,
    ConstraintDefinition,
    ConstraintKind,
    IndexDefinition,
    IndexState,
)
from everwhen.txn import commands as c

#: constraints that own an index
_INDEXED = (ConstraintKind.UNIQUE, ConstraintKind.KEY)


def position_key(definition: int) -> bytes:
    """Where the position of a backfill is kept."""
    return meta_key(f"backfill:{definition}")


class Schema:
    """Applies schema commands."""

    __slots__ = ("_stagings", "_work")

    def __init__(self, work: Work, stagings: Stagings) -> None:
        self._work = work
        self._stagings = stagings

    # --- creating ---

    def create_index(self, command: c.CreateIndex) -> c.SchemaChanged:
        """:raises IndexAlreadyExists: an equal index or one of the name is there."""
        work = self._work
        catalog = work.catalog
        schema = (command.entity, command.label, tuple(command.properties))
        like_one = catalog.constraints.get(command.name)
        if like_one is not None and like_one.is_index:
            if command.if_not_exists:
                return self._unchanged()
            what = "vector" if like_one.kind is ConstraintKind.VECTOR else "full-text"
            raise IndexAlreadyExists(f"There already exists a {what} index `{command.name}`")
        found = catalog.indexes.get(command.name) if command.name else None
        equal = next((one for one in catalog.indexes.values() if _schema(one) == schema), None)
        if found is not None or equal is not None:
            if command.if_not_exists:
                return self._unchanged()
            other = found or equal
            assert other is not None
            what = "with that name" if found is not None else "on that schema"
            raise IndexAlreadyExists(f"There already exists an index {what}: {describe(other)}")
        if command.name in catalog.constraints:
            if command.if_not_exists:
                return self._unchanged()
            raise ConstraintAlreadyExists(
                f"There already exists a constraint called `{command.name}`"
            )
        name = command.name or self._derived("index", *schema[:2], *schema[2])
        definition = self._index(name, command.entity, command.label, schema[2], None)
        self._add(definition)
        return self._changed(definition.id)

    def create_constraint(self, command: c.CreateConstraint) -> c.SchemaChanged:
        """:raises ConstraintAlreadyExists: :raises IndexAlreadyExists: something equal exists.
        :raises PreconditionFailed: not at this feature level."""
        kind = ConstraintKind(command.constraint)
        if kind is ConstraintKind.VECTOR:
            check_level(self._work.cluster, LEVEL_VECTORS, "vector indexes")
        if kind is ConstraintKind.FULLTEXT:
            check_level(self._work.cluster, LEVEL_FULLTEXT, "full-text indexes")
        properties = tuple(command.properties)
        if not self._free(command, kind, properties):
            return self._unchanged()
        name = command.name or self._derived(
            "constraint", kind.value, command.entity, command.label, command.type_text, *properties
        )
        index = None
        if kind in _INDEXED:
            index = self._index(name, command.entity, command.label, properties, name)
        work = self._work
        number = work.next_definition
        work.next_definition += 1
        self._tokens(command.entity, command.label, properties)
        # a full-text index demands nothing, so there is nothing to look at
        due = kind is not ConstraintKind.FULLTEXT and self._any(command.entity, command.label)
        state = IndexState.BUILDING if due else IndexState.ONLINE
        constraint = ConstraintDefinition(
            number,
            name,
            kind,
            command.entity,
            command.label,
            properties,
            command.type_text,
            None if index is None else index.name,
            state,
            100.0 if state is IndexState.ONLINE else 0.0,
        )
        self._add(*((index, constraint) if index is not None else (constraint,)))
        return self._changed(number)

    def _free(
        self, command: c.CreateConstraint, kind: ConstraintKind, properties: tuple[str, ...]
    ) -> bool:
        """Whether the constraint may be made; False: IF NOT EXISTS says to leave it."""
        catalog = self._work.catalog
        named = catalog.constraints.get(command.name) if command.name else None
        equal = None
        for one in catalog.constraints.values():
            if (one.entity, one.label, one.properties) != (
                command.entity,
                command.label,
                properties,
            ):
                continue
            if one.kind is ConstraintKind.FULLTEXT is kind:
                # its labels stand in its text
                equal = one if _labels_of(one.type_text) == _labels_of(command.type_text) else equal
            elif one.kind is kind or (one.kind in _INDEXED and kind in _INDEXED):
                equal = one
        as_index = (ConstraintKind.VECTOR, ConstraintKind.FULLTEXT)
        if kind in as_index or (named is not None and named.is_index):
            return self._free_for_an_index(command, named or equal)
        if named is not None or equal is not None:
            if command.if_not_exists and (equal is None or _same(equal, kind, command.type_text)):
                return False
            other = named or equal
            assert other is not None
            raise ConstraintAlreadyExists(
                f"There already exists a constraint `{other.name}` of kind {other.kind.value} on "
                f"{_place(other.entity, other.label)}({', '.join(other.properties)})"
            )
        if command.name in catalog.indexes:
            if command.if_not_exists:
                return False
            raise IndexAlreadyExists(f"There already exists an index called `{command.name}`")
        if kind in _INDEXED:
            schema = (command.entity, command.label, properties)
            index = next((one for one in catalog.indexes.values() if _schema(one) == schema), None)
            if index is not None:
                raise IndexAlreadyExists(
                    f"There already exists an index {describe(index)}. A constraint cannot be "
                    "created until the index has been dropped."
                )
        return True

    def _free_for_an_index(
        self, command: c.CreateConstraint, other: ConstraintDefinition | None
    ) -> bool:
        """As :meth:`_free`, where an index kept like a constraint is wanted or has the name."""
        if other is None and command.name not in self._work.catalog.indexes:
            return True
        if command.if_not_exists:
            return False
        what = "an index" if other is None or other.is_index else "a constraint"
        name = command.name if other is None else other.name
        raise IndexAlreadyExists(f"There already exists {what} like it or of its name: `{name}`")

    def _index(
        self,
        name: str,
        entity: str,
        label: str,
        properties: tuple[str, ...],
        constraint: str | None,
    ) -> IndexDefinition:
        work = self._work
        number = work.next_definition
        work.next_definition += 1
        self._tokens(entity, label, properties)
        state = IndexState.BUILDING if self._any(entity, label) else IndexState.ONLINE
        percent = 100.0 if state is IndexState.ONLINE else 0.0
        return IndexDefinition(
            number,
            name,
            entity,
            label,
            properties,
            constraint is not None,
            constraint,
            state,
            percent,
            "",
            work.version,
        )

    def _tokens(self, entity: str, label: str, properties: tuple[str, ...]) -> None:
        tokens = self._work.tokens
        batch = self._work.layer.batch
        (tokens.labels if entity == "NODE" else tokens.types).assign(label, batch)
        for key in properties:
            tokens.keys.assign(key, batch)

    def _any(self, entity: str, label: str) -> bool:
        """Whether there is anything to bring in."""
        work = self._work
        if entity == "NODE":
            table, counter = work.tokens.labels, Counter.NODES_WITH_LABEL
        else:
            table, counter = work.tokens.types, Counter.RELATIONSHIPS_OF_TYPE
        token = table.ids.get(label)
        if token is None:
            return False
        waiting = work.counts.get((int(counter), token), 0)
        return work.state.counters.get(counter, token) + waiting > 0

    def _derived(self, head: str, *parts: str) -> str:
        """A name from the definition, the same on every node."""
        text = "\x00".join(parts)
        salt = 0
        catalog = self._work.catalog
        while True:
            hasher = blake2b(f"{salt}\x00{text}".encode(), digest_size=4)
            name = f"{head}_{hasher.hexdigest()}"
            if name not in catalog.indexes and name not in catalog.constraints:
                return name
            salt += 1

    # --- dropping ---

    def drop(self, command: c.DropSchema) -> c.SchemaChanged:
        """:raises IndexNotFound: :raises ConstraintNotFound: nothing of that name."""
        catalog = self._work.catalog
        if command.constraint:
            constraint = catalog.constraints.get(command.name)
            if constraint is None or constraint.is_index:
                if command.if_exists:
                    return self._unchanged()
                raise ConstraintNotFound(f"There is no constraint called `{command.name}`")
            self._remove(constraint)
            if constraint.index is not None:
                self._remove(self._work.catalog.indexes[constraint.index])
            return self._changed(constraint.id)
        like_one = catalog.constraints.get(command.name)
        if like_one is not None and like_one.is_index:
            self._remove(like_one)
            return self._changed(like_one.id)
        index = catalog.indexes.get(command.name)
        if index is None:
            if command.if_exists:
                return self._unchanged()
            raise IndexNotFound(f"There is no index called `{command.name}`")
        if index.constraint is not None:
            raise ForbiddenOnConstraintIndex(
                f"The index `{index.name}` belongs to the constraint `{index.constraint}`",
                hint=f"DROP CONSTRAINT `{index.constraint}`",
            )
        self._remove(index)
        return self._changed(index.id)

    def _remove(self, definition: IndexDefinition | ConstraintDefinition) -> None:
        work = self._work
        indexes, constraints = dict(work.catalog.indexes), dict(work.catalog.constraints)
        if isinstance(definition, IndexDefinition):
            del indexes[definition.name]
            self.clear_entries(definition.id)
        else:
            del constraints[definition.name]
        work.layer.delete(schema_key(definition.id))
        work.layer.delete(position_key(definition.id))
        work.change_catalog(Catalog(work.catalog_version, indexes, constraints))

    def clear_entries(self, index: int) -> None:
        """Remove an index's entries and counts."""
        work = self._work
        prefix = index_prefix(index)
        work.layer.delete_range(prefix, after(prefix))
        for counter in (Counter.INDEX_ENTRIES, Counter.INDEX_DISTINCT):
            work.counts.pop((int(counter), index), None)
            work.state.counters.drop(counter, index, work.layer.batch)

    # --- shared ---

    def _add(self, *definitions: IndexDefinition | ConstraintDefinition) -> None:
        for definition in definitions:
            self.put(definition)
        self._stagings.doom_all("an index or constraint was created meanwhile")

    def put(self, definition: IndexDefinition | ConstraintDefinition) -> None:
        """Write a definition, new or changed; the catalog's version is left alone."""
        work = self._work
        indexes, constraints = dict(work.catalog.indexes), dict(work.catalog.constraints)
        if isinstance(definition, IndexDefinition):
            indexes[definition.name] = definition
        else:
            constraints[definition.name] = definition
        work.layer.put(schema_key(definition.id), encode_definition(definition))
        work.change_catalog(Catalog(work.catalog_version, indexes, constraints))

    def moved(self) -> None:
        """The catalog became a new version."""
        work = self._work
        work.change_catalog(replace(work.catalog, version=work.catalog_version + 1))

    def _changed(self, number: int) -> c.SchemaChanged:
        self.moved()
        return c.SchemaChanged(True, self._work.catalog_version, number)

    def _unchanged(self) -> c.SchemaChanged:
        return c.SchemaChanged(False, self._work.catalog_version)


def _schema(index: IndexDefinition) -> tuple[str, str, tuple[str, ...]]:
    return index.entity, index.label, index.properties


def _same(one: ConstraintDefinition, kind: ConstraintKind, type_text: str) -> bool:
    return one.kind is kind and one.type_text == type_text


def _labels_of(text: str) -> tuple[str, ...]:
    return parse_config(text).labels


def _place(entity: str, label: str) -> str:
    return f"(:{label})" if entity == "NODE" else f"()-[:{label}]-()"


def describe(index: IndexDefinition) -> str:
    """An index in words, for error messages."""
    keys = ", ".join(index.properties)
    return f"`{index.name}` on {_place(index.entity, index.label)}({keys})"
