"""Several sessions in one script.

``setup``    statements in auto-commit, parted by lines that end in ``;``
``history``  lines ``name: statement``; each runs in the session of that name, in the order
             written. Every line answers with one line: ``name: ok``, ``name: v, v | v, v`` for
             rows, or ``name: ERROR TYPE`` (``CONFLICT`` for a retryable error). A statement that
             does not end within a moment is answered ``name: waits`` and its real answer follows
             the line that let it go on: ``name: … (after waiting)``. Arguments of the command
             replace words: ``history level=SERIALIZABLE`` puts it for ``$LEVEL``.
``check``    one read query in auto-commit

Names of variables ``$LEVEL`` in the input stand for the isolation level under test.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Final

from tests.engine import Engine, Outcome, Session, text
from tests.golden.query.language import statements
from tests.golden.runner import Block

#: a statement that has not answered after this many seconds waits for another session
MOMENT: Final = 0.5
#: no wait may last longer: the script would hang
LONGEST: Final = 30.0


class Actor:
    """One session in a thread of its own, one statement at a time."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.work: queue.Queue[str | None] = queue.Queue()
        self.answers: queue.Queue[Outcome] = queue.Queue()
        self.waiting = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while (statement := self.work.get()) is not None:
            self.answers.put(self.session.run(statement))

    def ask(self, statement: str) -> Outcome | None:
        """The answer, or None while it waits."""
        self.work.put(statement)
        return self.answer(MOMENT)

    def answer(self, seconds: float) -> Outcome | None:
        try:
            outcome = self.answers.get(timeout=seconds)
        except queue.Empty:
            self.waiting = True
            return None
        self.waiting = False
        return outcome

    def close(self) -> None:
        self.work.put(None)
        self.thread.join(LONGEST)
        self.session.close()


class Script:
    """One script's sessions over one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def run(self, block: Block) -> str:
        match block.command:
            case "setup":
                return "\n".join(self._setup(block))
            case "history":
                source = block.input.replace("$LEVEL", block.arguments.get("level", "SNAPSHOT"))
                return "\n".join(self._history(source))
            case "check":
                return describe(self.engine.run(block.input))
        raise ValueError(f"unknown command {block.command!r}")

    def _setup(self, block: Block) -> Iterator[str]:
        self.engine.reset()
        for statement in statements(block.input):
            outcome = self.engine.run(statement)
            if outcome.error is not None:
                yield describe(outcome)

    def _history(self, source: str) -> Iterator[str]:
        actors: dict[str, Actor] = {}
        try:
            for line in source.splitlines():
                name, statement = line.split(": ", 1)
                if name not in actors:
                    actors[name] = Actor(self.engine.session())
                yield from self._line(actors, name, statement)
            for name, actor in actors.items():
                if actor.waiting:
                    outcome = actor.answer(LONGEST)
                    yield f"{name}: " + (
                        "hangs" if outcome is None else f"{describe(outcome)} (late)"
                    )
        finally:
            for actor in actors.values():
                actor.close()

    def _line(self, actors: dict[str, Actor], name: str, statement: str) -> Iterator[str]:
        actor = actors[name]
        if actor.waiting:
            late = actor.answer(LONGEST)
            yield f"{name}: " + ("hangs" if late is None else f"{describe(late)} (after waiting)")
        outcome = actor.ask(statement)
        yield f"{name}: " + ("waits" if outcome is None else describe(outcome))
        for other, sleeper in actors.items():
            if sleeper.waiting and other != name:
                woken = sleeper.answer(MOMENT)
                if woken is not None:
                    yield f"{other}: {describe(woken)} (after waiting)"


def describe(outcome: Outcome) -> str:
    """One line for one answer."""
    if outcome.error is not None:
        retryable = outcome.error.code.startswith("Neo.TransientError.")
        return "CONFLICT" if retryable else f"ERROR {outcome.error.type}"
    if not outcome.columns:
        return "ok"
    rows = [", ".join(text(v) for v in row) for row in outcome.rows]
    return " | ".join(rows) if rows else "no rows"
