"""Encrypted doors with stock clients, and certificates that change while the node runs."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import neo4j
import pytest
import trustme
from neo4j.exceptions import ServiceUnavailable

from everwhen_client import Client, ConnectionFailed
from tests.node.test_three_processes import Group
from tests.support.process import Server, ServerDied, program
from tests.support.query_api import QueryApi
from tests.support.waiting import until


class Pki:
    """A certificate authority and the files of one server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"
        self.issue()

    def issue(self) -> None:
        """A new certificate in place of the present one, each file in one step."""
        leaf = self.ca.issue_cert("localhost", "127.0.0.1")
        for path, blobs in (
            (self.certificate, leaf.cert_chain_pems),
            (self.key, [leaf.private_key_pem]),
        ):
            new = path.with_suffix(".new")
            new.write_bytes(b"".join(blob.bytes() for blob in blobs))
            new.replace(path)

    @property
    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


class TlsServer(Server):
    """A server whose doors are encrypted."""

    def __init__(self, directory: Path, pki: Pki) -> None:
        self.pki = pki
        files = ("certificate", pki.certificate), ("key", pki.key)
        options = [f"--set=tls.{name}_file={path}" for name, path in files]
        super().__init__(directory, *options)

    def _ready(self) -> bool:
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=5, context=self.pki.trust
        )
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[TlsServer]:
    started = TlsServer(tmp_path_factory.mktemp("tls") / "n1", pki)
    started.start()
    yield started
    started.kill()


def serial(port: int, trust: ssl.SSLContext) -> str:
    """The serial number of the certificate shown on a port."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        about = wrapped.getpeercert()
    assert about is not None
    return str(about["serialNumber"])


@pytest.mark.parametrize("scheme", ["bolt+ssc", "neo4j+ssc"])
def test_a_driver_that_takes_any_certificate(server: TlsServer, scheme: str) -> None:
    uri = f"{scheme}://localhost:{server.bolt_port}"
    with neo4j.GraphDatabase.driver(uri) as driver:
        assert driver.execute_query("RETURN 1 AS one").records[0]["one"] == 1


@pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
def test_a_driver_that_checks_the_certificate(server: TlsServer, pki: Pki, scheme: str) -> None:
    uri = f"{scheme}://localhost:{server.bolt_port}"
    trusted = neo4j.TrustCustomCAs(str(pki.ca_file))
    with neo4j.GraphDatabase.driver(uri, encrypted=True, trusted_certificates=trusted) as driver:
        assert driver.execute_query("RETURN 1 AS one").records[0]["one"] == 1


def test_the_systems_authorities_are_what_s_asks_for(server: TlsServer, pki: Pki) -> None:
    """``bolt+s`` trusts what OpenSSL is told to trust, here by its environment variable."""
    code = (
        "import neo4j, sys\n"
        f"driver = neo4j.GraphDatabase.driver('neo4j+s://localhost:{server.bolt_port}')\n"
        "print(driver.execute_query('RETURN 42 AS n').records[0]['n'])\n"
        "driver.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SSL_CERT_FILE": str(pki.ca_file)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "42", done.stderr


def test_a_driver_that_does_not_know_the_authority_leaves(server: TlsServer) -> None:
    with (
        neo4j.GraphDatabase.driver(f"bolt+s://localhost:{server.bolt_port}") as driver,
        pytest.raises(ServiceUnavailable),
    ):
        driver.verify_connectivity()


def test_plain_text_gets_no_answer(server: TlsServer) -> None:
    with (
        neo4j.GraphDatabase.driver(f"bolt://localhost:{server.bolt_port}") as driver,
        pytest.raises(ServiceUnavailable),
    ):
        driver.verify_connectivity()
    connection = http.client.HTTPConnection("localhost", server.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/livez")
        with pytest.raises((OSError, http.client.HTTPException)):
            connection.getresponse()


def test_the_client_and_the_shell(server: TlsServer, pki: Pki) -> None:
    uri = f"https://localhost:{server.port}"
    with Client(uri, tls=pki.trust) as client:
        assert list(client.run("RETURN 1 AS one")) != []
    with Client(uri, retry_seconds=0) as client, pytest.raises(ConnectionFailed):
        client.run("RETURN 1")
    done = subprocess.run(
        [*program(), "sh", uri, "--ca", str(pki.ca_file), "-c", "RETURN 7 AS n"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == '{"n": 7}', done.stderr


def test_old_versions_of_tls_are_refused(server: TlsServer, pki: Pki) -> None:
    old = pki.trust
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1 is deprecated"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        serial(server.port, old)


def test_a_new_certificate_is_shown_and_a_bad_one_is_not(server: TlsServer, pki: Pki) -> None:
    uri = f"bolt://localhost:{server.bolt_port}"
    trusted = neo4j.TrustCustomCAs(str(pki.ca_file))
    with (
        neo4j.GraphDatabase.driver(uri, encrypted=True, trusted_certificates=trusted) as driver,
        driver.session() as session,
    ):
        before = serial(server.port, pki.trust)
        good = pki.folder / "good.pem"
        shutil.copy(pki.certificate, good)
        pki.certificate.write_text("no certificate\n", encoding="utf-8")
        until(lambda: "certificate_not_renewed" in server.tail())
        assert serial(server.port, pki.trust) == before
        pki.issue()
        until(lambda: serial(server.port, pki.trust) != before)
        assert serial(server.bolt_port, pki.trust) == serial(server.port, pki.trust)
        assert session.run("RETURN 1 AS one").single(strict=True)["one"] == 1


def test_files_that_make_no_sense_are_refused_at_start(tmp_path: Path, pki: Pki) -> None:
    def refused(*options: str) -> str:
        server = Server(tmp_path / "n1", *options)
        with pytest.raises(ServerDied):
            server.start()
        return server.tail()

    alone = refused(f"--set=tls.certificate_file={pki.certificate}")
    assert "go together" in alone
    missing = refused(
        f"--set=tls.certificate_file={tmp_path}/none", f"--set=tls.key_file={pki.key}"
    )
    assert "No such file" in missing
    swapped = refused(
        f"--set=tls.certificate_file={pki.key}", f"--set=tls.key_file={pki.certificate}"
    )
    assert "not a certificate and its key" in swapped


def peers_options(pki: Pki, issued_by: trustme.CA | None = None) -> tuple[str, ...]:
    """Settings of a member whose certificate an authority signed."""
    leaf = (issued_by or pki.ca).issue_cert("localhost", "127.0.0.1")
    folder = pki.folder / f"member-{len(list(pki.folder.iterdir()))}"
    folder.mkdir(exist_ok=True)
    leaf.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
    leaf.private_key_pem.write_to_path(str(folder / "tls.key"))
    return (
        f"--set=cluster.certificate_file={folder}/tls.crt",
        f"--set=cluster.key_file={folder}/tls.key",
        f"--set=cluster.ca_file={pki.ca_file}",
    )


def test_members_show_each_other_certificates(tmp_path: Path, pki: Pki) -> None:
    group = Group(tmp_path, 3)
    for server in group.servers[:2]:
        server.options = peers_options(pki)
    # the third has a certificate that somebody else signed
    group.servers[2].options = peers_options(pki, trustme.CA())
    try:
        for server in group.servers[:2]:
            server.start()
        group.until(lambda: len(group.status(0)["config"]["voters"]) == 2)
        with QueryApi(group.servers[1].port) as api:
            assert api.rows("CREATE (:A) RETURN 1") == [[1]]
        assert knock(group.servers[0].peer_port, pki.trust) == b""
        group.servers[2].start(wait=False)
        group.until(lambda: len(group.status(0)["config"]["learners"]) == 1)
        # not before it keeps who it is: one that does not know simply asks again
        group.until(lambda: "node_opened" in group.servers[2].tail())
        group.servers[2].kill()
        # with one of theirs it becomes a member like the others
        group.servers[2].options = peers_options(pki)
        group.servers[2].start(wait=False)
        group.until(lambda: len(group.status(0)["config"]["voters"]) == 3)
        with QueryApi(group.servers[2].port) as api:
            assert api.rows("MATCH (a:A) RETURN count(a)") == [[1]]
    finally:
        group.stop()


def knock(port: int, trust: ssl.SSLContext) -> bytes:
    """What a caller without a certificate is answered."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            trust.wrap_socket(plain, server_hostname="localhost") as wrapped,
        ):
            wrapped.sendall(b"GET /peer HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return wrapped.recv(100)
    except (ssl.SSLError, ConnectionError):
        return b""
