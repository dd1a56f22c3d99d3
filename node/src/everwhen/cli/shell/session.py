"""One conversation: statements, the transaction that may be open, colon commands."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable
from typing import Any, Final, Literal

from everwhen.cli.shell.render import Screen, json_of, text_of
from everwhen.cli.shell.statements import is_blank, split
from everwhen_client import (
    At,
    Client,
    ConnectionFailed,
    EverwhenError,
    OutcomeUnknown,
    Result,
    Temporal,
    Transaction,
)

_CONTROL: Final = re.compile(
    r"\s*(BEGIN|COMMIT|ROLLBACK)(?:\s+TRANSACTION)?(?:\s+(SNAPSHOT|SERIALIZABLE|PESSIMISTIC))?"
    r"(\s+READ\s+ONLY)?(?:\s+(?:AS\s+OF|AT\s+(TIME|TIMESTAMP|VERSION))\s+(.+?))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_ISOLATIONS: Final[dict[str, Literal["snapshot", "serializable", "pessimistic"]]] = {
    "snapshot": "snapshot",
    "serializable": "serializable",
    "pessimistic": "pessimistic",
}
_PARAMETER: Final = re.compile(r"`?([^\s`=:]+)`?\s*(?:=>|=|:)?\s*(.+)", re.DOTALL)

HELP: Final = """\
Statements end with ;  and may take several lines.
  :begin [serializable|pessimistic]   begin a transaction        :commit   :rollback
  :at TIME    read everything as it was then, until  :at now
  :param NAME => EXPRESSION           set $NAME;  :params  lists them
  :schema     labels, types, indexes and constraints
  :status     the server's state
  :help       this text               :quit  or Ctrl-D  leaves"""


class Session:
    """What the shell knows between two statements."""

    def __init__(self, client: Client, screen: Screen, at: str | None) -> None:
        self.client = client
        self.screen = screen
        self.at = at
        self.parameters: dict[str, Any] = {}
        self.finished = False
        #: the last failure was that of the network
        self.unreachable = False
        self._transaction: Transaction | None = None
        self._commands: dict[str, Callable[[str], None]] = {
            "begin": self._begin,
            "commit": self._commit,
            "rollback": self._rollback,
            "at": self._at,
            "param": self._param,
            "params": self._params,
            "schema": self._schema,
            "status": self._status,
            "help": lambda _: self.screen.write(HELP),
            "quit": self._quit,
            "exit": self._quit,
        }

    @property
    def commands(self) -> list[str]:
        """Names of the colon commands."""
        return sorted(self._commands)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._transaction is not None

    # --- input ---

    def feed(self, text: str) -> bool:
        """Run what was typed; false if something failed, and the rest was left out."""
        if text.lstrip().startswith(":"):
            return self._command(text.strip()[1:])
        statements, rest = split(text)
        if not is_blank(rest):
            statements.append(rest)
        return all(self.statement(statement) for statement in statements)

    def statement(self, text: str) -> bool:
        """One statement; false if it failed."""
        control = _CONTROL.fullmatch(text)
        if control is not None:
            return self._guarded(lambda: self._control(control))
        started = time.monotonic()
        try:
            result = self._run(text)
        except EverwhenError as error:
            self._failed(error)
            return False
        self.screen.result(result, time.monotonic() - started)
        return True

    def _run(self, text: str) -> Result:
        if self._transaction is not None:
            return self._transaction.run(text, self.parameters)
        return self.client.run(text, self.parameters, at=self.at)

    def _command(self, text: str) -> bool:
        name, _, argument = text.partition(" ")
        command = self._commands.get(name.lower())
        if command is None:
            self.screen.complaint(f"there is no command :{name}; :help lists them")
            return False
        return self._guarded(lambda: command(argument.strip().rstrip(";").strip()))

    def _guarded(self, call: Callable[[], None]) -> bool:
        """Do it; false if it failed, which is said."""
        try:
            call()
        except EverwhenError as error:
            self._failed(error)
            return False
        except _Refused as refused:
            self.screen.complaint(str(refused))
            return False
        return True

    # --- transactions ---

    def _control(self, said: re.Match[str]) -> None:
        """BEGIN, COMMIT and ROLLBACK as statements."""
        word, isolation, read_only, kind, moment = said.groups()
        if word.upper() == "BEGIN":
            self._begin(isolation or "", self._moment(kind, moment), read_only=bool(read_only))
        elif isolation or read_only or moment:
            raise _Refused(f"{word.upper()} stands alone")
        else:
            self._commands[word.lower()]("")

    def _moment(self, kind: str | None, text: str | None) -> At:
        """The time or version that BEGIN asks for."""
        if text is None:
            return self.at
        value = self.client.run(f"RETURN {text} AS at", self.parameters, access="read").value("at")
        if (kind or "").upper() == "VERSION":
            if type(value) is not int:
                raise _Refused("BEGIN AT VERSION needs an integer")
            return value
        if type(value) is int:  # a moment too: milliseconds since 1970
            return dt.datetime.fromtimestamp(value / 1_000, dt.UTC)
        if not isinstance(value, (str, dt.date, Temporal)):
            raise _Refused("BEGIN AT TIME needs a datetime, a date, a text or milliseconds")
        return value

    def _begin(self, argument: str, at: At = None, *, read_only: bool = False) -> None:
        if self._transaction is not None:
            raise _Refused("a transaction is open already; :commit or :rollback it first")
        isolation = argument.lower() or "snapshot"
        if isolation not in _ISOLATIONS:
            raise _Refused(f"{argument!r} is no isolation: serializable or pessimistic")
        self._transaction = self.client.begin(
            at=self.at if at is None else at,
            isolation=_ISOLATIONS[isolation],
            access="read" if read_only else "write",
        )
        self.screen.say("a transaction is open")

    def _opened(self) -> Transaction:
        if self._transaction is None:
            raise _Refused("no transaction is open; :begin begins one")
        return self._transaction

    def _commit(self, argument: str) -> None:
        transaction = self._opened()
        self._transaction = None
        transaction.commit()
        self.screen.say("committed")

    def _rollback(self, argument: str) -> None:
        transaction = self._opened()
        self._transaction = None
        transaction.rollback()
        self.screen.say("rolled back")

    def _failed(self, error: EverwhenError) -> None:
        self.unreachable = isinstance(error, (ConnectionFailed, OutcomeUnknown))
        self.screen.error(error)
        if self._transaction is not None and not self._transaction.open:
            self._transaction = None
            self.screen.complaint("the transaction was rolled back")

    def close(self) -> None:
        """Roll back what is open."""
        if self._transaction is not None:
            self._command("rollback")

    # --- the rest ---

    def _at(self, argument: str) -> None:
        if self._transaction is not None:
            raise _Refused("a transaction reads one moment; end it first")
        self.at = None if argument.lower() in ("", "now") else argument
        self.screen.say(f"reading {'the present' if self.at is None else 'as of ' + self.at}")

    def _param(self, argument: str) -> None:
        match = _PARAMETER.fullmatch(argument)
        if match is None:
            raise _Refused("write it as  :param name => expression")
        result = self.client.run(f"RETURN {match[2]} AS value", self.parameters, access="read")
        self.parameters[match[1]] = result.value("value")

    def _params(self, argument: str) -> None:
        for name, value in sorted(self.parameters.items()):
            self.screen.write(f"{name} => {text_of(value, inside=True)}")

    def _schema(self, argument: str) -> None:
        for statement in (
            "CALL db.labels() YIELD label RETURN label ORDER BY label",
            "CALL db.relationshipTypes() YIELD relationshipType AS type RETURN type ORDER BY type",
            "SHOW INDEXES YIELD name, type, labelsOrTypes, properties, state",
            "SHOW CONSTRAINTS YIELD name, type, labelsOrTypes, properties",
        ):
            started = time.monotonic()
            result = self.client.run(statement, access="read")
            self.screen.result(result, time.monotonic() - started)

    def _status(self, argument: str) -> None:
        for name, value in self.client.admin.status().items():
            self.screen.write(f"{name}: {text_of(json_of(value), inside=True)}")

    def _quit(self, argument: str) -> None:
        self.finished = True


class _Refused(Exception):
    """A command that makes no sense now."""
