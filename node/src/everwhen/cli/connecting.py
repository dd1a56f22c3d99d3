"""How commands reach a server: arguments, password, and whose certificates are trusted."""

from __future__ import annotations

import argparse
import os
import ssl
import sys
from getpass import getpass
from pathlib import Path

from everwhen.errors import SettingsInvalid
from everwhen_client import Client


def add_credentials(parser: argparse.ArgumentParser) -> None:
    """Who asks, and whom the server's certificate must be from."""
    add = parser.add_argument
    add("--user", default=os.environ.get("EVERWHEN_USER"), help="user name")
    add(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="password (or $EVERWHEN_PASSWORD; on a terminal it is asked for)",
    )
    ca = os.environ.get("EVERWHEN_CA")
    add(
        "--ca",
        type=Path,
        metavar="FILE",
        default=None if ca is None else Path(ca),
        help="PEM file: who signed the certificate of an https server, if the system does not "
        "know them (or $EVERWHEN_CA)",
    )


def add_node(parser: argparse.ArgumentParser) -> None:
    """Which node is administered, and how it knows who asks."""
    add = parser.add_argument
    add("--uri", default="http://127.0.0.1:7474", help="HTTP address of any member")
    secret = os.environ.get("EVERWHEN_CLUSTER_SECRET_FILE")
    add(
        "--secret-file",
        type=Path,
        default=None if secret is None else Path(secret),
        metavar="FILE",
        help="file with the cluster's secret (or $EVERWHEN_CLUSTER_SECRET_FILE)",
    )
    add_credentials(parser)


def admin_client(options: argparse.Namespace, user_agent: str) -> Client:
    """A client that administers the node of ``add_node``.

    :raises SettingsInvalid: a file cannot be read.
    """
    return Client(
        options.uri,
        auth=credentials(options),
        tls=trust(options),
        user_agent=user_agent,
        cluster_secret=_secret(options),
    )


def _secret(options: argparse.Namespace) -> str:
    """The cluster's secret; empty if none was named."""
    path: Path | None = options.secret_file
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except OSError as error:
        raise SettingsInvalid(f"cannot read {path}: {error.strerror}") from error


def credentials(options: argparse.Namespace) -> tuple[str, str] | None:
    """User and password; None if none was given. A person is asked for the password.

    :raises SettingsInvalid: the file cannot be read.
    """
    password = os.environ.get("EVERWHEN_PASSWORD")
    if options.password_file is not None:
        try:
            password = options.password_file.read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise SettingsInvalid(
                f"cannot read {options.password_file}: {error.strerror}"
            ) from error
    if password is None and options.user is None:
        return None
    if password is None and sys.stdin.isatty():
        password = getpass(f"password of {options.user}: ")
    return options.user or "neo4j", password or ""


def trust(options: argparse.Namespace) -> ssl.SSLContext | None:
    """What connections over https check; None: what the system trusts.

    :raises SettingsInvalid: the file cannot be read, or holds no certificate.
    """
    if options.ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=options.ca)
    except (OSError, ssl.SSLError) as error:
        raise SettingsInvalid(f"{options.ca} holds no certificates: {error}") from error
