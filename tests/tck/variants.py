"""The same cases put in other ways, where the answer must not change.

``indexes``     every (label, property) pair the case's setup leaves behind, and every pair its
                texts name, has a range index before the queries run;
``at-version``  a query without side effects is asked again ``AT VERSION n`` of the commit it was
                first asked at, after random later writes;
``at-now``      a query without side effects, or that fails, is asked ``AT TIME datetime()``;
``in-range``    the same in a range of time that holds one moment, the present;
``batches``     plans are run over batches wherever they can be, three rows at a time;
``anywhere``    on the graph as it is, which is not cleared: the cases for which any graph will do.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from tests.engine import Engine, Neutral, NodeValue, Outcome, Session, TestProcedure
from tests.engines.inprocess import InProcess
from tests.tck import judge as judging
from tests.tck.judge import Class, Verdict, Wrong
from tests.tck.scenario import Case

Variant = Callable[[Engine, Case, int], Verdict]
_PATTERN: Final = re.compile(r"\(\w*((?::\w+)+)\s*(?:\{([^{}]*)\})?")
_KEY: Final = re.compile(r"(\w+)\s*:")


def index_pairs(engine: Engine, case: Case) -> list[tuple[str, str]]:
    """(label, property) pairs of the graph and of the texts, sorted."""
    pairs: set[tuple[str, str]] = set()
    outcome = engine.run("MATCH (n) RETURN n")
    for (node,) in outcome.rows:
        assert isinstance(node, NodeValue)
        pairs |= {(label, key) for label in node.labels for key in node.properties}
    for check in case.checks:
        for labels, body in _PATTERN.findall(check.query):
            keys = _KEY.findall(body or "")
            pairs |= {(label, key) for label in labels.split(":") if label for key in keys}
    return sorted(pairs)


def with_indexes(engine: Engine, case: Case, seed: int) -> Verdict:
    """Judge with a range index on every pair; the setup is already in when they are built."""
    return judging.judge(_Indexed(engine, case), case)


def anywhere(engine: Engine, case: Case, seed: int) -> Verdict:
    """Judge without clearing the graph; that nothing was written is not looked for, which would
    read all of it."""
    if not case.any_graph or case.setup or any(check.effects for check in case.checks):
        return _skip(case, "needs a graph of its own")
    checks = [replace(check, effects=None) for check in case.checks]
    return judging.judge(cast("Engine", _Kept(engine)), replace(case, checks=checks))


class _Kept:
    """The engine, whose graph stays."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def reset(self) -> None:
        """Nothing: the graph belongs to others."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class _Indexed:
    """The engine, creating indexes just before the first query under judgement."""

    def __init__(self, engine: Engine, case: Case) -> None:
        self.engine = engine
        self.case = case
        self.queries = {check.query for check in case.checks}
        self.done = False
        self.can_register_procedures = engine.can_register_procedures

    def reset(self) -> None:
        self.engine.reset()

    def version(self) -> int:
        return self.engine.version()

    def session(self) -> Session:
        return self.engine.session()

    def reopen(self) -> None:
        self.engine.reopen()

    def register_procedure(self, procedure: TestProcedure) -> None:
        self.engine.register_procedure(procedure)

    def close(self) -> None:
        self.engine.close()

    def run(
        self, query: str, parameters: Mapping[str, Neutral] | None = None, at: int | None = None
    ) -> Outcome:
        if query in self.queries and not self.done:
            self.done = True
            for label, key in index_pairs(self.engine, self.case):
                made = self.engine.run(f"CREATE INDEX FOR (n:`{label}`) ON (n.`{key}`)")
                if made.error is not None:
                    raise Wrong(Class.UNEXPECTED_ERROR, f"index on {label}.{key}", str(made.error))
        return self.engine.run(query, parameters, at)


def at_version(engine: Engine, case: Case, seed: int) -> Verdict:
    """Ask in the present, write at random, ask again at the commit of then."""
    first = case.checks[0]
    if first.effects not in ({}, None) or first.rows is None or len(case.checks) > 1:
        return _skip(case, "writes or fails: nothing to ask at a past version")
    if case.procedures:
        return _skip(case, "calls a test procedure, which has no past")
    padded = replace(case, setup=[*case.setup, *_PAD])
    try:
        judging.prepare(engine, padded)
        then = engine.version()
        chance = random.Random(f"{seed} {case.name}")
        for statement in later_writes(chance):
            outcome = engine.run(statement)
            if outcome.error is not None:
                raise Wrong(Class.UNEXPECTED_ERROR, statement, str(outcome.error))
        past = engine.run(first.query, case.parameters, at=then)
        if past.error is not None and past.error.detail == "WriteToPast":
            return _skip(case, "could write, which nothing may at a past time")
        judging.judge_rows(first.rows, past)
    except Wrong as wrong:
        return Verdict(
            case.name, case.feature, wrong.result, first.query, wrong.expected, wrong.got
        )
    return Verdict(case.name, case.feature, Class.PASS)


_REFUSED: Final = {
    "WriteToPast": "could write, which nothing may at a past time",
    "RangeOfTime": "a procedure or shortest path, which a range of time does not have",
}
#: An empty graph has no commit to read at: one node comes and goes.
_PAD: Final = ("CREATE (n:`_pad`)", "MATCH (n:`_pad`) DELETE n")


def at_now(engine: Engine, case: Case, seed: int) -> Verdict:
    """Ask at the present time as if it were a past one."""
    return _timed(engine, case, "AT TIME datetime()")


def in_range(engine: Engine, case: Case, seed: int) -> Verdict:
    """Ask in a range of time from now to now: every version there is one."""
    return _timed(engine, case, "BETWEEN TIME datetime() AND datetime()")


def _timed(engine: Engine, case: Case, clause: str) -> Verdict:
    if any(check.effects not in ({}, None) for check in case.checks):
        return _skip(case, "writes: nothing may at a past time")
    if case.procedures:
        return _skip(case, "calls a test procedure, which has no past")
    now = _Now(engine, {check.query for check in case.checks}, clause)
    verdict = judging.judge(cast("Engine", now), replace(case, setup=[*case.setup, *_PAD]))
    if verdict.failed and now.refused:
        return _skip(case, now.refused)
    return verdict


class _Now:
    """The engine, asking what is judged at the present time."""

    def __init__(self, engine: Engine, queries: set[str], clause: str) -> None:
        self._engine = engine
        self._queries = queries
        self._clause = clause
        #: why a statement was refused that is right without the clause
        self.refused = ""

    def run(
        self, query: str, parameters: Mapping[str, Neutral] | None = None, at: int | None = None
    ) -> Outcome:
        if query not in self._queries:
            return self._engine.run(query, parameters, at)
        timed = f"{query.rstrip().rstrip(';')}\n{self._clause}"
        outcome = self._engine.run(timed, parameters)
        if outcome.error is not None:
            self.refused = self.refused or _REFUSED.get(str(outcome.error.detail), "")
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def over_batches(engine: Engine, case: Case, seed: int) -> Verdict:
    """Judge with every plan that can be run over batches of a few rows."""
    if not isinstance(engine, InProcess):
        return _skip(case, "how plans are run is chosen in this process only")
    engine.run_plans("batches", 3)
    return judging.judge(cast("Engine", engine), case)


def later_writes(chance: random.Random) -> list[str]:
    """A few statements that disturb everything the past must not show."""
    every = [
        "MATCH (n) SET n.name = 'later', n.`_later` = 1",
        "MATCH (n) WITH n LIMIT 1 DETACH DELETE n",
        "MATCH ()-[r]->() WITH r LIMIT 2 DELETE r",
        "MATCH (n) SET n:Later:A:B",
        "MATCH (a), (b) WITH a, b LIMIT 3 CREATE (a)-[:LATER {w: 1}]->(b)",
        "CREATE (:A {name: 'later', num: 1})-[:KNOWS]->(:B {name: 'x'})",
        "MATCH (n:A) REMOVE n:A SET n.num = -1",
        "MATCH ()-[r]->() SET r.name = 'later', r.num = 0",
        "MATCH (n) DETACH DELETE n",
    ]
    return chance.sample(every, chance.randint(2, 5))


def _skip(case: Case, reason: str) -> Verdict:
    return Verdict(case.name, case.feature, Class.SKIPPED, got=reason)


VARIANTS: Final[dict[str, Variant | None]] = {
    "plain": None,
    "indexes": with_indexes,
    "at-version": at_version,
    "at-now": at_now,
    "in-range": in_range,
    "anywhere": anywhere,
    "batches": over_batches,
}
