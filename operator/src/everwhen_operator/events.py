"""Events of Kubernetes: what was begun and how it ended, on the object it is about."""

from __future__ import annotations

import logging
from typing import Any, Final
from uuid import uuid4

from everwhen_operator import names
from everwhen_operator.build.objects import Object
from everwhen_operator.kube.api import Api, ApiFailed
from everwhen_operator.logs import log
from everwhen_operator.model import actions as a
from everwhen_operator.status import text_of

#: too frequent and too harmless to be told of
QUIET: Final = (a.LabelPod, a.LabelClaim, a.ForgetTask)


class Events:
    """Told once: the same again and again is not news."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._last: dict[str, tuple[str, str]] = {}

    async def began(self, about: Object, action: a.Action, now: float) -> None:
        """An action begins; what is only written to a task is told when it is done."""
        if not isinstance(action, (*QUIET, a.ApplyObjects, a.TaskAction)):
            await self.tell(about, type(action).__name__, action.why, now)

    async def ended(self, about: Object, action: a.Action, now: float, failure: str = "") -> None:
        """An action ended; ``failure`` says how, if badly."""
        if failure:
            reason = f"{type(action).__name__}Failed"
            await self.tell(about, reason, failure, now, kind="Warning")
        elif isinstance(action, a.FinishTask):
            kind = "Normal" if action.succeeded else "Warning"
            reason = "TaskSucceeded" if action.succeeded else f"Task{action.reason}"
            await self.tell(about, reason, action.why, now, kind=kind)
        elif not isinstance(action, QUIET):
            await self.tell(about, f"{type(action).__name__}Done", action.why, now)

    async def tell(
        self, about: Object, reason: str, message: str, now: float, *, kind: str = "Normal"
    ) -> None:
        """Anything."""
        metadata: dict[str, Any] = about["metadata"]
        if self._last.get(metadata["uid"]) == (reason, message):
            return
        self._last[metadata["uid"]] = (reason, message)
        made: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name']}.{uuid4().hex[:16]}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": about.get("apiVersion", names.API_VERSION),
                "kind": about.get("kind", names.KIND),
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "reason": reason,
            "message": message[:1_000],
            "type": kind,
            "source": {"component": names.REPORTER},
            "firstTimestamp": text_of(now),
            "lastTimestamp": text_of(now),
            "count": 1,
        }
        try:
            await self._api.create(made)
        except ApiFailed as failed:
            log("events", "not_told", level=logging.WARNING, reason=str(failed))

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._last.pop(uid, None)
