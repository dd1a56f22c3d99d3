"""``spec.config.hot`` and ``.restart`` of the CRD: the settings of a node that a GraphCluster may choose, typed,
bounded and explained as ``everwhen config`` does. Generated, so that no setting is forgotten."""

from __future__ import annotations

import json
import types
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from everwhen import settings

BEGIN: Final = "                    # settings of a node: written by make golden-rewrite\n"
END: Final = "                    # end of the settings\n"
#: what the operator says itself, or what pods do not have
_NOT: Final = frozenset(
    {
        "node.data_dir", "node.name", "http.host", "http.port", "http.advertised", "bolt.host",
        "bolt.port", "bolt.advertised", "bolt.external", "auth.mode", "auth.none_anywhere", "auth.user",
        "auth.initial_password", "auth.initial_password_file", "imports.dir",
    }
)  # fmt: skip
_GROUPS_NOT: Final = frozenset({"cluster", "tls"})


def block(*, hot: bool) -> str:
    """The lines between the markers: settings that running nodes take over, or the others."""
    lines = ["                    properties:"]
    group = ""
    for name, item in settings._known().items():
        of, key = name.split(".")
        if name in _NOT or of in _GROUPS_NOT or item.metadata["hot"] != hot:
            continue
        if of != group:
            group = of
            lines += [
                f"                      {camel(of)}:",
                "                        type: object",
                "                        properties:",
            ]
        kind = get_type_hints(settings._GROUPS[of])[key]
        made = _schema(kind, item.metadata, item.default)
        lines.append(f"                          {camel(key)}: {_flow(made)}")
    return "\n".join(lines) + "\n"


def camel(name: str) -> str:
    """``body_bytes_max`` as ``bodyBytesMax``."""
    head, *rest = name.split("_")
    return head + "".join(each.capitalize() for each in rest)


def _schema(kind: Any, metadata: Any, default: Any) -> dict[str, Any]:
    if isinstance(kind, types.UnionType):
        kind = next(each for each in get_args(kind) if each is not type(None))
    text = metadata["text"]
    if default is not None and default != "":
        text += f" Default {default}."
    if get_origin(kind) is Literal:
        return {"type": "string", "enum": list(get_args(kind)), "description": text}
    types_of = {bool: "boolean", int: "integer", float: "number"}
    found: dict[str, Any] = {"type": types_of.get(kind, "string")}
    if kind is int:
        found["format"] = "int64"
    if kind in (int, float):
        found |= {"minimum": metadata["low"], "maximum": metadata["high"]}
    if found["type"] == "string":
        found["maxLength"] = 1_000
    return {k: v for k, v in found.items() if v is not None} | {"description": text}


def _flow(made: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in made.items()) + "}"
