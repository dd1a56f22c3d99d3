"""What loading the image needs compiled: texts to codes, and relationships sorted by their nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from everwhen.kernels.jit import INT, INTS, INTS_OUT, ROWS, ROWS_OUT, kernel, part, read

Array = npt.NDArray[Any]

_BYTES = read(types.uint8)
_BYTES_OUT = types.uint8[::1]
_VERSIONS_OUT = types.uint32[::1]
_MASK_OUT = types.boolean[::1]

_SEED = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_SHIFT = np.uint64(32)


@part
def _hash(data: Array, low: int, high: int) -> Any:
    found = _SEED
    for at in range(low, high):
        found = (found ^ np.uint64(data[at])) * _PRIME
    return found ^ (found >> _SHIFT)


@part
def _place(
    source: Array, low: int, high: int, heap: Array, offsets: Array, count: int, table: Array
) -> Any:
    """Where a text stands in the table, or would."""
    mask = len(table) - 1
    at = np.int64(_hash(source, low, high) & np.uint64(mask))
    size = high - low
    while True:
        code = table[at]
        if code < 0:
            return at
        # what a writer added after the caller looked is passed over
        if code < count and offsets[code + 1] - offsets[code] == size:
            first = offsets[code]
            same = True
            for step in range(size):
                if heap[first + step] != source[low + step]:
                    same = False
                    break
            if same:
                return at
        at = (at + 1) & mask


@kernel(INT(_BYTES, INTS, _BYTES_OUT, INTS_OUT, INT, ROWS_OUT, ROWS_OUT))
def intern(
    source: Array,
    bounds: Array,
    heap: Array,
    offsets: Array,
    count: int,
    table: Array,
    codes: Array,
) -> int:
    """Codes of texts (``bounds`` in ``source``); new ones go to the end of the heap.

    There must be room for all of them, and ``table`` (a power of two, -1 where free) must stay
    half empty. Gives the number of texts afterwards.
    """
    for number in range(len(bounds) - 1):
        low, high = bounds[number], bounds[number + 1]
        at = _place(source, low, high, heap, offsets, count, table)
        if table[at] < 0:
            first = offsets[count]
            for step in range(high - low):
                heap[first + step] = source[low + step]
            offsets[count + 1] = first + high - low
            table[at] = count
            count += 1
        codes[number] = table[at]
    return count


@kernel(INT(_BYTES, _BYTES, INTS, INT, ROWS))
def lookup(text: Array, heap: Array, offsets: Array, count: int, table: Array) -> int:
    """The code of a text, or -1."""
    return int(table[_place(text, 0, len(text), heap, offsets, count, table)])


@kernel(types.void(_BYTES, INTS, INT, ROWS_OUT))
def rehash(heap: Array, offsets: Array, count: int, table: Array) -> None:
    """Fill an empty table."""
    mask = len(table) - 1
    for code in range(count):
        at = np.int64(_hash(heap, offsets[code], offsets[code + 1]) & np.uint64(mask))
        while table[at] >= 0:
            at = (at + 1) & mask
        table[at] = code


@kernel(types.void(_BYTES, INTS, INTS, INT, types.uint64[::1], _BYTES_OUT))
def windows(
    heap: Array, offsets: Array, codes: Array, depth: int, words: Array, rest: Array
) -> None:
    """Of each text the eight bytes from ``depth`` on as a number (zeros behind its end), and how
    many there are: 9 means more than eight."""
    for number in range(len(codes)):
        low, high = offsets[codes[number]] + depth, offsets[codes[number] + 1]
        word = np.uint64(0)
        for step in range(8):
            byte = np.uint64(heap[low + step]) if low + step < high else np.uint64(0)
            word = (word << np.uint64(8)) | byte
        words[number] = word
        rest[number] = min(max(high - low, 0), 9)


@kernel(INT(read(types.uint32), read(types.uint32), types.uint32, ROWS_OUT))
def seen(begins: Array, ends: Array, version: int, out: Array) -> int:
    """Rows that have begun and not ended at a version, and how many there are."""
    found = 0
    for row in range(len(begins)):
        out[found] = row
        found += begins[row] <= version < ends[row]
    return found


@kernel(types.void(ROWS, ROWS, INT, INTS, ROWS_OUT))
def located(pages: Array, table: Array, bits: int, ids: Array, out: Array) -> None:
    """The row of each id in a table of pages of ``1 << bits`` rows, -1 where there is none."""
    within = (1 << bits) - 1
    for number in range(len(ids)):
        page = ids[number] >> bits
        out[number] = -1
        if page >= 0 and page < len(pages) and pages[page] >= 0:
            out[number] = table[(np.int64(pages[page]) << bits) | (ids[number] & within)]


@kernel(types.void(ROWS, ROWS_OUT, INT, INTS, ROWS))
def settled(pages: Array, table: Array, bits: int, ids: Array, rows: Array) -> None:
    """Write the row of each id, all of whose pages are there."""
    within = (1 << bits) - 1
    for number in range(len(ids)):
        slot = np.int64(pages[ids[number] >> bits])
        table[(slot << bits) | (ids[number] & within)] = rows[number]


@kernel(INT(ROWS, INT, INTS, INTS_OUT))
def unpaged(pages: Array, bits: int, ids: Array, out: Array) -> int:
    """Pages of ids that have no place in the table yet, without repeating the last one; how many
    there are. ``pages`` covers all of them."""
    found = 0
    for number in range(len(ids)):
        page = ids[number] >> bits
        if pages[page] < 0 and (found == 0 or out[found - 1] != page):
            out[found] = page
            found += 1
    return found


@kernel(types.void(ROWS, ROWS, INTS_OUT, ROWS_OUT))
def grouped(nodes: Array, order: Array, offsets: Array, out: Array) -> None:
    """A stable counting sort of ``order`` by ``nodes``: ``out`` is the order, and the entries of
    node ``n`` lie at ``offsets[n] : offsets[n + 1]``."""
    offsets[:] = 0
    for at in range(len(order)):
        offsets[nodes[order[at]] + 1] += 1
    for node in range(1, len(offsets)):
        offsets[node] += offsets[node - 1]
    for at in range(len(order)):
        row = order[at]
        node = nodes[row]
        out[offsets[node]] = row
        offsets[node] += 1
    for node in range(len(offsets) - 1, 0, -1):
        offsets[node] = offsets[node - 1]
    offsets[0] = 0


@kernel(types.void(ROWS, INT, ROWS_OUT, ROWS_OUT))
def chained(nodes: Array, first: int, heads: Array, nexts: Array) -> None:
    """Put entries from ``first`` on at the head of the chains of their nodes."""
    for number in range(len(nodes)):
        node = nodes[number]
        nexts[first + number] = heads[node]
        heads[node] = first + number


@kernel(types.void(INTS, ROWS, ROWS, ROWS, ROWS, ROWS, read(types.uint32), _VERSIONS_OUT))
def stamped(
    offsets: Array,
    others: Array,
    edges: Array,
    at: Array,
    towards: Array,
    rows: Array,
    versions: Array,
    out: Array,
) -> None:
    """Write a version to the place of each relationship row in a base sorted by (node, other
    node, row)."""
    for number in range(len(rows)):
        node, other, row = at[number], towards[number], rows[number]
        low, high = offsets[node], offsets[node + 1]
        while low < high:
            middle = (low + high) // 2
            found = others[middle]
            if found < other or (found == other and edges[middle] < row):
                low = middle + 1
            else:
                high = middle
        out[low] = versions[number]
