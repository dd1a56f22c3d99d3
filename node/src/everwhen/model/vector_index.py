"""What a vector index demands and how it compares: dimensions, metric, parameters of its graph.

Source of the option names: Neo4j 5 manual, "Vector indexes"; ``vector.hnsw.ef_search`` is our
own. The text form is what the record keeps, so the fields' order and names stay as they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final

from everwhen.errors import QueryArgumentError
from everwhen.model.vector import DIMENSIONS_MAX, Vector

METRICS: Final = ("cosine", "euclidean", "dot")

_KEYS: Final = {
    "vector.dimensions": "dimensions",
    "vector.similarity_function": "metric",
    "vector.hnsw.m": "m",
    "vector.hnsw.ef_construction": "ef_construction",
    "vector.hnsw.ef_search": "ef_search",
}
_RANGES: Final = {
    "dimensions": (1, DIMENSIONS_MAX),
    "m": (2, 512),
    "ef_construction": (1, 3200),
    "ef_search": (1, 3200),
}
_NUMBERS: Final = frozenset((int, float))
#: the largest number that vectors are searched with
_FLOAT32_MAX: Final = 3.4028234e38


@dataclass(frozen=True, slots=True)
class VectorConfig:
    """See the module. ``ef_search`` is how widely a search looks around."""

    dimensions: int
    metric: str = "cosine"
    m: int = 16
    ef_construction: int = 100
    ef_search: int = 128

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> VectorConfig:
        """From ``OPTIONS {indexConfig: {...}}``.

        :raises QueryArgumentError: an option nobody knows, or a value out of its range.
        """
        for key in options:
            if key not in ("indexConfig", "indexProvider"):
                raise _bad(f"no option of a vector index is named {key!r}")
        config = options.get("indexConfig")
        if not isinstance(config, Mapping) or "vector.dimensions" not in config:
            raise _bad("a vector index needs its `vector.dimensions`")
        fields: dict[str, Any] = {}
        for key, value in config.items():
            name = _KEYS.get(key)
            if key == "vector.quantization.enabled":
                continue  # clients send it; vectors are kept as they are
            if name is None:
                raise _bad(f"no setting of a vector index is named {key!r}")
            fields[name] = _metric(value) if name == "metric" else _number(key, name, value)
        return cls(**fields)

    def text(self) -> str:
        """For the record."""
        return json.dumps(asdict(self))

    def options(self) -> dict[str, Any]:
        """As ``SHOW INDEXES`` shows it."""
        fields = asdict(self)
        return {key: fields[name] for key, name in _KEYS.items()}

    def problem(self, value: Any) -> str | None:
        """Why a value cannot be searched for or found, or None."""
        numbers = coordinates(value)
        if numbers is None:
            return "it is no vector or list of numbers"
        if len(numbers) != self.dimensions:
            return f"it has {len(numbers)} dimensions, not {self.dimensions}"
        length = math.hypot(*numbers)
        # no coordinate is larger than the length; not a number is in no range
        if not length <= _FLOAT32_MAX and not all(
            -_FLOAT32_MAX <= number <= _FLOAT32_MAX for number in numbers
        ):
            return "a coordinate is no finite number of 32 bits"
        if self.metric == "cosine" and length < _LENGTH_MIN:
            return "its length is 0, which has no direction"
        return None


@lru_cache(maxsize=64)
def parse_config(text: str) -> VectorConfig:
    """What :meth:`VectorConfig.text` wrote."""
    return VectorConfig(**json.loads(text))


#: below it a vector of 32 bit numbers has no direction
_LENGTH_MIN: Final = 1e-30


def coordinates(value: Any) -> Sequence[float] | None:
    """The numbers of a vector or of a list of numbers; None for anything else."""
    if type(value) is Vector:
        return value.values()
    if type(value) is list and _NUMBERS.issuperset(map(type, value)):
        return value
    return None


def _metric(value: Any) -> str:
    name = value.lower() if type(value) is str else ""
    if name not in METRICS:
        raise _bad(f"`vector.similarity_function` is one of {', '.join(METRICS)}, not {value!r}")
    return name


def _number(key: str, name: str, value: Any) -> int:
    low, high = _RANGES[name]
    if type(value) is not int or not low <= value <= high:
        raise _bad(f"`{key}` is an integer from {low} to {high}, not {value!r}")
    return value


def _bad(message: str) -> QueryArgumentError:
    return QueryArgumentError(message, detail="InvalidArgumentValue")
