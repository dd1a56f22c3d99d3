"""A count over a scan asks how many there are instead of looking at each."""

from __future__ import annotations

from everwhen.query import bound as b
from everwhen.query import physical as p


def count_scan(op: p.Operator) -> p.Operator:
    """``Aggregate(scan)`` as ``NodeCount`` if it counts the scan's rows and nothing else.

    The scan's node is never null, so ``count(n)`` is ``count(*)``; distinct is another matter,
    because rows below the scan repeat its nodes.
    """
    if not isinstance(op, p.Aggregate) or op.groups or not op.aggregations:
        return op
    scan = op.child
    if not isinstance(scan, (p.AllNodesScan, p.LabelScan)):
        return op
    if not all(_counts_rows(item, scan.slot) for _, item in op.aggregations):
        return op
    slots = tuple(slot for slot, _ in op.aggregations)
    label = scan.label if isinstance(scan, p.LabelScan) else None
    return p.NodeCount(
        scan.child, slots, label, scan.view, counted=scan.estimate, estimate=op.estimate
    )


def _counts_rows(item: b.Aggregation, slot: int) -> bool:
    argument = item.argument
    return (
        item.name == "count"
        and not item.distinct
        and (argument is None or (isinstance(argument, b.Slot) and argument.index == slot))
    )
