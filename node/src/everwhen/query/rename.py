"""The same pattern or expression with other slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from everwhen.query import bound as b
from everwhen.query import logical as lg
from everwhen.query.traverse import rewrite


def rename_slots(node: Any, targets: Mapping[int, int]) -> Any:
    """A copy in which each slot of ``targets`` is the one it maps to."""

    def change(item: Any) -> Any:
        if isinstance(item, b.Slot) and item.index in targets:
            return replace(item, index=targets[item.index])
        if isinstance(item, lg.RelationshipPart):
            return replace(
                item,
                slot=targets.get(item.slot, item.slot),
                left=targets.get(item.left, item.left),
                right=targets.get(item.right, item.right),
            )
        if isinstance(item, lg.PatternMatch):
            return replace(item, nodes=tuple(targets.get(slot, slot) for slot in item.nodes))
        return item

    return rewrite(node, change)
