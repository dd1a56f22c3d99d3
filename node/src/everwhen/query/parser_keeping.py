"""Commands about keeping and forgetting: retention, restore points, ERASE.

``ERASE`` ends a statement like ``DELETE`` does, but what stands before it only reads. Its words are
no keywords of their own anywhere else.
"""

from __future__ import annotations

from typing import Final, Literal

from everwhen.query.lexer import END, NAME_START, PARAM
from everwhen.query.parser_flashback import FlashbackParser
from everwhen.query.syntax import (
    AlterRetention,
    Body,
    CreateRestorePoint,
    DropRestorePoint,
    Erase,
    Expression,
    Parameter,
)

_OPENERS: Final = frozenset("([{")
_CLOSERS: Final = frozenset(")]}")
_ENDS: Final = frozenset((END, ";"))


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

    def erase_ahead(self) -> int | None:
        """Where the ERASE of this statement stands, if it ends with one.

        :raises QuerySyntaxError: it comes after a RETURN.
        """
        depth, returned = 0, False
        for at in range(self.i, len(self.kinds)):
            kind = self.kinds[at]
            if kind in _ENDS:
                return None
            if kind in _OPENERS:
                depth += 1
            elif kind in _CLOSERS:
                depth -= 1
            elif depth or at == self.i:
                continue
            elif kind == "RETURN" and self.kinds[at - 1] not in (".", ":"):
                returned = True
            elif kind == "ERASE" and self._names_only(at + 1):
                if returned:
                    raise self.fail_at(
                        at,
                        "ERASE ends the statement, in place of RETURN",
                        hint="MATCH … ERASE n",
                        detail="InvalidClauseComposition",
                    )
                return at
        return None

    def _names_only(self, at: int) -> bool:
        """Whether nothing but names, and commas between them, follow up to the end."""
        kinds = self.kinds
        while kinds[at][0] in NAME_START:
            at += 1
            if kinds[at] == "FORCE" and kinds[at + 1] in _ENDS:
                return True
            if kinds[at] in _ENDS:
                return True
            if kinds[at] != ",":
                return False
            at += 1
        return False

    def erase(self, place: int) -> Erase:
        """The statement, whose ERASE stands at a token."""
        at = self.starts[self.i]
        reading = self.text[at : self.starts[place]].rstrip()
        self.i = place + 1
        variables = [self.name("a variable")]
        while self.take(","):
            variables.append(self.name("a variable"))
        return Erase(reading, tuple(variables), self.take("FORCE"), at=at)
