"""What engines behind a door have in common, whatever the door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tests.engine import Neutral, Outcome, TestProcedure

#: statements that are messages or addresses of their own at a door
CONTROL: Final = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK)\s*(\w*)\s*$")
_SCHEMA: Final = re.compile(r"\b(INDEX|CONSTRAINT)\b", re.IGNORECASE)


class Remote:
    """Statements on their own, and a clean slate by statements."""

    can_register_procedures = False

    def __init__(self) -> None:
        self.has_schema = True

    def ask(self, text: str, parameters: Mapping[str, Neutral] | None) -> Outcome:
        """One statement through the door."""
        raise NotImplementedError

    def reset(self) -> None:
        """Everything is deleted; versions go on counting."""
        self.run("MATCH (n) DETACH DELETE n")
        if not self.has_schema:
            return
        self.has_schema = False
        for query, drop in (
            ("SHOW CONSTRAINTS YIELD name", "DROP CONSTRAINT `{}`"),
            ("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'", "DROP INDEX `{}`"),
        ):
            for name, *_ in self.run(query).rows:
                self.run(drop.format(name))

    def run(
        self, query: str, parameters: Mapping[str, Neutral] | None = None, at: int | None = None
    ) -> Outcome:
        """Now, or at the version ``at``."""
        self.has_schema |= _SCHEMA.search(query) is not None
        text = query if at is None else f"{query.rstrip().rstrip(';')}\nAT VERSION {at}"
        return self.ask(text, parameters)

    def register_procedure(self, procedure: TestProcedure) -> None:
        raise NotImplementedError("procedures cannot be added through a door")
