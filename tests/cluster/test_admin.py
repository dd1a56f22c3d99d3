"""``everwhen admin`` against a cluster of real processes: what it does, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.cluster.running import SECONDS, Local
from tests.support.process import free_port, program
from tests.support.waiting import until


class Administrator:
    """Runs the command against one node of a cluster."""

    def __init__(self, local: Local) -> None:
        self.local = local
        self.secret_file = local.endpoints["secretFile"]

    def code(self, *arguments: str, at: int = 0, secret: str | None = None) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        uri = self.local.endpoints["nodes"][at]["http"]
        command = [*program(), "admin", "--uri", uri, "--secret-file", secret or self.secret_file]
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return done.returncode, done.stdout, done.stderr

    def __call__(self, *arguments: str, at: int = 0) -> dict[str, Any]:
        code, out, err = self.code(*arguments, at=at)
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    def refused(self, code: int, text: str, *arguments: str, at: int = 0) -> None:
        found, out, err = self.code(*arguments, at=at)
        assert (found, out) == (code, ""), err
        assert text in err, err
        lines = [line for line in err.splitlines() if line.startswith("  ")]
        assert not [line for line in lines if err.count(line.strip()) > 1], err


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Administrator]:
    local = Local(tmp_path_factory.mktemp("admin") / "c", "--nodes", "3", "--base-port", "0")
    yield Administrator(local)
    assert local.stop() == 0


@contextmanager
def waiting_node(folder: Path, name: str, secret_file: str) -> Iterator[str]:
    """A node that waits to be admitted; its HTTP address."""
    http, bolt, peer = (f"127.0.0.1:{free_port()}" for _ in range(3))
    command = [
        *(*program(), "serve", "--name", name, "--data-dir", str(folder / name)),
        *("--http", http, "--bolt", bolt, "--peer", peer, "--auth", "none"),
        *("--set", f"cluster.secret_file={secret_file}"),
    ]
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://{http}"
    finally:
        process.terminate()
        process.wait(SECONDS)


def leader(admin: Administrator) -> str:
    return str(admin("status")["leader"]["name"])


def test_status_says_what_the_brief_asks_for(admin: Administrator) -> None:
    status = admin("status")
    fields = (
        "version clusterId nodeId name role term leader lastIndex commitIndex appliedIndex "
        "appliedTime oldestReadableTime config members counts digest featureLevel operatorEpoch "
        "configHash diskUsed imageLoaded"
    )
    assert [name for name in fields.split() if name not in status] == []
    assert sorted(status["config"]["voters"]) == [1, 2, 3]
    assert [sorted(each["addresses"]) for each in status["members"]] == [
        ["bolt", "http", "peer"]
    ] * 3
    assert {each["role"] for each in status["members"]} == {"leader", "follower"}
    assert {admin("status", at=at)["configHash"] for at in range(3)} == {status["configHash"]}


def test_leadership_moves(admin: Administrator) -> None:
    target = next(each for each in ("n1", "n2", "n3") if each != leader(admin))
    admin("transfer", target)
    until(lambda: leader(admin) == target)
    assert admin("snapshot", at=1)["bytes"] > 0


def test_a_member_joins_votes_and_leaves(admin: Administrator, tmp_path: Path) -> None:
    with waiting_node(tmp_path, "n4", admin.secret_file) as url:
        until(lambda: admin.code("join", url, at=1)[0] == 0)
        found = {each["name"]: each["role"] for each in admin("members")["members"]}
        assert found["n4"] == "learner"
        asked = next(at for at in range(3) if admin("status", at=at)["role"] == "follower")
        assert 4 in admin("promote", "n4", at=asked)["config"]["voters"]
        index = admin("status")["config"]["index"]
        admin.refused(5, "configuration is that of entry", "--expected-config-index", "1",
                      "demote", "n4")  # fmt: skip
        admin("--expected-config-index", str(index), "demote", "n4")
        admin("remove", "n4")
    assert {each["name"] for each in admin("members")["members"]} == {"n1", "n2", "n3"}
    admin.refused(1, "no member 'n4'", "promote", "n4")


def test_a_stale_operator_is_refused(admin: Administrator) -> None:
    target = next(each for each in ("n1", "n2", "n3") if each != leader(admin))
    admin("--operator-epoch", "7", "transfer", target)
    assert admin("status")["operatorEpoch"] == 7
    admin.refused(5, "epoch", "--operator-epoch", "6", "transfer", target)
    admin.refused(5, "epoch", "--operator-epoch", "6", "fence", at=2)


def test_how_long_versions_are_kept(admin: Administrator) -> None:
    """As a whole; what labels and types have of their own stays."""
    secret = Path(admin.secret_file).read_text().strip()
    nodes = admin.local.endpoints["nodes"]
    follower = next(n["http"] for n in nodes if n["name"] != leader(admin))

    def retain(keep: object) -> tuple[int, dict[str, Any]]:
        body = json.dumps({"keepSeconds": keep, "operatorEpoch": 7}).encode()
        request = Request(f"{follower}/v1/retention", body, {"X-Everwhen-Secret": secret})
        try:
            with urlopen(request, timeout=SECONDS) as answer:
                return answer.status, json.load(answer)
        except HTTPError as refused:
            return refused.code, json.load(refused)

    def everywhere(keep: float | None) -> bool:
        return all(admin("status", at=at)["retention"] == {"keepSeconds": keep} for at in range(3))

    for keep in (3_600.5, None, 86_400):
        assert retain(keep)[0] == 200
        until(partial(everywhere, keep))
    for wrong, message in ((0, "more than 0"), ("1h", "keepSeconds"), (0.5, "less than 1 s")):
        code, said = retain(wrong)
        assert code == 400
        assert message in said["errors"][0]["message"]
    assert admin("status")["retention"] == {"keepSeconds": 86_400}


def test_levels_fences_and_who_may(admin: Administrator, tmp_path: Path) -> None:
    level = admin("feature-level")
    assert set(level["supported"].values()) == {level["featureLevel"]}
    admin.refused(4, "level", "feature-level", "99")
    assert admin("fence", "--reason", "for a test", at=2)["fenced"] is True
    assert admin("status", at=2)["role"] == "fenced"
    assert admin("fence", "--lift", at=2)["fenced"] is False
    wrong = tmp_path / "wrong"
    wrong.write_text("not it\n")
    code, _, err = admin.code("transfer", "n1", secret=str(wrong))
    assert (code, "secret" in err) == (1, True)
    assert admin.code("frobnicate")[0] == 2


def test_what_would_stop_the_cluster_is_refused(admin: Administrator) -> None:
    first = leader(admin)
    others = [each for each in admin.local.endpoints["nodes"] if each["name"] != first]
    at = next(k for k, n in enumerate(admin.local.endpoints["nodes"]) if n["name"] == first)
    admin.refused(4, "leader cannot take its own vote", "demote", first, at=at)
    os.kill(others[0]["pid"], signal.SIGSTOP)
    try:
        until(
            lambda: (
                {each["name"]: each["healthy"] for each in admin("members", at=at)["members"]}[
                    others[0]["name"]
                ]
                is False
            )
        )
        admin.refused(4, "only 1 answer", "leave", others[1]["name"], at=at)
    finally:
        os.kill(others[0]["pid"], signal.SIGCONT)
