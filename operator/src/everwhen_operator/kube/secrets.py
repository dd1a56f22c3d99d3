"""The secrets of a cluster: made once, never changed, never logged."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import Any

from everwhen_operator import names

Object = dict[str, Any]
_BYTES = 24


def decoded(secret: Mapping[str, Any] | None) -> dict[str, str]:
    """The texts of a secret."""
    data = (secret or {}).get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def encoded(values: Mapping[str, str]) -> dict[str, str]:
    """As Kubernetes carries them."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def completed(there: Mapping[str, str], *, own_password: bool) -> dict[str, str]:
    """What is there, and what is missing made by chance."""
    found = dict(there)
    if own_password and not found.get(names.SECRET_PASSWORD):
        found[names.SECRET_PASSWORD] = secrets.token_urlsafe(_BYTES)
    if not found.get(names.SECRET_CLUSTER):
        found[names.SECRET_CLUSTER] = secrets.token_urlsafe(_BYTES)
    return found
