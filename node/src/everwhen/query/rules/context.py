"""What rules get: counts, the schema, and fresh slots."""

from __future__ import annotations

from dataclasses import dataclass, field

from everwhen.model.schema import Catalog
from everwhen.query import bound as b
from everwhen.query import physical as p
from everwhen.query.cost import Estimator
from everwhen.query.static_types import StaticType


@dataclass(slots=True)
class PlanContext:
    """State of planning one statement."""

    catalog: Catalog
    estimator: Estimator
    slot_names: list[str]
    #: types of parameters that stand for lifted literals
    lifted: dict[str, StaticType] = field(default_factory=dict)
    notifications: list[p.Notification] = field(default_factory=list)

    def new_slot(self, name: str) -> int:
        """A slot the text does not name."""
        self.slot_names.append(name)
        return len(self.slot_names) - 1

    def slot(self, index: int) -> b.Slot:
        return b.Slot(index, self.slot_names[index])
