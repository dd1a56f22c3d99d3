"""The charts: checked by Helm where it is, and what they watch exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
CHARTS: Final = ROOT / "charts"
OPERATOR: Final = CHARTS / "everwhen-operator"
#: what promtool is given to try
ALERTS: Final = Path(__file__).with_name("alerts.yaml")


def _helm() -> str | None:
    """The program, from the path or the rig beside the checkout."""
    if found := shutil.which("helm"):
        return found
    rig = Path(os.environ.get("SHARED", ROOT.parent / "shared")) / "kube" / "cluster"
    if not rig.exists() or os.getuid():
        return None
    told = subprocess.run([str(rig), "path"], capture_output=True, text=True, check=False)
    program = Path(told.stdout.strip() or "/nowhere") / "helm"
    return str(program) if program.exists() else None


HELM: Final = _helm()
needs_helm = pytest.mark.skipif(HELM is None, reason="helm is not here, nor the rig that has it")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert HELM is not None
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)


def rendered(chart: Path, *arguments: str) -> list[dict[str, Any]]:
    done = helm("template", "x", str(chart), "--namespace", "s", *arguments)
    assert done.returncode == 0, done.stderr
    return [made for made in yaml.safe_load_all(done.stdout) if made]


def of_kind(made: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in made if each["kind"] == kind]


@needs_helm
@pytest.mark.parametrize("chart", ["everwhen", "everwhen-operator"])
def test_helm_finds_nothing_wrong(chart: str) -> None:
    done = helm("lint", "--strict", str(CHARTS / chart))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_helm
@pytest.mark.parametrize("chart", ["everwhen", "everwhen-operator"])
def test_a_value_with_a_wrong_name_is_refused(chart: str) -> None:
    done = helm("template", "x", str(CHARTS / chart), "--set", "immage.tag=1")
    assert done.returncode != 0
    assert "not allowed" in done.stderr


@needs_helm
def test_the_api_stays_when_the_chart_goes() -> None:
    crds = of_kind(rendered(OPERATOR), "CustomResourceDefinition")
    assert {each["spec"]["names"]["kind"] for each in crds} == {"GraphCluster", "GraphTask"}
    for each in crds:
        assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@needs_helm
def test_pods_are_restricted() -> None:
    pods = [
        *(each["spec"]["template"]["spec"] for each in of_kind(rendered(OPERATOR), "Deployment")),
        *(each["spec"] for each in of_kind(rendered(OPERATOR), "Pod")),
    ]
    assert len(pods) == 2
    for spec in pods:
        assert spec["securityContext"]["runAsNonRoot"] is True
        for container in spec["containers"]:
            allowed = container["securityContext"]
            assert allowed["readOnlyRootFilesystem"] is True
            assert allowed["allowPrivilegeEscalation"] is False
            assert allowed["capabilities"]["drop"] == ["ALL"]


@needs_helm
def test_it_is_watched_where_that_can_be() -> None:
    kinds = ("ServiceMonitor", "PrometheusRule")
    apis = [f"--api-versions=monitoring.coreos.com/v1/{kind}" for kind in kinds]
    without, watched = rendered(OPERATOR), rendered(OPERATOR, *apis)
    for kind in kinds:
        assert not of_kind(without, kind)
        assert len(of_kind(watched, kind)) == 1
    [rules] = of_kind(watched, "PrometheusRule")
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"]]
    assert alerts
    for alert in alerts:
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["description"]


def test_alerts_fire_when_they_must_and_not_when_all_is_well() -> None:
    found = subprocess.run([ROOT / ".ci" / "promtool"], capture_output=True, text=True, check=False)
    if found.returncode:
        print(f"skipped: {found.stderr.strip()}")
        pytest.skip(found.stderr.strip())
    command = [found.stdout.strip(), "test", "rules", str(ALERTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_both_ways() -> None:
    rules = yaml.safe_load((OPERATOR / "files" / "rules.yaml").read_text("utf-8"))
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    tried: dict[bool, set[str]] = {True: set(), False: set()}
    for each in yaml.safe_load(ALERTS.read_text("utf-8"))["tests"]:
        for case in each["alert_rule_test"]:
            tried["exp_alerts" in case].add(case["alertname"])
    assert tried == {True: names, False: names}


@pytest.mark.parametrize("name", ["rules.yaml", "dashboard.json"])
def test_what_is_watched_is_measured(name: str) -> None:
    """A metric that was renamed leaves an alert that never fires."""
    asked = set(re.findall(r"everwhen_[a-z_]+", (OPERATOR / "files" / name).read_text("utf-8")))
    folders = (ROOT / "node" / "src", ROOT / "operator" / "src")
    sources = "".join(
        path.read_text("utf-8") for folder in folders for path in folder.rglob("*metrics*.py")
    ) + (ROOT / "node/src/everwhen/server/run.py").read_text("utf-8")
    measured = set(re.findall(r'"(everwhen_[a-z_]+)"', sources))
    endings = ("_total", "_bucket", "_count", "_sum")
    unknown = {
        each
        for each in asked
        if each not in measured
        and not any(each.endswith(end) and each.removesuffix(end) in measured for end in endings)
    }
    assert asked
    assert not unknown, unknown
