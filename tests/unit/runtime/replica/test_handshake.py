"""Who may speak to a node: members of its cluster, on the disks they were admitted with, to the node
they mean, in the protocol it speaks, who know the secret."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import pytest

from everwhen.codec import peer_frames as wire
from everwhen.runtime.replica.peers import LANES, objection
from everwhen.runtime.replica.transport import Peer

CLUSTER: Final = UUID(int=1)
OWN_DISK: Final = UUID(int=2)
ITS_DISK: Final = UUID(int=3)
RIGHT: Final = {
    wire.HEADER_SECRET: "secret",
    wire.HEADER_PROTOCOL: str(wire.PROTOCOL),
    wire.HEADER_CLUSTER: str(CLUSTER),
    wire.HEADER_FROM: "7",
    wire.HEADER_FROM_DISK: str(ITS_DISK),
    wire.HEADER_TO: "5",
    wire.HEADER_TO_DISK: str(OWN_DISK),
    wire.HEADER_LANE: LANES[0],
}


def asked(headers: dict[str, str]) -> str | None:
    return objection(
        headers,
        secret="secret",
        cluster_id=CLUSTER,
        node_id=5,
        disk_id=OWN_DISK,
        members={7: Peer(7, "n7", "127.0.0.1:1", ITS_DISK)},
    )


def test_a_member_may() -> None:
    assert asked(dict(RIGHT)) is None


def test_a_node_that_is_not_known_yet_may() -> None:
    """The others may have admitted it already."""
    assert asked(RIGHT | {wire.HEADER_FROM: "8"}) is None


@pytest.mark.parametrize("header", sorted(RIGHT))
@pytest.mark.parametrize("value", ["", "something else"])
def test_anybody_else_may_not(header: str, value: str) -> None:
    assert asked(RIGHT | {header: value}) is not None


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (wire.HEADER_CLUSTER, str(UUID(int=9))),  # P34
        (wire.HEADER_FROM_DISK, str(UUID(int=9))),  # P29
        (wire.HEADER_TO_DISK, str(UUID(int=9))),  # P29
        (wire.HEADER_TO, "6"),
        (wire.HEADER_PROTOCOL, str(wire.PROTOCOL + 1)),
    ],
)
def test_who_means_somebody_else_may_not(header: str, value: str) -> None:
    assert asked(RIGHT | {header: value}) is not None
