"""The CRDs agree with the node's settings and with what the operator reads and writes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from e2e import test_bad_input, test_bad_tasks
from everwhen_operator import names, task_status
from everwhen_operator.build.settings import snake
from everwhen_operator.model import actions as a
from everwhen_operator.model import tasks as t
from everwhen_operator.model.quantities import seconds
from everwhen_operator.model.spec import SpecInvalid, parse_spec
from everwhen_operator.model.tasks import parse_task
from tests.operator.settings_schema import BEGIN, END, block, camel

ROOT: Final = Path(__file__).resolve().parents[2]
CRD: Final = ROOT / "crds" / "graphcluster.yaml"
TASKS: Final = ROOT / "crds" / "graphtask.yaml"
SAMPLES: Final = sorted((ROOT / "samples" / "tasks").glob("*.yaml"))


def schema(crd: Path = CRD) -> dict[str, Any]:
    found = yaml.safe_load(crd.read_text(encoding="utf-8"))
    version = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert isinstance(version, dict)
    return version


def test_settings_are_those_of_the_node(golden_rewrite: bool) -> None:
    text = CRD.read_text(encoding="utf-8")
    head, hot, restart = text.split(BEGIN)
    between, tail = hot.split(END)[1], restart.split(END)[1]
    wanted = BEGIN.join((head, block(hot=True) + END + between, block(hot=False) + END + tail))
    if golden_rewrite:
        CRD.write_text(wanted, encoding="utf-8")
    assert CRD.read_text(encoding="utf-8") == wanted


def test_names_of_settings_go_there_and_back() -> None:
    for name in ("body_bytes_max", "lock_s", "name"):
        assert snake(camel(name)) == name


@pytest.mark.parametrize(
    ("crd", "kind", "plural"),
    [(CRD, names.KIND, names.PLURAL), (TASKS, names.TASK_KIND, names.TASK_PLURAL)],
)
def test_names_are_those_the_operator_uses(crd: Path, kind: str, plural: str) -> None:
    found = yaml.safe_load(crd.read_text(encoding="utf-8"))
    assert found["metadata"]["name"] == f"{plural}.{names.GROUP}"
    assert found["spec"]["names"]["kind"] == kind
    assert found["spec"]["versions"][0]["name"] == names.VERSION


@pytest.mark.parametrize("crd", [CRD, TASKS])
def test_every_field_is_explained(crd: Path) -> None:
    """Parts of a pod are explained by Kubernetes."""
    spec = schema(crd)["properties"]["spec"]
    bare = [path for path, field in _fields(spec, "spec") if not field]
    assert bare == []


def test_every_rule_says_what_to_do_and_is_tried() -> None:
    """On a real API server, with the message that a person sees."""
    seen = {
        CRD: {
            *_expected(test_bad_input.NEW, test_bad_input.CHANGED),
            *test_bad_input.NAMES.values(),
        },
        TASKS: {*_expected(test_bad_tasks.NEW), test_bad_tasks.BEGUN, test_bad_tasks.ENDED},
    }
    for crd, tried in seen.items():
        messages = [rule["message"] for rule in _rules(schema(crd))]
        assert messages
        assert [said for said in messages if not any(each in said for each in tried)] == []


def _expected(*tables: dict[str, tuple[dict[str, Any], str]]) -> set[str]:
    return {message for table in tables for _, message in table.values()}


def _rules(field: Any) -> Iterator[dict[str, Any]]:
    if isinstance(field, dict):
        yield from field.get("x-kubernetes-validations", ())
        for inner in field.values():
            yield from _rules(inner)


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


def test_retention_is_read_as_the_schema_lets_it_be_written() -> None:
    field = schema()["properties"]["spec"]["properties"]["history"]["properties"]["retention"]
    (rule,) = field["x-kubernetes-validations"]
    pattern = rule["rule"].removeprefix("self.matches('").removesuffix("')")
    for text, wanted in (("90s", 90), ("30d", 2_592_000), ("forever", math.inf)):
        assert re.search(pattern, text)
        assert parse_spec({"version": "1", "history": {"retention": text}}).retention == wanted
    for text in ("0d", "1h30m", "1.5h", "12345678d", "for ever", "30 days"):
        assert re.search(pattern, text) is None
        with pytest.raises(SpecInvalid, match=r"spec\.history\.retention must be"):
            parse_spec({"version": "1", "history": {"retention": text}})


def test_actions_and_phases_are_those_the_operator_knows() -> None:
    parts = schema(TASKS)["properties"]
    assert parts["spec"]["properties"]["action"]["enum"] == list(t.ACTIONS)
    assert parts["status"]["properties"]["phase"]["enum"] == [
        t.PENDING, t.RUNNING, t.SUCCEEDED, t.FAILED,
    ]  # fmt: skip
    assert seconds(parts["spec"]["properties"]["deadline"]["default"]) == t.DEADLINE_SECONDS


def test_what_is_written_to_a_task_is_in_its_schema() -> None:
    made = {"metadata": {"generation": 2}, "status": {}}
    subject = t.Subject("graph-1", "uid", 2, done=True, result="entry 7")
    task = t.TaskFact("do", "uid", "9", t.SNAPSHOT, subjects=(subject,))
    begin = a.BeginTask("why", "do", "uid", "9", (subject,))
    finish = a.FinishTask("why", "do", "uid", "9", True, "Done", {"leader": "graph-1"})
    known = schema(TASKS)["properties"]["status"]["properties"]
    for written in (
        task_status.begun(made, begin, "cluster", 1.0),
        task_status.waiting(made, a.Wait("Queued", "behind another"), 1.0),
        task_status.noted(task, "graph-1", "entry 8"),
        task_status.finished(made, finish, 1.0),
        task_status.diagnosed(made, ["it is ill"], [{"pod": "graph-1"}], 1.0),
    ):
        assert set(written) <= set(known)
        for part in ("subjects", "conditions"):
            for each in written.get(part, ()):
                assert set(each) <= set(known[part]["items"]["properties"])


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_samples_of_tasks_are_valid(sample: Path) -> None:
    made = yaml.safe_load(sample.read_text(encoding="utf-8"))
    known = schema(TASKS)["properties"]["spec"]["properties"]
    assert made["metadata"]["name"] == sample.stem
    assert set(made["spec"]) <= set(known)
    made["metadata"] |= {"uid": "uid", "resourceVersion": "1"}
    assert parse_task(made).problem == ""


def test_there_is_a_sample_of_every_action() -> None:
    found = {yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]["action"] for path in SAMPLES}
    assert found == set(t.ACTIONS)
