"""Passwords and what surrounds a node: settings, the first user, commands, files."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support import bolt
from tests.support.logon import bolt_code, connected, http_code
from tests.support.process import Server, program
from tests.support.query_api import QueryApi

FIRST: Final = "the-first-password"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("auth")
    node = Server(folder / "data", "--auth", "basic", "--set", f"auth.initial_password={FIRST}")
    node.start()
    yield node
    assert node.stop() == 0, node.tail()


def tool(node: Server, user: str, password: str, *command: str | Path) -> tuple[int, str]:
    """Exit status and output of a command that asks the server."""
    done = subprocess.run(
        [*program(), *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "EVERWHEN_URI": f"http://127.0.0.1:{node.port}",
            "EVERWHEN_USER": user,
            "EVERWHEN_PASSWORD": password,
        },
    )
    return done.returncode, done.stdout + done.stderr


def test_the_tools_log_on(server: Server, tmp_path: Path) -> None:
    with QueryApi(server.port, auth=("neo4j", FIRST)) as root:
        root.run("CREATE (:Exported {x: 1})")
    uri = f"http://127.0.0.1:{server.port}"
    (tmp_path / "password").write_text(FIRST + "\n")
    commands: list[tuple[str | Path, ...]] = [
        ("sh", "-c", "SHOW CURRENT USER YIELD user"),
        ("export", "--out", tmp_path / "out"),
        ("admin", "--uri", uri, "status"),
    ]
    for command in commands:
        code, output = tool(server, "neo4j", FIRST, *command)
        assert code == 0, output
        code, output = tool(server, f"no-{command[0]}", "wrong-password", *command)
        assert (code, "password is wrong" in output) == (1, True), output
    by_file = ("--user", "neo4j", "--password-file", tmp_path / "password")
    code, output = tool(server, "nobody", "", "sh", *by_file, "-c", "SHOW CURRENT USER YIELD user")
    assert (code, '"neo4j"' in output) == (0, True), output


def offline(*command: str | Path) -> str:
    """What a command that needs no server prints."""
    words = [*program(), *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_commit_says_who_it_was_and_no_file_shows_a_hash(tmp_path: Path) -> None:
    node = Server(tmp_path / "data", "--auth", "basic", "--set", f"auth.initial_password={FIRST}")
    node.start()
    with QueryApi(node.port, auth=("neo4j", FIRST)) as root:
        root.run("CREATE USER author SET PASSWORD 'first-password' CHANGE NOT REQUIRED")
        root.run("CREATE (:Signed)")
    with connected(node, "author", "first-password") as client:
        client.run("CREATE (:Signed)")
        client.ask(bolt.BEGIN, {})
        client.run("CREATE (:Signed)")
        client.ask(bolt.COMMIT)
    with QueryApi(node.port, auth=("author", "first-password")) as api:
        transaction = api.begin()
        api.run_in(transaction, "CREATE (:Signed)")
        api.commit(transaction)
    assert node.stop() == 0
    commits = offline("dump", node.directory, "--kind", "journal").splitlines()
    authors = [re.search(r" by (\S+) from 127.0.0.1 ", line) for line in commits]
    assert [found and found[1] for found in authors] == ["neo4j", "author", "author", "author"]
    meta = offline("dump", node.directory, "--kind", "meta").splitlines()
    users = [line for line in meta if line.startswith("meta user:")]
    assert [line.split(" = ")[0] for line in users] == ["meta user:author", "meta user:neo4j"]
    assert all("scrypt(n=16384, r=8, p=5, hidden)" in line for line in users)
    offline("verify", node.directory)


def _generated(output: Path) -> str:
    lines = output.read_text(encoding="utf-8").splitlines()
    [at] = [at for at, line in enumerate(lines) if line.startswith("The first user is `neo4j`")]
    return lines[at + 2].strip()


def test_a_generated_password_is_told_once_and_users_outlive_a_restart(tmp_path: Path) -> None:
    node = Server(tmp_path / "data", "--auth", "basic")
    node.start()
    password = _generated(node.output)
    assert len(password) == 20
    assert http_code(node, "neo4j", password) == ""
    with QueryApi(node.port, auth=("neo4j", password)) as api:
        api.run("CREATE USER other SET PASSWORD 'first-password' CHANGE NOT REQUIRED")
        api.run("CREATE (:Here)")
    node.kill()
    node.start()
    assert http_code(node, "neo4j", password) == ""
    assert bolt_code(node, "other", "first-password") == ""
    assert _generated(node.output) == password
    assert node.stop() == 0
    assert node.output.read_text(encoding="utf-8").count(password) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--set", "auth.initial_password=short"), "at least 8 characters"),
        (("--set", "auth.initial_password_file=/does/not/exist"), "cannot read"),
        (("--set", "auth.user=a:b"), "no colons"),
        (("--auth", "none", "--set", "http.host=0.0.0.0"), "`auth.mode` is `none`"),
    ],
)
def test_settings_that_let_nobody_or_everybody_in_are_refused(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    node = Server(tmp_path / "data", "--auth", "basic", *options)
    node.start(wait=False)
    assert node.process is not None
    assert node.process.wait(30) in (1, 2)
    assert words in node.tail()
