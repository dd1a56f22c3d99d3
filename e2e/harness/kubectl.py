"""kubectl, as a person would call it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Object = dict[str, Any]
_T = TypeVar("_T")


class Failed(Exception):
    """A command that ended badly, with what it printed."""


def run(
    *command: str, environment: dict[str, str] | None = None, stdin: str = "", seconds: float = 600
) -> str:
    """What a command prints.

    :raises Failed: it ended with another code than 0.
    """
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, input=stdin, capture_output=True,
        text=True, timeout=seconds, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()[-2000:] or done.stdout[-2000:]}")
    return done.stdout


def until(found: Callable[[], _T | None], seconds: float, what: str, *, every: float = 0.25) -> _T:
    """The first answer that says something; anything a moment ago may still be on its way."""
    deadline = time.monotonic() + seconds
    last: BaseException | None = None
    while time.monotonic() < deadline:
        try:
            answer = found()
        except (Failed, KeyError, IndexError) as error:
            last, answer = error, None
        if answer:
            return answer
        threading.Event().wait(every)
    raise AssertionError(f"not within {seconds:g} s: {what}" + (f" ({last})" if last else ""))


class Kube:
    """One Kubernetes cluster."""

    def __init__(self, kubeconfig: Path, tools: Path | None = None) -> None:
        path = os.environ["PATH"]
        self.environment = {
            "KUBECONFIG": str(kubeconfig),
            "PATH": path if tools is None else f"{tools}{os.pathsep}{path}",
        }

    def __call__(self, *arguments: str, stdin: str = "", seconds: float = 120) -> str:
        """``kubectl`` with arguments."""
        return self.tool("kubectl", *arguments, stdin=stdin, seconds=seconds)

    def tool(self, name: str, *arguments: str, stdin: str = "", seconds: float = 300) -> str:
        """kubectl or helm."""
        command = (self._where(name), *arguments)
        return run(*command, environment=self.environment, stdin=stdin, seconds=seconds)

    def _where(self, name: str) -> str:
        for folder in self.environment["PATH"].split(os.pathsep):
            if (Path(folder) / name).exists():
                return str(Path(folder) / name)
        raise Failed(f"{name} is not on the path")

    def get(self, kind: str, name: str, namespace: str) -> Object | None:
        """The object, or None."""
        text = self("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        found: Object | None = json.loads(text) if text.strip() else None
        return found

    def list(self, kind: str, namespace: str, selector: str = "") -> list[Object]:
        """All of a kind, with labels."""
        more = ("-l", selector) if selector else ()
        text = self("get", kind, "-n", namespace, "-o", "json", *more)
        return list(json.loads(text)["items"])

    def apply(self, made: Object | str) -> str:
        """Server-side, as ``kubectl apply`` is used today."""
        text = made if isinstance(made, str) else json.dumps(made)
        return self("apply", "-f", "-", stdin=text)

    def delete(self, kind: str, name: str, namespace: str, *more: str) -> None:
        """Fine if it is not there."""
        self("delete", kind, name, "-n", namespace, "--ignore-not-found", *more)
