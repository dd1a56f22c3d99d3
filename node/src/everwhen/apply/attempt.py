"""One list of mutations on its way into the record: checked whole, then written whole.

An attempt belongs to a commit, or to one chunk of a large transaction; then ``own`` is the record
with that transaction's earlier chunks on top, and what it writes goes into its run. Nothing is
written before every check has passed, so a refused commit leaves no trace.

Checks, in the words of the architecture brief, section 4: a property, a label set or an entity
written after the read version conflicts (first committer wins); a new relationship needs both its
ends alive; a deleted node must have no relationship left; unique, existence, key and type
constraints hold on the merged post-image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from everwhen.apply.conflicts import (
    changed_since,
    end_deleted,
    forgotten,
    gone,
    refuse_erased,
)
from everwhen.apply.detaching import Detaching, Noted, refuse_joined
from everwhen.apply.entries import duplicates
from everwhen.apply.post_image import PostImage, nothing, reader
from everwhen.apply.work import Work
from everwhen.codec.cluster import LEVEL_FLASHBACK, check_level
from everwhen.codec.keys import (
    VERSION_MAX,
    after,
    node_prefix,
    relationship_prefix,
    run_prefix,
)
from everwhen.codec.values import decode_value
from everwhen.errors import EverwhenError
from everwhen.index import maintenance
from everwhen.index.maintenance import Edit
from everwhen.model.graph import EntityKind
from everwhen.model.schema import ConstraintDefinition
from everwhen.mvcc.entities import Entities
from everwhen.mvcc.images import NodeImage, RelationshipImage
from everwhen.txn import commands as c
from everwhen.txn.constraints import broken, connected_error, duplicate_error

Unresolved = dict[tuple[EntityKind, int], EverwhenError]
"""Entities whose post-image is not right yet, and what is wrong."""


class Attempt:
    """See the module. ``staged`` collects what a later chunk may still put right instead of
    raising it (None: this is a whole commit). ``detaching`` looks at deleted nodes, and those to be
    looked at again are ``noted`` (None: they are looked through)."""

    __slots__ = (
        "_wanted",
        "changed_nodes",
        "created_nodes",
        "deleted_nodes",
        "deleted_relationships",
        "detaching",
        "edits",
        "keys",
        "labels",
        "mutations",
        "names",
        "node_images",
        "noted",
        "own",
        "read_version",
        "relationship_images",
        "run",
        "staged",
        "work",
    )

    def __init__(
        self,
        work: Work,
        names: list[str],
        mutations: list[c.AnyMutation],
        read_version: int,
        own: Entities | None = None,
        staged: Unresolved | None = None,
        run: int | None = None,
        detaching: Detaching | None = None,
    ) -> None:
        self.work = work
        self.names = names
        self.mutations = mutations
        self.read_version = read_version
        self.own = work.entities if own is None else own
        #: the transaction's run, if earlier chunks may have written to it
        self.run = run
        self.staged = staged
        self.detaching = detaching
        self.noted: list[Noted] = []
        self.keys = work.tokens.keys.ids
        self.labels = work.tokens.labels.ids
        self.created_nodes: set[int] = set()
        self.deleted_nodes: set[int] = set()
        self.deleted_relationships: set[int] = set()
        self.node_images: dict[int, NodeImage] = {}
        self.relationship_images: dict[int, RelationshipImage] = {}
        self.changed_nodes: dict[int, tuple[c.ChangeLabels | None, c.ChangeNode | None]] = {}
        self.edits: list[Edit] = []
        #: by the places of the labels of a new node
        self._wanted: dict[tuple[int, ...], maintenance.Wanted] = {}

    # --- checking ---

    def check(self) -> None:
        """:raises TransactionConflict: :raises ConstraintViolation: see the module."""
        for mutation in self.mutations:
            kind = type(mutation)
            if kind is c.CreateNode or kind is c.ReviveNode:
                self.created_nodes.add(mutation.id)
            elif kind is c.DeleteNode:
                self.deleted_nodes.add(mutation.id)
            elif kind is c.DeleteRelationship:
                self.deleted_relationships.add(mutation.id)
        for mutation in self.mutations:
            _CHECKS[type(mutation)](self, mutation)
        for node, (relabelled, changed) in self.changed_nodes.items():
            self._post_node(node, relabelled, changed)
        if self.edits:
            for edit, owner in duplicates(self.edits, self.own.record, self.read_version):
                definition = edit.rule.definition
                error = duplicate_error(definition, owner, edit.values)
                self._fail(EntityKind(definition.entity), edit.entity, error)

    def _fail(self, kind: EntityKind, entity: int, error: EverwhenError) -> None:
        if self.staged is None:
            raise error
        self.staged[kind, entity] = error

    def _node(self, node: int) -> NodeImage:
        """The node as it is, own staging included."""
        image = self.node_images.get(node)
        if image is None:
            entities = self._where(node_prefix(node))
            image = entities.node(node)
            if image is None:
                raise gone("Node", node)
            self.node_images[node] = image
        return image

    def _where(self, prefix: bytes) -> Entities:
        """Where to read an entity: most were not touched by earlier chunks."""
        if self.run is None or self.own is self.work.entities:
            return self.own
        start = run_prefix(self.run, prefix)
        if self.work.layer.first(start, after(start)) is None:
            return self.work.entities
        return self.own

    def _base_node(self, node: int, image: NodeImage) -> NodeImage | None:
        """The node as others committed it; None if this transaction created it."""
        return image if image.last_version < VERSION_MAX else self.work.entities.node(node)

    def _relationship(self, relationship: int) -> RelationshipImage:
        image = self.relationship_images.get(relationship)
        if image is None:
            entities = self._where(relationship_prefix(relationship))
            image = entities.relationship(relationship)
            if image is None:
                raise gone("Relationship", relationship)
            self.relationship_images[relationship] = image
        return image

    def _base_relationship(
        self, relationship: int, image: RelationshipImage
    ) -> RelationshipImage | None:
        if image.last_version < VERSION_MAX:
            return image
        return self.work.entities.relationship(relationship)

    def _check_create_node(self, mutation: c.CreateNode | c.ReviveNode) -> None:
        refuse_erased("Node", mutation.id, self.work.state.erased.nodes)
        rules = self.work.rules
        if not rules.any_nodes:
            return
        shape = tuple(mutation.labels)
        wanted = self._wanted.get(shape)
        if wanted is None:
            tokens = [self.labels.get(self.names[at], -1) for at in shape]
            wanted = self._wanted[shape] = rules.of_new_node(tokens, self.names)
        indexes, constraints = wanted
        properties = mutation.properties
        for rule, places in indexes:
            raw = [properties.get(at) for at in places]
            if None not in raw:
                values = [decode_value(value) for value in raw if value is not None]
                self.edits.append(maintenance.first_entry(rule, mutation.id, values))
        if constraints:
            read = reader({self.names[at]: value for at, value in properties.items()}, None)
            self._constrain(EntityKind.NODE, mutation.id, constraints, read, None)

    def _check_revive_node(self, mutation: c.ReviveNode) -> None:
        self._check_dead("Node", mutation.id, self.own.node_head(mutation.id))
        self._check_create_node(mutation)

    def _check_dead(self, kind: str, entity: int, head: tuple[int, bool] | None) -> None:
        """What comes back was there once, and nobody brought it back or erased it meanwhile."""
        check_level(self.work.cluster, LEVEL_FLASHBACK, "flashbacks")
        if head is None:
            raise forgotten(kind, entity)
        version, alive = head
        if alive or version > self.read_version:
            raise changed_since(kind, entity)

    def _check_delete_node(self, mutation: c.DeleteNode) -> None:
        node = mutation.id
        image = self._node(node)
        base = self._base_node(node, image)
        if base is not None and base.last_version > self.read_version:
            raise changed_since("Node", node)
        self._check_detached(node)
        rules = self.work.rules
        if rules.node_indexes:
            self.edits += maintenance.edits(
                rules.node_indexes, node, (image.label_tokens, ()), (image.get, nothing), None
            )

    def _check_detached(self, node: int) -> None:
        if self.detaching is not None:
            left, _ = self.detaching.look(self.own, Noted(node), self.deleted_relationships)
            if left is not None:
                self.noted.append(left)
            return
        for outgoing in (True, False):
            for _, _, relationship in self.own.adjacent(node, outgoing):
                if relationship not in self.deleted_relationships:
                    refuse_joined(self.own, node, relationship, self.read_version)
                    self._fail(EntityKind.NODE, node, connected_error(node))

    def _check_change_labels(self, mutation: c.ChangeLabels) -> None:
        image = self._node(mutation.id)
        base = self._base_node(mutation.id, image)
        if base is not None and base.labels_version > self.read_version:
            raise changed_since("Node", mutation.id)
        _, changed = self.changed_nodes.get(mutation.id, (None, None))
        self.changed_nodes[mutation.id] = (mutation, changed)

    def _check_change_node(self, mutation: c.ChangeNode) -> None:
        image = self._node(mutation.id)
        base = self._base_node(mutation.id, image)
        if base is not None:
            self._check_properties(base, "Node", mutation.id, mutation.properties)
        relabelled, _ = self.changed_nodes.get(mutation.id, (None, None))
        self.changed_nodes[mutation.id] = (relabelled, mutation)

    def _check_properties(
        self,
        base: NodeImage | RelationshipImage,
        kind: str,
        entity: int,
        properties: Mapping[int, bytes | None],
    ) -> None:
        limit = self.read_version
        if base.version > limit:
            raise changed_since(kind, entity)
        if base.last_version <= limit:
            return
        for at in properties:
            token = self.keys.get(self.names[at])
            if token is not None and base.property_version(token) > limit:
                raise changed_since(kind, entity, self.names[at])

    def _check_revive_relationship(self, mutation: c.ReviveRelationship) -> None:
        head = self.own.relationship_head(mutation.id)
        self._check_dead("Relationship", mutation.id, head)
        self._check_create_relationship(mutation)

    def _check_create_relationship(
        self, mutation: c.CreateRelationship | c.ReviveRelationship
    ) -> None:
        refuse_erased("Relationship", mutation.id, self.work.state.erased.relationships)
        for node in {mutation.start: None, mutation.end: None}:
            if node in self.created_nodes:
                continue
            if node in self.deleted_nodes:
                raise end_deleted(node)
            if node not in self.node_images:
                head = self.own.node_head(node)
                if head is None or not head[1]:
                    raise end_deleted(node)
        rules = self.work.rules
        if rules.any_relationships:
            type_ = self.work.tokens.types.ids.get(self.names[mutation.type])
            if type_ is None:
                return
            values = {self.names[at]: value for at, value in mutation.properties.items()}
            read = reader(values, None)
            self.edits += maintenance.edits(
                rules.relationship_indexes, mutation.id, ((), (type_,)), (nothing, read), None
            )
            constraints = rules.relationship_constraints.get(type_, ())
            self._constrain(EntityKind.RELATIONSHIP, mutation.id, constraints, read, None)

    def _check_delete_relationship(self, mutation: c.DeleteRelationship) -> None:
        image = self._relationship(mutation.id)
        base = self._base_relationship(mutation.id, image)
        if base is not None and base.last_version > self.read_version:
            raise changed_since("Relationship", mutation.id)
        rules = self.work.rules
        if rules.relationship_indexes:
            self.edits += maintenance.edits(
                rules.relationship_indexes,
                mutation.id,
                ((image.ends[0],), ()),
                (image.get, nothing),
                None,
            )

    def _check_change_relationship(self, mutation: c.ChangeRelationship) -> None:
        image = self._relationship(mutation.id)
        base = self._base_relationship(mutation.id, image)
        if base is not None:
            self._check_properties(base, "Relationship", mutation.id, mutation.properties)
        rules = self.work.rules
        if rules.any_relationships:
            type_ = image.ends[0]
            values = {self.names[at]: value for at, value in mutation.properties.items()}
            read = reader(values, image.get)
            changed = frozenset(values)
            self.edits += maintenance.edits(
                rules.relationship_indexes,
                mutation.id,
                ((type_,), (type_,)),
                (image.get, read),
                changed,
            )
            constraints = rules.relationship_constraints.get(type_, ())
            self._constrain(EntityKind.RELATIONSHIP, mutation.id, constraints, read, changed)

    # --- constraints on the post-image ---

    def _post_node(
        self, node: int, relabelled: c.ChangeLabels | None, changed: c.ChangeNode | None
    ) -> None:
        rules = self.work.rules
        if not rules.any_nodes:
            return
        image = self.node_images[node]
        names = self.names
        values = (
            {}
            if changed is None
            else {names[at]: value for at, value in changed.properties.items()}
        )
        old = image.label_tokens
        new = set(old)
        if relabelled is not None:
            new.difference_update(self.labels.get(names[at], -1) for at in relabelled.removed)
            new.update(
                token
                for at in relabelled.added
                if (token := self.labels.get(names[at])) is not None
            )
        read = reader(values, image.get)
        keys = frozenset(values)
        self.edits += maintenance.edits(
            rules.node_indexes, node, (old, new), (image.get, read), keys
        )
        for label in sorted(new):
            constraints = rules.node_constraints.get(label, ())
            self._constrain(
                EntityKind.NODE, node, constraints, read, keys if label in old else None
            )

    def _constrain(
        self,
        kind: EntityKind,
        entity: int,
        constraints: list[ConstraintDefinition] | tuple[()],
        read: Callable[[str], Any],
        changed: frozenset[str] | None,
    ) -> None:
        for constraint in constraints:
            if changed is not None and changed.isdisjoint(constraint.properties):
                continue
            error = broken(constraint, entity, PostImage(read))
            if error is not None:
                self._fail(kind, entity, error)


_CHECKS: Final[dict[type, Callable[[Attempt, Any], None]]] = {
    c.CreateNode: Attempt._check_create_node,
    c.DeleteNode: Attempt._check_delete_node,
    c.ChangeLabels: Attempt._check_change_labels,
    c.ChangeNode: Attempt._check_change_node,
    c.CreateRelationship: Attempt._check_create_relationship,
    c.DeleteRelationship: Attempt._check_delete_relationship,
    c.ChangeRelationship: Attempt._check_change_relationship,
    c.ReviveNode: Attempt._check_revive_node,
    c.ReviveRelationship: Attempt._check_revive_relationship,
}
