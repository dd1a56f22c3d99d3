"""A client with a state: statements in order, ``BEGIN``, ``COMMIT``, ``ROLLBACK`` among them.

Doors that keep a connection (Bolt) and the embedded database use it; HTTP has addresses for
transactions instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from everwhen.errors import QueryTypeError, TransactionStateError
from everwhen.model.moments import moment_micros
from everwhen.query import syntax
from everwhen.query.parser import parse
from everwhen.query.pretty import pretty
from everwhen.runtime.requests import Caller, TransactionOptions
from everwhen.runtime.service import Execution, Service
from everwhen.runtime.transaction import OpenTransaction
from everwhen.txn.transaction import Isolation

#: statements worth parsing here; anything else goes straight to the service
_CONTROL = re.compile(
    r"(?:\s|//[^\n]*\n|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)*(BEGIN|START|COMMIT|ROLLBACK)\b",
    re.IGNORECASE,
)


def control_of(text: str) -> syntax.Begin | syntax.Commit | syntax.Rollback | None:
    """The transaction statement that ``text`` is, or None.

    :raises QuerySyntaxError: it begins like one and is malformed.
    """
    if _CONTROL.match(text) is None:
        return None
    body = parse(text).body
    if isinstance(body, (syntax.Begin, syntax.Commit, syntax.Rollback)):
        return body
    return None


class Session:
    """One client's conversation; one statement at a time."""

    def __init__(
        self, service: Service, caller: Caller, options: TransactionOptions | None = None
    ) -> None:
        self._service = service
        self.caller = caller
        self.options = options or TransactionOptions()
        self.transaction: OpenTransaction | None = None

    async def run(
        self, text: str, parameters: Mapping[str, Any], options: TransactionOptions | None = None
    ) -> Execution | None:
        """One statement; None for BEGIN, COMMIT and ROLLBACK, which have no result."""
        control = control_of(text)
        if control is not None:
            await self._control(control, parameters)
            return None
        if self.transaction is not None:
            return await self._service.run(self.transaction, text, parameters)
        chosen = replace(options or self.options, auto_commit=True)
        return await self._service.auto_commit(text, parameters, chosen, self.caller)

    async def _control(
        self,
        control: syntax.Begin | syntax.Commit | syntax.Rollback,
        parameters: Mapping[str, Any],
    ) -> None:
        if isinstance(control, syntax.Begin):
            if self.transaction is not None:
                raise TransactionStateError("a transaction is open already; end it first")
            options = await self._begin_options(control, parameters)
            self.transaction = await self._service.begin(options, self.caller)
            return
        transaction, self.transaction = self.transaction, None
        if transaction is None:
            raise TransactionStateError("no transaction is open", hint="BEGIN begins one")
        if isinstance(control, syntax.Commit):
            await self._service.commit(transaction)
        else:
            await self._service.rollback(transaction)

    async def _begin_options(
        self, begin: syntax.Begin, parameters: Mapping[str, Any]
    ) -> TransactionOptions:
        """The options a ``BEGIN`` asks for; its time is evaluated as a statement of its own."""
        at = self.options.at
        if begin.time is not None:
            text = f"RETURN {pretty(begin.time.start)} AS moment"
            options = TransactionOptions(auto_commit=True)
            execution = await self._service.auto_commit(text, parameters, options, self.caller)
            try:
                [[value]] = await self._service.fetch(execution, 2)
            finally:
                await self._service.finish(execution)
            if begin.time.kind == "version":
                if type(value) is not int:
                    raise QueryTypeError("BEGIN AT VERSION needs an integer")
                at = ("version", value)
            else:
                at = ("time", moment_micros(value))
        return replace(
            self.options,
            isolation=Isolation[begin.isolation],
            read_only=begin.read_only or self.options.read_only,
            at=at,
        )

    async def close(self) -> None:
        """Rolls back what is open."""
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            await self._service.rollback(transaction)
