"""The cluster's secret: who knows it may speak as a member or change who is one."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from everwhen.codec.audit_head import check_key
from everwhen.codec.peer_frames import HEADER_SECRET
from everwhen.errors import AuditHeadInvalid, SettingsInvalid, Unauthorized
from everwhen.settings import Settings


def cluster_secret(settings: Settings) -> str:
    """The secret of the settings; empty where none is set (loopback only).

    :raises SettingsInvalid: the file cannot be read or is empty.
    """
    cluster = settings.cluster
    if cluster.secret is not None:
        return cluster.secret
    if cluster.secret_file is None:
        return ""
    try:
        lines = cluster.secret_file.read_text(encoding="utf-8").splitlines()[:1]
    except OSError as error:
        raise SettingsInvalid(
            f"cannot read cluster.secret_file {cluster.secret_file}: {error.strerror}"
        ) from error
    if not lines or not lines[0].strip():
        raise SettingsInvalid(f"cluster.secret_file {cluster.secret_file} is empty")
    return lines[0].strip()


def audit_key_of(settings: Settings) -> bytes | None:
    """The key that signs exported heads; None where none is set.

    :raises SettingsInvalid: the file cannot be read, or holds too few bytes.
    """
    path = settings.audit.key_file
    if path is None:
        return None
    try:
        return check_key(path.read_bytes())
    except OSError as error:
        raise SettingsInvalid(f"cannot read audit.key_file {path}: {error.strerror}") from error
    except AuditHeadInvalid as error:
        raise SettingsInvalid(f"audit.key_file {path}: {error.message}", hint=error.hint) from error


def need_secret(headers: Mapping[str, str], secret: str) -> None:
    """:raises Unauthorized: the request does not carry the secret."""
    if not hmac.compare_digest(headers.get(HEADER_SECRET, "").encode(), secret.encode()):
        raise Unauthorized(f"the header {HEADER_SECRET} does not carry the cluster's secret")
