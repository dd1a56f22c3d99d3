"""Where members are looked for, with a name server of the test's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import dns.asyncresolver
import dns.message
import dns.rrset
import pytest

from everwhen.errors import SettingsInvalid
from everwhen.server import discovery


class NameServer(asyncio.DatagramProtocol):
    """Answers every question with the records it was given, as text."""

    def __init__(self, *records: str) -> None:
        self.records = records

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        if self.records:
            name = question.question[0].name
            answer.answer.append(dns.rrset.from_text(name, 1, "IN", "SRV", *self.records))
        self.transport.sendto(answer.to_wire(), addr)


async def ask(text: str, *records: str) -> list[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: NameServer(*records), local_addr=("127.0.0.1", 0)
    )
    try:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = transport.get_extra_info("sockname")[1]
        return await discovery.addresses(text, resolver)
    finally:
        transport.close()


def test_srv_records_by_priority_then_weight() -> None:
    records = ("20 0 7474 c.example.", "10 1 7475 b.example.", "10 5 7474 a.example.")
    assert asyncio.run(ask("srv://_http._tcp.graph", *records)) == [
        "http://a.example:7474",
        "http://b.example:7475",
        "http://c.example:7474",
    ]


def test_a_name_without_records_is_nobody() -> None:
    assert asyncio.run(ask("srv://_http._tcp.graph, 10.0.0.1:7474")) == ["http://10.0.0.1:7474"]


def test_lists_names_and_files_that_change(tmp_path: Path) -> None:
    listed = tmp_path / "members"
    text = f"https://a:1/,b:2,b:2,dns://localhost:3,file:{listed}"
    resolved = asyncio.run(discovery.addresses(text))
    assert resolved[:2] == ["https://a:1", "http://b:2"]
    assert "http://127.0.0.1:3" in resolved
    listed.write_text("# members\nc:4\n\n", encoding="utf-8")
    assert asyncio.run(discovery.addresses(text))[-1] == "http://c:4"


@pytest.mark.parametrize("wrong", ["nowhere", "dns://name", "host:port", ":7474"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsInvalid, match="is no address"):
        discovery.check(wrong)
