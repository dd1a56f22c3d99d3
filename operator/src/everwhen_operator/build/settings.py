"""The settings file of the pods."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any, Final

from everwhen_operator import names
from everwhen_operator.model.spec import ClusterSpec

#: what the operator says itself; a spec does not override it
_OWN: Final[Mapping[str, Mapping[str, object]]] = {
    "node": {"data_dir": names.DATA_DIR},
    "http": {"host": "0.0.0.0", "port": names.PORT_HTTP},  # noqa: S104 - in a pod
    "bolt": {"host": "0.0.0.0", "port": names.PORT_BOLT},  # noqa: S104 - in a pod
    "cluster": {
        "host": "0.0.0.0",  # noqa: S104 - in a pod
        "port": names.PORT_PEER,
        "secret_file": f"{names.SECRETS_DIR}/{names.SECRET_CLUSTER}",
    },
    "auth": {"mode": "basic", "initial_password_file": f"{names.SECRETS_DIR}/password"},
}
_HUMP: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")


def snake(name: str) -> str:
    """``statementTimeoutS`` as settings are named: ``statement_timeout_s``."""
    return _HUMP.sub(lambda found: "_" + found[1].lower(), name)


def settings_file(spec: ClusterSpec) -> str:
    """What pods read when they start, and again when it changes."""
    return settings_toml(spec.restart, spec.hot)


def file_hash(text: str) -> str:
    """As nodes tell it of the file that they took over."""
    return hashlib.sha256(text.encode()).hexdigest()


def settings_toml(*maps: Mapping[str, Any]) -> str:
    """Maps of ``spec.config`` (groups of keys) and what the operator adds, as TOML."""
    groups: dict[str, dict[str, object]] = {}
    for name, value in chain.from_iterable(each.items() for each in maps):
        for key, inner in value.items():
            groups.setdefault(snake(name), {})[snake(key)] = inner
    for group, own in _OWN.items():
        groups.setdefault(group, {}).update(own)
    lines: list[str] = []
    for group in sorted(groups):
        lines.append(f"[{group}]")
        # JSON's texts, numbers and booleans are TOML's
        lines += [f"{key} = {json.dumps(value)}" for key, value in sorted(groups[group].items())]
        lines.append("")
    return "\n".join(lines)
