"""From text to something that runs: parsed, planned, built, cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from everwhen.errors import CredentialsExpired, EverwhenError, ParameterMissing
from everwhen.exec.context import ExecutionContext, Row, Runner
from everwhen.query import syntax
from everwhen.query.explain import describe
from everwhen.query.physical import Plan
from everwhen.runtime.cursor import Cursor, Summary
from everwhen.runtime.environment import TakesLong

if TYPE_CHECKING:
    from everwhen.runtime.transaction import OpenTransaction

#: Called once per statement when it ends: (text, nanoseconds, rows, error or None).
Observer = Callable[["OpenTransaction", ExecutionContext, int, EverwhenError | None], None]


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """A plan with its built operators. ``lifted``: literals taken out of the text."""

    plan: Plan
    run: Runner
    observe: Observer
    lifted: Mapping[str, Any] = field(default_factory=dict)

    def all_parameters(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the client gave, and the text's own literals.

        :raises ParameterMissing: one that the text names is not there, needed or not.
        """
        whole = {**given, **self.lifted} if self.lifted else given
        missing = self.plan.parameters.difference(whole)
        if missing:
            names = ", ".join(f"${name}" for name in sorted(missing))
            word = "parameter" if len(missing) == 1 else "parameters"
            raise ParameterMissing(
                f"the statement needs the {word} {names}", detail="MissingParameter"
            )
        return whole

    def explained(self) -> Cursor:
        """The result of EXPLAIN: the plan, no rows."""
        plan = self.plan
        summary = Summary(plan.kind, notifications=plan.notifications, plan=describe(plan))
        summary.kind = "r"
        return Cursor(plan.columns, iter(()), summary)

    def observed(
        self,
        rows: Iterator[Row],
        ctx: ExecutionContext,
        summary: Summary,
        transaction: OpenTransaction,
    ) -> Iterator[Row]:
        """Passes rows on; at the end or on an error tells the observer and, for PROFILE, fills
        in the plan. An error fails the transaction."""
        count = 0
        error: EverwhenError | None = None
        watched = True
        try:
            for row in rows:
                count += 1
                yield row
            transaction.kept.check()
        except RecursionError:
            error = EverwhenError("the statement nests too deep")
            transaction.failed = error
            raise error from None
        except TakesLong:
            watched = False  # it is run again, in a thread
            raise
        except EverwhenError as failure:
            error = transaction.failed = transaction.kept.cause(failure)
            raise error from failure.__cause__
        finally:
            if ctx.profile is not None:
                summary.plan = describe(self.plan, ctx.profile.operators)
            if watched:
                self.observe(transaction, ctx, count, error)


@dataclass(frozen=True, slots=True)
class PreparedSchema:
    """A schema command, or BEGIN, COMMIT, ROLLBACK: run by the runtime itself."""

    body: syntax.Body
    #: as it may be shown: without passwords
    text: str


def check_password_kept(prepared: PreparedQuery | PreparedSchema) -> None:
    """For a caller who must change the password first.

    :raises CredentialsExpired: it is any other statement.
    """
    if not isinstance(prepared, PreparedSchema) or not isinstance(
        prepared.body, syntax.AlterCurrentUser
    ):
        raise CredentialsExpired(
            "The credentials you provided were valid, but must be changed before you can use "
            "this instance.",
            hint="ALTER CURRENT USER SET PASSWORD FROM '…' TO '…'",
        )
