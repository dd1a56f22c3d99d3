"""Commands about keeping and forgetting: retention, restore points, ERASE.

``ERASE`` ends a statement like ``DELETE`` does, but what stands before it only reads. Its words are
no keywords of their own anywhere else.
"""

from __future__ import annotations

from typing import Literal

from everwhen.query.lexer import END, PARAM
from everwhen.query.parser_flashback import FlashbackParser
from everwhen.query.syntax import (
    AlterRetention,
    Body,
    CreateRestorePoint,
    DropRestorePoint,
    Erase,
    Expression,
    Finish,
    Parameter,
    Query,
    Return,
    TimeSpec,
)


class KeepingParser(FlashbackParser):
    """Adds them."""

    def keeping_ahead(self) -> bool:
        """Whether one of the commands follows."""
        if self.ahead("ALTER", "DATABASE"):
            return True
        return self.ahead("CREATE", "RESTORE", "POINT") or self.ahead("DROP", "RESTORE", "POINT")

    def keeping_command(self) -> Body:
        at = self.starts[self.i]
        if self.take("ALTER"):
            return self._alter_retention(at)
        create = self.take("CREATE")
        if not create:
            self.expect("DROP")
        return self._restore_point(create=create, at=at)

    def _restore_point(self, *, create: bool, at: int) -> Body:
        self.expect("RESTORE")
        self.expect("POINT")
        name = self._point_name()
        if create:
            if_not_exists = self._if_not_exists()
            return CreateRestorePoint(name, if_not_exists, self.time_spec(), at=at)
        return DropRestorePoint(name, self._if_exists(), at=at)

    def _point_name(self) -> str | Parameter:
        if self.kinds[self.i] == PARAM:
            return self.parameter()
        return self.name("the name of a restore point")

    def _alter_retention(self, at: int) -> AlterRetention:
        self.expect("DATABASE")
        database = self.name("the name of the database")
        keep: Expression | Literal["FOREVER"] | None = None
        if self.take("SET"):
            self.expect("RETENTION", "RETENTION after SET")
            keep = self._keep()
        else:
            self.expect("REMOVE", "SET RETENTION or REMOVE RETENTION")
            self.expect("RETENTION", "RETENTION after REMOVE")
        if not self.take("FOR"):
            return AlterRetention(database, keep, at=at)
        entity, _, labels = self._target(many=False)
        if not labels:
            raise self.fail_at(self.i, "The rule needs a label or relationship type")
        return AlterRetention(database, keep, entity, labels[0], at=at)

    def _keep(self) -> Expression | Literal["FOREVER"]:
        if self.take("KEEP"):
            self.expect("FOREVER", "FOREVER after KEEP")
            return "FOREVER"
        return self.expression()

    # --- ERASE ---

    def erase(self, query: Query, time: TimeSpec | None) -> Erase:
        """The end of a statement that begins with ``query`` and reads at ``time``."""
        last = query.parts[-1].clauses[-1]
        if isinstance(last, Return | Finish) or len(query.parts) > 1:
            raise self.fail_at(
                self.i,
                "ERASE ends the statement, in place of RETURN",
                hint="MATCH … ERASE n",
                detail="InvalidClauseComposition",
            )
        place = self.starts[self.i]
        read_to = place if time is None else time.at
        reading, moment = self.text[query.at : read_to].rstrip(), self.text[read_to:place].strip()
        self.expect("ERASE")
        variables = {self.name("a variable"): None}
        while self.take(","):
            variables[self.name("a variable")] = None
        force = self.take("FORCE")
        if self.kinds[self.i] not in (END, ";"):
            raise self.fail("',', FORCE or the end of the statement")
        return Erase(reading, moment, tuple(variables), force, at=query.at)
