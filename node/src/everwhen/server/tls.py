"""Certificates from files, read again when the files change.

A context is made once and lives as long as the node: when its files change it takes the new
certificate, and connections made from then on get it. Files that make no sense (half of a pair was
replaced, or one cannot be read) are reported, and the present certificate stays in use until they
do.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from everwhen.errors import SettingsInvalid
from everwhen.limits import TLS_LOOK_SECONDS
from everwhen.runtime.replica.peers import PeerTls
from everwhen.settings import Settings

Report = Callable[[str, dict[str, object]], None]
_Stamp = tuple[tuple[int, int, int], ...]

_LOWEST: Final = ssl.TLSVersion.TLSv1_2


@dataclass(frozen=True, slots=True)
class Files:
    """PEM files. ``authority``: who must have signed the certificate of the other side."""

    certificate: Path
    key: Path
    authority: Path | None = None

    @property
    def all(self) -> Sequence[Path]:
        """Those that are there to be read."""
        return [file for file in (self.certificate, self.key, self.authority) if file is not None]


class Certificate:
    """Contexts over one set of files."""

    def __init__(self, files: Files) -> None:
        """:raises SettingsInvalid: a file cannot be read, or is none of what it should be."""
        self._files = files
        self._stamp = _stamp(files)
        #: for connections that others make
        self.server = _made(files, ssl.PROTOCOL_TLS_SERVER)
        #: for connections made to others
        self.client = _made(files, ssl.PROTOCOL_TLS_CLIENT)

    def look(self) -> _Stamp | None:
        """Whether the files changed, and to what. Blocking.

        :raises SettingsInvalid: they make no sense; the present certificate stays.
        """
        stamp = _stamp(self._files)
        if stamp == self._stamp:
            return None
        # tried on a context of its own first: a pair that does not fit must not half replace one
        _made(self._files, ssl.PROTOCOL_TLS_SERVER)
        return stamp

    def take(self, seen: _Stamp) -> bool:
        """Take the files as ``look`` saw them; False if they changed again. Only where handshakes
        are made (the event loop): one that came between would get a certificate without its key.

        :raises SettingsInvalid: they make no sense.
        """
        if _stamp(self._files) != seen:
            return False
        for context in (self.server, self.client):
            _load(context, self._files)
        self._stamp = seen
        return True


class Tls:
    """What the settings say about encryption."""

    def __init__(self, settings: Settings) -> None:
        """:raises SettingsInvalid: a file cannot be read, or is none of what it should be."""
        self._kept: list[Certificate] = []
        tls, cluster = settings.tls, settings.cluster
        #: of HTTP and Bolt; None: they speak plain text
        self.doors: ssl.SSLContext | None = None
        #: between members; None: they speak plain text
        self.peers: PeerTls | None = None
        if tls.certificate_file is not None and tls.key_file is not None:
            self.doors = self._keep(Files(tls.certificate_file, tls.key_file)).server
        if cluster.certificate_file is not None and cluster.key_file is not None:
            files = Files(cluster.certificate_file, cluster.key_file, cluster.ca_file)
            kept = self._keep(files)
            self.peers = PeerTls(kept.server, kept.client)

    def _keep(self, files: Files) -> Certificate:
        self._kept.append(Certificate(files))
        return self._kept[-1]

    async def keep_fresh(self, report: Report) -> None:
        """Look at the files every so often; until cancelled."""
        told: dict[int, str] = {}
        while True:
            await asyncio.sleep(TLS_LOOK_SECONDS)
            for at, certificate in enumerate(self._kept):
                try:
                    seen = await asyncio.to_thread(certificate.look)
                    if seen is not None and certificate.take(seen):
                        report("certificate_renewed", {})
                    told.pop(at, None)
                except SettingsInvalid as error:
                    if told.get(at) != str(error):
                        told[at] = str(error)
                        report("certificate_not_renewed", {"message": str(error)})


def _stamp(files: Files) -> _Stamp:
    """Changes with the files. Through links: Kubernetes swaps a link to renew a mounted Secret."""
    found = []
    for file in files.all:
        try:
            about = file.stat()
        except OSError as error:
            raise SettingsInvalid(f"cannot read {file}: {error.strerror}") from error
        found.append((about.st_ino, about.st_mtime_ns, about.st_size))
    return tuple(found)


def _made(files: Files, protocol: ssl._SSLMethod) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = _LOWEST
    _load(context, files)
    if files.authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load(context: ssl.SSLContext, files: Files) -> None:
    """Give a context what the files hold now. An authority is added to those it knows, so that
    certificates of the last and of the next one are both taken while they are exchanged."""
    try:
        context.load_cert_chain(files.certificate, files.key)
        if files.authority is not None:
            context.load_verify_locations(files.authority)
    except (OSError, ssl.SSLError) as error:
        raise SettingsInvalid(
            f"{files.certificate} and {files.key} are not a certificate and its key: {error}"
            if files.authority is None
            else f"{', '.join(map(str, files.all))} are not a certificate, its key and who signed "
            f"it: {error}",
            hint="PEM files, the key without a passphrase",
        ) from error
