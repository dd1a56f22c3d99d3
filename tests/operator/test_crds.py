"""The CRDs agree with the node's settings and with what the operator reads and writes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import yaml

from everwhen_operator import names
from everwhen_operator.build.settings import snake
from everwhen_operator.model.spec import parse_spec
from tests.operator.settings_schema import BEGIN, END, block, camel

CRD: Final = Path(__file__).resolve().parents[2] / "crds" / "graphcluster.yaml"


def schema() -> dict[str, Any]:
    found = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    version = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert isinstance(version, dict)
    return version


def test_settings_are_those_of_the_node(golden_rewrite: bool) -> None:
    text = CRD.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    wanted = head + BEGIN + block() + END + tail
    if golden_rewrite:
        CRD.write_text(wanted, encoding="utf-8")
    assert CRD.read_text(encoding="utf-8") == wanted


def test_names_of_settings_go_there_and_back() -> None:
    for name in ("body_bytes_max", "lock_s", "name"):
        assert snake(camel(name)) == name


def test_names_are_those_the_operator_uses() -> None:
    found = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    assert found["metadata"]["name"] == f"{names.PLURAL}.{names.GROUP}"
    assert found["spec"]["names"]["kind"] == names.KIND
    assert found["spec"]["versions"][0]["name"] == names.VERSION


def test_every_field_is_explained() -> None:
    """Parts of a pod are explained by Kubernetes."""
    bare = [path for path, field in _fields(schema()["properties"]["spec"], "spec") if not field]
    assert bare == []


def _fields(field: dict[str, Any], path: str) -> list[tuple[str, str]]:
    found = []
    for name, inner in field.get("properties", {}).items():
        here = f"{path}.{name}"
        leaf = "properties" not in inner
        if (
            leaf
            and not here.startswith("spec.resources.")
            and here != "spec.auth.adminSecretRef.name"
        ):
            found.append((here, inner.get("description", "")))
        found += _fields(inner, here)
    return found


def test_defaults_are_those_the_operator_assumes() -> None:
    """An object that came past the schema means the same."""
    filled = {"version": "1", **_defaults(schema()["properties"]["spec"])}
    bare, read = ({**asdict(parse_spec(spec))} for spec in ({"version": "1"}, filled))
    # parts that are handed on as they are
    for part in ("scheduling", "network", "monitoring"):
        assert bare.pop(part) == {}
        assert read.pop(part) == filled[part]
    assert read == bare


def _defaults(field: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, inner in field.get("properties", {}).items():
        if "default" in inner:
            made[name] = inner["default"]
            if inner["type"] == "object":
                made[name] = {**inner["default"], **_defaults(inner)}
    return made


def test_the_sample_is_valid() -> None:
    sample = CRD.parents[1] / "samples" / "graphcluster.yaml"
    parse_spec(yaml.safe_load(sample.read_text(encoding="utf-8"))["spec"])
