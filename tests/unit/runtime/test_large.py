"""What a session hears of a large transaction whose entries get lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from everwhen.errors import DeleteConnectedNode, EverwhenError, NoLeader, OutcomeUnknown
from everwhen.runtime.embedded import Embedded
from everwhen.runtime.large import Large
from everwhen.txn import commands as c
from tests.unit.apply.harness import origin_of

BEGIN = c.BeginChunks(c.FORMAT, 0, 0, origin_of())
CHUNK = c.Chunk(c.FORMAT, 7, 0, [], [], [], c.Checks())


def answering(**errors: EverwhenError) -> Callable[[c.Command], c.Reply]:
    """Every entry is done, but for those of some kinds."""

    def propose(command: c.Command) -> c.Reply:
        error = errors.get(type(command).__name__)
        if error is not None:
            raise error
        return c.Begun(7) if isinstance(command, c.BeginChunks) else c.Done()

    return propose


@pytest.mark.parametrize("kind", ["BeginChunks", "Chunk"])
def test_an_entry_of_unknown_outcome_is_a_certain_failure(kind: str) -> None:
    propose = answering(**{kind: OutcomeUnknown("nobody answered")})
    with pytest.raises(NoLeader, match="was not committed"):
        Large(BEGIN, propose, lambda: None).send(CHUNK)


def test_a_statement_says_why_it_failed_and_not_that_its_abort_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("everwhen.limits.MUTATIONS_PER_COMMIT_MAX", 5)
    with Embedded() as db:
        db.execute("CREATE (a:A) CREATE (a)-[:TO]->(a)")
        consensus = db._parts.service._steps.consensus
        propose, abort = consensus.propose, c.encode(c.AbortChunks(c.FORMAT, 1, "rolled back"))
        aborts: list[bytes] = []

        async def deaf(command: bytes, *more: Any) -> bytes:
            if command[:2] == abort[:2]:
                aborts.append(command)
                raise NoLeader("no node leads at the moment")
            return await propose(command, *more)

        monkeypatch.setattr(consensus, "propose", deaf)
        with pytest.raises(DeleteConnectedNode):
            db.execute("MATCH (a:A) FOREACH (i IN range(1, 9) | CREATE (:B)) DELETE a")
        assert len(aborts) == 1
