"""What a session hears of a large transaction whose entries get lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from everwhen.errors import DeleteConnectedNode, EverwhenError, Fault, NoLeader, OutcomeUnknown
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


@pytest.mark.parametrize("error", [OutcomeUnknown("stopped"), NoLeader("none")])
def test_an_abort_that_nobody_hears_of_is_an_abort(error: EverwhenError) -> None:
    Large(BEGIN, answering(AbortChunks=error), lambda: None).abort()


def test_a_fault_is_told() -> None:
    with pytest.raises(Fault):
        Large(BEGIN, answering(AbortChunks=Fault("broken")), lambda: None).abort()


def test_a_statement_says_why_it_failed_and_not_that_its_abort_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("everwhen.limits.MUTATIONS_PER_COMMIT_MAX", 5)
    with Embedded() as db:
        db.execute("CREATE (a:A) CREATE (a)-[:TO]->(a)")
        backend = db._parts.database.backend
        propose = backend.propose

        def deaf(command: c.Command) -> c.Reply:
            if isinstance(command, c.AbortChunks):
                raise NoLeader("no node leads at the moment")
            return propose(command)

        monkeypatch.setattr(backend, "propose", deaf)
        with pytest.raises(DeleteConnectedNode):
            db.execute("MATCH (a:A) FOREACH (i IN range(1, 9) | CREATE (:B)) DELETE a")
