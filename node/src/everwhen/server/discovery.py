"""Where other members may be found: a list, a name in DNS, a file that changes."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from everwhen.errors import SettingsInvalid

if TYPE_CHECKING:
    import dns.asyncresolver

_DNS = "dns://"
_SRV = "srv://"
_FILE = "file:"
_ADDRESSES_MAX = 100
_LOOKUP_SECONDS = 2.0


def check(text: str) -> None:
    """:raises SettingsInvalid: an address that is none."""
    for one in text.split(","):
        if one.strip().startswith((_FILE, _SRV)):
            continue
        host, separator, port = one.strip().removeprefix(_DNS).rpartition(":")
        host = host.removeprefix("http://").removeprefix("https://")
        if not host or not separator or not port.rstrip("/").isdecimal():
            raise SettingsInvalid(
                f"`cluster.join`: {one.strip()!r} is no address",
                hint="HOST:PORT, http://HOST:PORT, dns://NAME:PORT, srv://NAME or file:PATH, "
                "comma-separated",
            )


async def addresses(text: str, resolver: dns.asyncresolver.Resolver | None = None) -> list[str]:
    """Base URLs to ask, in the order given; looked up anew with every call. Names that do not
    resolve now are left out: they may a moment later. ``resolver``: for SRV records, the system's
    if absent."""
    found: list[str] = []
    for one in (part.strip() for part in text.split(",")):
        if one.startswith(_FILE):
            found += await asyncio.to_thread(_from_file, Path(one.removeprefix(_FILE)))
        elif one.startswith(_SRV):
            found += await _from_srv(one.removeprefix(_SRV), resolver)
        elif one.startswith(_DNS):
            found += await _from_dns(one.removeprefix(_DNS))
        else:
            found.append(_url(one))
    return list(dict.fromkeys(found))[:_ADDRESSES_MAX]


def _url(address: str) -> str:
    url = address if "://" in address else f"http://{address}"
    return url.rstrip("/")


def _from_file(path: Path) -> list[str]:
    """The lines of a file; none while it is not there."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [_url(line.strip()) for line in lines if line.strip() and not line.startswith("#")]


async def _from_dns(address: str) -> list[str]:
    """Every address of a name (A and AAAA), sorted."""
    host, _, port = address.rpartition(":")
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM
        )
    except socket.gaierror:
        return []
    names = sorted({str(info[4][0]) for info in infos})
    return [f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}" for name in names]


async def _from_srv(name: str, resolver: dns.asyncresolver.Resolver | None) -> list[str]:
    """Targets and ports of a name's SRV records (RFC 2782), by priority, then heavier ones first."""
    # most nodes never ask, and it is a tenth of what a start imports
    import dns.asyncresolver
    import dns.exception
    from dns.rdtypes.IN.SRV import SRV

    try:
        answer = await (resolver or dns.asyncresolver.Resolver()).resolve(
            name, "SRV", lifetime=_LOOKUP_SECONDS
        )
    except (dns.exception.DNSException, OSError):
        return []
    records = [record for record in answer if isinstance(record, SRV)]
    records.sort(key=lambda each: (each.priority, -each.weight, str(each.target), each.port))
    return [f"http://{str(each.target).rstrip('.')}:{each.port}" for each in records]
