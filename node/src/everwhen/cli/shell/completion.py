"""Completion: words of the language, names of the schema, colon commands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from everwhen_client import Client, EverwhenError

_KEYWORDS: Final = """
ALL AND ANY AS ASC AT BEGIN BY CALL CASE COMMIT CONSTRAINT CONTAINS COUNT CREATE DELETE DESC DETACH
DISTINCT DROP ELSE END ENDS EXISTS EXPLAIN FOR FOREACH FROM IF IN INDEX INDEXES CONSTRAINTS IS
LIMIT LOAD CSV HEADERS MATCH MERGE NONE NOT NULL ON OPTIONAL OR ORDER PROFILE REMOVE REQUIRE RETURN
ROLLBACK SET SHOW SINGLE SKIP STARTS THEN TIME TRANSACTIONS UNION UNIQUE UNWIND VERSION WHEN WHERE
WITH XOR YIELD true false
""".split()
_WORD: Final = re.compile(r"[:$]?[\w.]*$")
#: names of each kind that are asked for
_NAMES_MAX: Final = 2_000


class Names:
    """What the schema holds, asked for when first needed and after changes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, list[str]] | None = None

    def forget(self) -> None:
        """Ask again next time."""
        self._known = None

    def of(self, kind: str) -> list[str]:
        """Labels, types, keys, functions or procedures."""
        if self._known is None:
            self._known = {
                "label": self._ask("CALL db.labels() YIELD label RETURN label"),
                "type": self._ask("CALL db.relationshipTypes()"),
                "key": self._ask("CALL db.propertyKeys()"),
                "function": self._ask("SHOW FUNCTIONS YIELD name"),
                "procedure": self._ask("SHOW PROCEDURES YIELD name"),
            }
        return self._known[kind]

    def _ask(self, statement: str) -> list[str]:
        try:
            found = self._client.run(statement, access="read", timeout=2.0).values()
        except EverwhenError:
            return []  # completion is a help; a server that cannot answer is told of elsewhere
        return sorted(map(str, found[:_NAMES_MAX]))


class ShellCompleter(Completer):
    """By what stands before the word: after ``:`` a label or type, else anything."""

    def __init__(self, names: Names, commands: Iterable[str]) -> None:
        self._names = names
        self._commands = list(commands)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        before = document.text_before_cursor
        match = _WORD.search(before)
        word = match.group() if match else ""
        stripped = before.lstrip()
        if stripped.startswith(":") and stripped == word:
            yield from self._matching(word[1:], self._commands, "command")
        elif word.startswith(":"):
            inside = before.rfind("[") > max(before.rfind("("), before.rfind("]"))
            kind = "type" if inside else "label"
            yield from self._matching(word[1:], self._names.of(kind), kind)
        elif word:
            last = word.rpartition(".")[2] if not word.startswith("$") else word
            if "." in word:
                yield from self._matching(last, self._names.of("key"), "property")
                yield from self._matching(word, self._names.of("procedure"), "procedure")
            else:
                yield from self._matching(word, _KEYWORDS, "")
                yield from self._matching(word, self._names.of("function"), "function")

    def _matching(self, word: str, names: Iterable[str], kind: str) -> Iterable[Completion]:
        wanted = word.lower()
        for name in names:
            if name.lower().startswith(wanted) and name != word:
                yield Completion(name, start_position=-len(word), display_meta=kind)
