"""Where the parts of an import go: one transaction, or one for each batch with a state file.

A state file makes an import resumable: before a batch is committed, the ids it was given are
written there, and the batch carries a request id. Whatever was cut short is then known after the
restart: the server tells whether it committed that request, the file tells with which ids.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from everwhen.cli.loading.problems import ImportFailed
from everwhen.cli.loading.rows import FileSpec
from everwhen.cli.loading.wire import Wire
from everwhen_client.bulk import Committed, Load


class Target(Protocol):
    """Takes the parts of a batch; the results are first ids."""

    def nodes(self, labels: Sequence[str], body: bytes) -> Future[int]: ...

    def relationships(self, type_: str, body: bytes) -> Future[int]: ...


class _Sending:
    """Parts to an open load."""

    def __init__(self, wire: Wire, load: Load) -> None:
        self._wire = wire
        self._load = load
        self.sent: list[Future[int]] = []

    def nodes(self, labels: Sequence[str], body: bytes) -> Future[int]:
        return self._note(self._wire.send(self._load.nodes(labels, body)))

    def relationships(self, type_: str, body: bytes) -> Future[int]:
        return self._note(self._wire.send(self._load.relationships(type_, body)))

    def _note(self, future: Future[int]) -> Future[int]:
        self.sent.append(future)
        return future


class _Known:
    """A batch that was committed before: nothing is sent."""

    def __init__(self, firsts: Sequence[int]) -> None:
        self._firsts = iter(firsts)

    def nodes(self, labels: Sequence[str], body: bytes) -> Future[int]:
        return self._next()

    def relationships(self, type_: str, body: bytes) -> Future[int]:
        return self._next()

    def _next(self) -> Future[int]:
        future: Future[int] = Future()
        first = next(self._firsts, None)
        if first is None:
            raise ImportFailed("the state file does not fit the files of this import")
        future.set_result(first)
        return future


class Whole:
    """Everything in one transaction."""

    def __init__(self, wire: Wire, at: str | None) -> None:
        self._wire = wire
        self._load = wire.call(wire.client.begin(commit_time=at))
        self._target = _Sending(wire, self._load)

    @contextmanager
    def batch(self) -> Iterator[Target]:
        """Parts that belong together."""
        yield self._target
        self._target.sent.clear()

    def abort(self) -> None:
        """Forget what was sent, if the server can still be told."""
        self._wire.give_up(self._load)

    def finish(self) -> Committed:
        """Publish."""
        self._wire.settle()
        return self._wire.call(self._load.commit())


class Stepwise:
    """A transaction for each batch; goes on where an earlier run of the same import ended."""

    def __init__(self, wire: Wire, path: Path, files: Sequence[FileSpec], form: str) -> None:
        self._wire = wire
        self._path = path
        self._state = _state(path, _fingerprint(files, form))
        self._number = 0
        self._last: Committed | None = None
        #: batches that were there already
        self.resumed = len(self._batches)

    @property
    def _batches(self) -> list[list[int]]:
        batches: list[list[int]] = self._state["batches"]
        return batches

    @contextmanager
    def batch(self) -> Iterator[Target]:
        """One transaction."""
        number = self._number
        self._number += 1
        if number < len(self._batches):
            yield _Known(self._batches[number])
            return
        request = (self._state["import"], number)
        load = self._wire.call(self._wire.client.begin(request_id=request))
        if load.committed is not None:
            pending = self._state["pending"]
            if pending is None:
                raise ImportFailed(f"{self._path} is older than what the server committed")
            yield _Known(pending)
            self._keep(pending)
            self.resumed += 1
            return
        target = _Sending(self._wire, load)
        try:
            yield target
            self._wire.settle()
        except BaseException:
            self._wire.give_up(load)
            raise
        firsts = [future.result() for future in target.sent]
        self._state["pending"] = firsts
        _write(self._path, self._state)
        self._last = self._wire.call(load.commit())
        self._keep(firsts)

    def abort(self) -> None:
        """Batches abort themselves; what was committed stays."""

    def _keep(self, firsts: list[int]) -> None:
        self._batches.append(firsts)
        self._state["pending"] = None
        _write(self._path, self._state)

    def finish(self) -> Committed | None:
        """The last commit of this run, None if there was nothing left to do."""
        self._state["complete"] = True
        _write(self._path, self._state)
        return self._last


def _fingerprint(files: Sequence[FileSpec], form: str) -> str:
    """What must be the same for an import to go on."""
    found = hashlib.blake2b(form.encode(), digest_size=16)
    for one in files:
        stat = one.path.stat()
        said = [str(one.path.resolve()), list(one.names), one.mapping, stat.st_size]
        found.update(json.dumps([*said, stat.st_mtime_ns], sort_keys=True).encode())
    return found.hexdigest()


def _state(path: Path, fingerprint: str) -> dict[str, Any]:
    if not path.exists():
        fresh: dict[str, Any] = {
            "import": uuid.uuid4().hex,
            "files": fingerprint,
            "batches": [],
            "pending": None,
            "complete": False,
        }
        _write(path, fresh)
        return fresh
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        same = found["files"] == fingerprint
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImportFailed(f"{path} is no state of an import: {error}") from error
    if not same:
        raise ImportFailed(
            f"{path} belongs to an import of other files, or the files have changed since",
            hint="name another file with --resume, or import again from the start",
        )
    state: dict[str, Any] = found
    return state


def _write(path: Path, state: dict[str, Any]) -> None:
    """In one step, and durable before anything relies on it."""
    draft = path.with_name(path.name + ".new")
    with draft.open("w", encoding="utf-8") as out:
        json.dump(state, out)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
