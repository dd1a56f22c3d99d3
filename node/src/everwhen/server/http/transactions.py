"""Explicit transactions: ``POST …/tx``, ``POST …/tx/{id}``, ``…/commit``, ``DELETE``.

A transaction is named by an unguessable token and belongs to the user who began it. One request
at a time uses it. Any failed statement ends it, as in Neo4j.
"""

from __future__ import annotations

import secrets
from typing import Any

from aiohttp import web

from everwhen.errors import EverwhenError, TransactionNotFound, TransactionStateError
from everwhen.model.moments import micros_text
from everwhen.runtime.requests import Caller
from everwhen.runtime.transaction import OpenTransaction
from everwhen.server.http import door_of
from everwhen.server.http.answers import ACCEPTED, json_response
from everwhen.server.http.body import QueryRequest, check_database, read_query
from everwhen.server.http.media import Form, answer_form
from everwhen.server.http.stream import answer


class Registry:
    """Open transactions of this door by token."""

    def __init__(self, idle_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self._open: dict[str, tuple[OpenTransaction, str]] = {}
        self._busy: set[str] = set()

    def add(self, transaction: OpenTransaction, caller: Caller) -> str:
        """Register; its token."""
        self._forget_ended()
        token = secrets.token_urlsafe(9)
        self._open[token] = (transaction, caller.principal)
        return token

    @property
    def open(self) -> int:
        """How many there are."""
        self._forget_ended()
        return len(self._open)

    def _forget_ended(self) -> None:
        for token in [t for t, (transaction, _) in self._open.items() if transaction.ended]:
            del self._open[token]

    def take(self, token: str, caller: Caller) -> OpenTransaction:
        """The transaction, reserved for one request until ``give_back``.

        :raises TransactionNotFound: unknown, ended, timed out, or somebody else's.
        :raises TransactionStateError: another request is using it.
        """
        transaction, owner = self._open.get(token, (None, ""))
        if transaction is None or transaction.ended or owner != caller.principal:
            raise TransactionNotFound(
                f"there is no open transaction {token!r}",
                hint="it was committed, rolled back, timed out, or never began",
            )
        if token in self._busy:
            raise TransactionStateError(f"another request is using transaction {token!r}")
        self._busy.add(token)
        return transaction

    def give_back(self, token: str) -> None:
        """The request is done with it."""
        self._busy.discard(token)
        transaction, _ = self._open.get(token, (None, ""))
        if transaction is None or transaction.ended:
            self._open.pop(token, None)


def _about(request: web.Request, token: str) -> dict[str, Any]:
    """The ``transaction`` part of an answer."""
    door = door_of(request)
    expires = door.node.parts.database.clock.now_micros()
    expires += int(door.transactions.idle_seconds * 1e6)
    return {"transaction": {"id": token, "expires": micros_text(expires)}}


async def begin(request: web.Request) -> web.StreamResponse:
    """Begins one, with or without a first statement."""
    check_database(request)
    door = door_of(request)
    service = door.node.parts.service
    wanted = await read_query(request, service, _json_form(request))
    caller = request["caller"]
    transaction = await service.begin(wanted.options, caller)
    token = door.transactions.add(transaction, caller)
    if wanted.statement is None:
        return json_response(_about(request, token), status=ACCEPTED, form=wanted.form)
    door.transactions.take(token, caller)
    try:
        return await _statement(request, wanted, transaction, token)
    finally:
        door.transactions.give_back(token)


async def _statement(
    request: web.Request, wanted: QueryRequest, transaction: OpenTransaction, token: str
) -> web.StreamResponse:
    service = door_of(request).node.parts.service
    try:
        execution = await service.run(transaction, wanted.statement or "", wanted.parameters)
        return await answer(request, service, wanted, execution, _about(request, token))
    except EverwhenError:
        await service.rollback(transaction)
        raise


async def run(request: web.Request) -> web.StreamResponse:
    """One statement inside; none: keeps it alive."""
    check_database(request)
    door = door_of(request)
    token = request.match_info["transaction"]
    transaction = door.transactions.take(token, request["caller"])
    try:
        wanted = await read_query(request, door.node.parts.service, _json_form(request))
        transaction.last_used = door.node.parts.database.clock.monotonic()
        if wanted.statement is None:
            return json_response(_about(request, token), status=ACCEPTED, form=wanted.form)
        return await _statement(request, wanted, transaction, token)
    finally:
        door.transactions.give_back(token)


async def commit(request: web.Request) -> web.StreamResponse:
    """Commits, after a last statement if the body has one."""
    check_database(request)
    door = door_of(request)
    service = door.node.parts.service
    token = request.match_info["transaction"]
    transaction = door.transactions.take(token, request["caller"])
    try:
        wanted = await read_query(request, service, _json_form(request))
        if wanted.statement is not None:
            execution = await service.run(transaction, wanted.statement, wanted.parameters)
            await service.exhaust(execution)
            execution.bookmark = await service.commit(transaction)
            return await answer(request, service, wanted, execution)
        content = {"bookmarks": [await service.commit(transaction)]}
        return json_response(content, status=ACCEPTED, form=wanted.form)
    finally:
        door.transactions.give_back(token)


async def rollback(request: web.Request) -> web.StreamResponse:
    """Rolls back."""
    check_database(request)
    door = door_of(request)
    token = request.match_info["transaction"]
    transaction = door.transactions.take(token, request["caller"])
    try:
        await door.node.parts.service.rollback(transaction)
    finally:
        door.transactions.give_back(token)
    return json_response({}, form=_json_form(request))


def _json_form(request: web.Request) -> Form:
    form = answer_form(request)
    return Form.PLAIN if form is Form.ARROW else form
