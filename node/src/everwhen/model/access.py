"""Looking into values: ``a.b``, ``a[b]``, ``a[b..c]``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from everwhen.errors import QueryTypeError
from everwhen.model.elements import Node, Relationship
from everwhen.model.spatial import Point
from everwhen.model.temporal_parts import PARTS, temporal_part
from everwhen.model.value_text import to_text, type_name


def properties_of(value: Any) -> Mapping[str, Any]:
    """All properties of a node or relationship; a map itself.

    :raises QueryTypeError: any other value.
    """
    kind = type(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]
    if kind is Node or kind is Relationship:
        return value.properties  # type: ignore[no-any-return]
    raise QueryTypeError(
        f"expected a node, a relationship or a map, got {type_name(value)}: {to_text(value)}",
        detail="InvalidArgumentType",
    )


def get_property(subject: Any, key: str) -> Any:
    """``subject.key``; null where there is none.

    :raises QueryTypeError: the subject has no properties.
    :raises QueryArgumentError: a temporal value or point without such a component.
    """
    kind = type(subject)
    if kind is dict or kind is Node or kind is Relationship:
        return subject.get(key)
    if subject is None:
        return None
    if kind in PARTS:
        return temporal_part(subject, key)
    if kind is Point:
        return subject.component(key)
    raise QueryTypeError(
        f"{type_name(subject)} has no properties: {to_text(subject)}.{key}",
        detail="InvalidArgumentType",
    )


def subscript(subject: Any, index: Any) -> Any:
    """``subject[index]``; null beyond the ends of a list or for a key that is not there.

    :raises QueryTypeError: the subject has no elements, or the index is of the wrong type.
    """
    kind = type(subject)
    if kind is list:
        if type(index) is int:
            return subject[index] if -len(subject) <= index < len(subject) else None
        if index is None:
            return None
        raise QueryTypeError(
            f"a list index must be an integer, got {type_name(index)}: {to_text(index)}",
            detail="ListElementAccessByNonInteger",
        )
    if subject is None or index is None:
        return None
    if kind is dict or kind is Node or kind is Relationship or kind in PARTS or kind is Point:
        if type(index) is str:
            return get_property(subject, index)
        raise QueryTypeError(
            f"a property key must be a string, got {type_name(index)}: {to_text(index)}",
            detail="MapElementAccessByNonString",
        )
    raise QueryTypeError(
        f"{type_name(subject)} has no elements: {to_text(subject)}[{to_text(index)}]",
        detail="InvalidArgumentType",
    )


def slice_list(subject: Any, lower: Any, upper: Any) -> Any:
    """``subject[lower..upper]``; negative positions count from the end.

    :raises QueryTypeError: not a list, or a bound that is no integer.
    """
    if subject is None or lower is None or upper is None:
        return None
    if type(subject) is list and type(lower) is int and type(upper) is int:
        return subject[lower:upper]
    raise QueryTypeError(
        f"a slice needs a list and integers, got {type_name(subject)}"
        f"[{type_name(lower)}..{type_name(upper)}]",
        detail="InvalidArgumentType",
    )
