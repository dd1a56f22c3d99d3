"""What can be done with NGQL values, in one place for those who use it.

Python classes of values: None, bool, int (64 bits), float, str, bytes, list, dict with str keys,
the elements of ``model.elements``, the temporal classes, ``Point`` and ``Vector``. They are told
apart by ``type(value) is …``: a bool is no integer here.

Four relations, which are not the same (openCypher 9, CIP2016-06-14):

* :func:`equals`, three-valued, for ``=``, ``IN`` and ``CASE``;
* :func:`compare`, three-valued, for ``<``: only within comparable types;
* :func:`order_key`, total, for ORDER BY, ``min`` and ``max``;
* :func:`group_key`, equivalence, for DISTINCT and grouping.
"""

from everwhen.limits import INT_MAX, INT_MIN
from everwhen.model.access import get_property, properties_of, slice_list, subscript
from everwhen.model.arithmetic import (
    add,
    concatenate,
    divide,
    modulo,
    multiply,
    negate,
    plain_text,
    plus,
    power,
    subtract,
)
from everwhen.model.ordering import group_key, order_key
from everwhen.model.relations import and3, comparable, compare, equals, in_list, not3, or3, xor3
from everwhen.model.value_text import float_text, quoted, to_text, type_name

__all__ = [
    "INT_MAX",
    "INT_MIN",
    "add",
    "and3",
    "comparable",
    "compare",
    "concatenate",
    "divide",
    "equals",
    "float_text",
    "get_property",
    "group_key",
    "in_list",
    "modulo",
    "multiply",
    "negate",
    "not3",
    "or3",
    "order_key",
    "plain_text",
    "plus",
    "power",
    "properties_of",
    "quoted",
    "slice_list",
    "subscript",
    "subtract",
    "to_text",
    "type_name",
    "xor3",
]
