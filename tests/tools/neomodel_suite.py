"""neomodel, an object mapper, over an Everwhen node: models, constraints, queries, transactions.

Runs in an environment of its own: ``python -m tests.tools.neomodel_suite PORT SECURED_PORT``.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime

from neo4j import GraphDatabase
from neomodel import (
    ArrayProperty,
    DateProperty,
    DateTimeProperty,
    IntegerProperty,
    JSONProperty,
    One,
    Q,
    RelationshipFrom,
    RelationshipTo,
    StringProperty,
    StructuredNode,
    StructuredRel,
    UniqueIdProperty,
    ZeroOrMore,
    db,
)
from neomodel.exceptions import DoesNotExist, RequiredProperty, UniqueProperty

from tests.drivers.python_common import PASSWORD, case, raises
from tests.drivers.python_main import main


class Since(StructuredRel):  # type: ignore[misc]
    year = IntegerProperty(default=2000)


class Country(StructuredNode):  # type: ignore[misc]
    code = StringProperty(unique_index=True, required=True)
    name = StringProperty()
    people = RelationshipFrom("Somebody", "LIVES_IN", model=StructuredRel)


class Somebody(StructuredNode):  # type: ignore[misc]
    uid = UniqueIdProperty()
    name = StringProperty(unique_index=True, required=True)
    age = IntegerProperty(index=True, default=0)
    tags = ArrayProperty(StringProperty())
    born = DateProperty()
    seen = DateTimeProperty()
    more = JSONProperty()
    country = RelationshipTo(Country, "LIVES_IN", model=StructuredRel, cardinality=One)
    friends = RelationshipTo("Somebody", "FRIEND", model=Since, cardinality=ZeroOrMore)


@case
def labels_are_installed(_: int, secured: int) -> None:
    uri = f"bolt://127.0.0.1:{secured}"
    db.set_connection(driver=GraphDatabase.driver(uri, auth=("neo4j", PASSWORD)))
    db.remove_all_labels()
    for model in (Country, Somebody):
        db.install_labels(model, quiet=True)
        db.install_labels(model, quiet=True)
    constraints = {tuple(each["properties"]) for each in db.list_constraints()}
    assert {("code",), ("name",), ("uid",)} <= constraints, constraints
    assert any(each["properties"] == ["age"] for each in db.list_indexes())


@case
def things_are_saved_found_and_changed(_: int, secured: int) -> None:
    seen = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    ada = Somebody(name="Ada", age=36, tags=["poet", "engine"], born=date(1815, 12, 10),
                   seen=seen, more={"a": [1, 2]}).save()  # fmt: skip
    Somebody(name="Bob", age=20).save()
    Somebody(name="Cyd", age=50).save()
    again = Somebody.nodes.get(name="Ada")
    assert again.element_id == ada.element_id
    kept = (again.age, again.tags, again.born, again.seen, again.more, again.uid)
    assert kept == (36, ["poet", "engine"], date(1815, 12, 10), seen, {"a": [1, 2]}, ada.uid)
    again.age = 37
    again.save()
    ada.refresh()
    assert ada.age == 37
    names = [each.name for each in Somebody.nodes.filter(age__gt=30).order_by("-age")]
    assert names == ["Cyd", "Ada"], names
    either = Somebody.nodes.filter(Q(name__startswith="B") | Q(age__in=[50]))
    assert sorted(each.name for each in either) == ["Bob", "Cyd"]
    assert len(Somebody.nodes.exclude(name="Ada")) == 2
    assert Somebody.nodes.first_or_none(name="Nobody") is None
    raises(DoesNotExist, lambda: Somebody.nodes.get(name="Nobody"))


@case
def rules_are_kept(_: int, secured: int) -> None:
    raises(UniqueProperty, lambda: Somebody(name="Ada").save())
    raises(RequiredProperty, lambda: Somebody().save())
    made = Country.get_or_create({"code": "GB"}, {"code": "FR"}, {"code": "GB"})
    assert [each.code for each in made] == ["GB", "FR", "GB"]
    changed = Country.create_or_update({"code": "FR", "name": "France"})
    assert changed[0].name == "France"
    assert len(Country.nodes) == 2


@case
def relationships_are_walked(_: int, secured: int) -> None:
    ada, bob = Somebody.nodes.get(name="Ada"), Somebody.nodes.get(name="Bob")
    england = Country.nodes.get(code="GB")
    ada.country.connect(england)
    bob.country.connect(england)
    ada.friends.connect(bob, {"year": 1833})
    assert ada.country.single().code == "GB"
    assert sorted(each.name for each in england.people.all()) == ["Ada", "Bob"]
    assert ada.friends.relationship(bob).year == 1833
    assert ada.friends.is_connected(bob)
    assert [each.name for each in ada.friends.match(year__gt=1800)] == ["Bob"]
    found = Somebody.nodes.traverse("country").filter(name="Ada").all()
    assert len(found) == 1
    ada.friends.disconnect(bob)
    assert len(ada.friends) == 0


@case
def transactions_commit_and_roll_back(_: int, secured: int) -> None:
    with db.transaction:
        Somebody(name="Eve").save()
        assert Somebody.nodes.get(name="Eve").age == 0

    def fail() -> None:
        with db.transaction:
            Somebody(name="Fay").save()
            raise LookupError

    raises(LookupError, fail)
    assert Somebody.nodes.get_or_none(name="Fay") is None
    rows, columns = db.cypher_query("MATCH (n:Somebody) RETURN count(n) AS n, collect(n.name)[0]")
    assert (rows[0][0], columns[0]) == (4, "n")
    node = db.cypher_query("MATCH (n:Somebody {name: 'Eve'}) RETURN n", resolve_objects=True)[0][0][
        0
    ]
    assert isinstance(node, Somebody)
    assert node.delete()
    assert Somebody.nodes.get_or_none(name="Eve") is None


@case
def what_it_asks_of_the_server(_: int, secured: int) -> None:
    assert (db.database_version, db.database_edition) == ("5.26.0", "community")
    types = db.cypher_query(
        "MATCH (n:Somebody {name: 'Ada'}) RETURN apoc.meta.cypher.types(properties(n)) AS t"
    )[0][0][0]
    assert (types["age"], types["tags"]) == ("INTEGER", "LIST OF STRING"), types


if __name__ == "__main__":
    sys.exit(main(sys.argv))
