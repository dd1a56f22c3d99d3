"""Time of the consensus core alone, from a proposal to its commit on three members in one process.

No disk, no network, no codec: what is left is the core and the loop that hands messages around.
Processor time, the best of several runs: other programs on the machine do not count.
"""

from __future__ import annotations

import argparse
import json
import time

from everwhen import raft
from everwhen.raft.storage import MemoryStorage
from everwhen.runtime.replica.cores import config_of

_MEMBERS = (1, 2, 3)
_ENTRY = b"x" * 256
#: entries in a proposal -> rounds of one run
_BATCHES = {1: 2_000, 10: 1_000, 100: 200, 1_000: 20}
_RUNS = 7


class Group:
    """Three members and what storage would do for them."""

    def __init__(self) -> None:
        self.nodes: dict[int, tuple[raft.RawNode, MemoryStorage]] = {}
        state = raft.ConfState(list(_MEMBERS))
        for number in _MEMBERS:
            storage = MemoryStorage()
            storage.apply_snapshot(raft.Snapshot(b"", raft.SnapshotMetadata(state, 2, 1)))
            config = config_of(number, storage, lambda bound: 0, applied=2)
            self.nodes[number] = (raft.RawNode(config), storage)
        self.nodes[1][0].campaign()
        self.settle()

    def settle(self) -> None:
        """Until nothing is left to do."""
        busy = True
        while busy:
            busy = False
            for raw, storage in self.nodes.values():
                if raw.has_ready():
                    busy = True
                    for message in raw.ready().messages:
                        self.handle(raw, storage, message)

    def handle(self, raw: raft.RawNode, storage: MemoryStorage, message: raft.Message) -> None:
        if message.to == raft.LOCAL_APPEND:
            storage.append(message.entries)
        elif message.to != raft.LOCAL_APPLY:
            self.nodes[message.to][0].step(message)
            return
        for reply in message.responses:
            self.nodes[reply.to][0].step(reply)

    def run(self, batch: int, rounds: int) -> float:
        """Seconds of one run; the logs are short again after it."""
        leader, payloads = self.nodes[1][0], [_ENTRY] * batch
        before = leader.committed
        started = time.process_time()
        for _ in range(rounds):
            leader.propose(payloads)
            self.settle()
        seconds = time.process_time() - started
        assert leader.committed == before + batch * rounds
        for _, storage in self.nodes.values():
            storage.compact(storage.last_index())
        return seconds


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    for batch, rounds in _BATCHES.items():
        group = Group()
        best = min(group.run(batch, rounds) for _ in range(_RUNS)) / rounds * 1e6
        result = {
            "measure": "consensus core, proposal to commit on 3 members",
            "entries_per_proposal": batch,
            "us_per_round_all_members": round(best, 1),
            "us_per_round_and_member": round(best / len(_MEMBERS), 1),
            "us_per_entry_and_member": round(best / len(_MEMBERS) / batch, 2),
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
