"""Rows by equal keys: numbered by a hash table, found in it, sorted by their numbers; extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from everwhen.kernels.jit import INT, INTS, INTS_OUT, ROWS, ROWS_OUT, kernel, part

#: 2^64 over the golden ratio: the high bits of a product are well mixed
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@part
def _begin(key: int, bits: int) -> Any:
    """Where in a table of ``2 ** bits`` places a search begins."""
    return np.int64((np.uint64(key) * _GOLDEN) >> np.uint64(64 - bits))


@kernel(INT(INTS, INT, INTS_OUT, ROWS_OUT, INTS_OUT, INTS_OUT))
def number_keys(
    keys: Any, bits: int, table_keys: Any, table_numbers: Any, numbers: Any, firsts: Any
) -> int:
    """The number of each key in order of first appearance, and where each number appeared first;
    gives how many there are. The table (of ``2 ** bits`` places, numbers -1) is filled; it must
    have more places than there are keys, else the search for a free one does not end."""
    count = 0
    mask = len(table_keys) - 1
    for row in range(len(keys)):
        key = keys[row]
        at = _begin(key, bits)
        while table_numbers[at] >= 0 and table_keys[at] != key:
            at = (at + 1) & mask
        if table_numbers[at] < 0:
            table_keys[at] = key
            table_numbers[at] = count
            firsts[count] = row
            count += 1
        numbers[row] = table_numbers[at]
    return count


@kernel(INT(INTS, INT, INTS, ROWS, INTS_OUT))
def find_keys(keys: Any, bits: int, table_keys: Any, table_numbers: Any, numbers: Any) -> int:
    """The number of each key in a table, -1 where it is not there; gives how many are there."""
    mask = len(table_keys) - 1
    found = 0
    for row in range(len(keys)):
        key = keys[row]
        at = _begin(key, bits)
        while table_numbers[at] >= 0 and table_keys[at] != key:
            at = (at + 1) & mask
        numbers[row] = table_numbers[at]
        if table_numbers[at] >= 0:
            found += 1
    return found


@kernel(INT(INTS, INTS_OUT, INTS_OUT))
def sort_numbers(numbers: Any, starts: Any, order: Any) -> int:
    """Positions by their number, equal ones in order. ``starts``: zeros, two more than there are
    numbers; afterwards number ``n`` is at ``starts[n] : starts[n + 1]`` of ``order``."""
    for row in range(len(numbers)):
        starts[numbers[row] + 2] += 1
    for number in range(2, len(starts)):
        starts[number] += starts[number - 1]
    for row in range(len(numbers)):
        number = numbers[row]
        order[starts[number + 1]] = row
        starts[number + 1] += 1
    return len(numbers)


@kernel(INT(INTS, INTS, INTS_OUT, INTS_OUT))
def least(ranks: Any, groups: Any, best: Any, places: Any) -> int:
    """By group, the lowest rank and the first row that has it (places begin as -1)."""
    for row in range(len(ranks)):
        group = groups[row]
        if places[group] < 0 or ranks[row] < best[group]:
            best[group] = ranks[row]
            places[group] = row
    return len(ranks)
