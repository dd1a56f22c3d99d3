"""Bolt's bytes in WebSocket frames."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everwhen.server.bolt.websocket import WebSocket, WebSocketError

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


def opened() -> WebSocket:
    web = WebSocket(local_origins_only=False)
    web.receive(UPGRADE + b"\r\n")
    return web


def client_frame(opcode: int, data: bytes, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    size = len(data)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65_536:
        head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


def test_the_example_of_the_standard():
    payload, reply = WebSocket(local_origins_only=True).receive(UPGRADE + b"\r\n")
    assert payload == b""
    assert reply.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in reply


@given(st.lists(st.binary(max_size=70_000), max_size=4), st.integers(1, 9_000))
def test_payload_comes_through_however_it_is_cut(parts, step):
    data = UPGRADE + b"\r\n" + b"".join(client_frame(2, part) for part in parts)
    web = WebSocket(local_origins_only=False)
    got = b"".join(web.receive(data[at : at + step])[0] for at in range(0, len(data), step))
    assert got == b"".join(parts)


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, "8200"), (125, "827d"), (126, "827e007e"), (65_536, "827f" + "0" * 11 + "10000")],
)
def test_frames_of_the_server(size, head):
    assert opened().send(bytes(size)) == bytes.fromhex(head) + bytes(size)


def test_ping_and_close():
    web = opened()
    assert web.receive(client_frame(9, b"hi")) == (b"", b"\x8a\x02hi")
    assert web.receive(client_frame(8, b"\x03\xe8bye")) == (b"", b"\x88\x02\x03\xe8")
    assert web.closed
    assert web.receive(client_frame(2, b"late")) == (b"", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\x01a",  # not masked
        b"\xc2\x81\0\0\0\0a",  # reserved bit
        client_frame(1, b"text"),
        client_frame(3, b""),
        b"\x89\xfe\x00\x7e",  # a ping of 126 bytes
        b"\x09\x80\0\0\0\0",  # a ping in parts
    ],
)
def test_what_no_client_may_send(data):
    with pytest.raises(WebSocketError) as caught:
        opened().receive(data)
    assert caught.value.reply.startswith(b"\x88\x02")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"426"),
        (UPGRADE.replace(b"13", b"8") + b"\r\n", b"426"),
        (UPGRADE + b"Origin: https://evil.example\r\n\r\n", b"403"),
        (UPGRADE + b"Origin: http://localhost.evil.example\r\n\r\n", b"403"),
        (b"GET /" + b"x" * 9_000, b"431"),
    ],
)
def test_refusals(request_bytes, status):
    with pytest.raises(WebSocketError) as caught:
        WebSocket(local_origins_only=True).receive(request_bytes)
    assert caught.value.reply.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    "origin", [b"http://localhost:3000", b"http://127.0.0.1", b"http://[::1]:80"]
)
def test_pages_of_this_machine_are_let_in(origin):
    web = WebSocket(local_origins_only=True)
    assert web.receive(UPGRADE + b"Origin: " + origin + b"\r\n\r\n")[1].startswith(b"HTTP/1.1 101")


@given(st.binary(max_size=300))
def test_any_bytes(data):
    try:
        opened().receive(data)
    except WebSocketError:
        pass
