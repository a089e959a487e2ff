"""No octets whatsoever make a listener say anything but SMTP replies, or raise."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.email.smtp.inbound import ListenLimits, Protocol
from tests.email.smtp.support import DOMAIN, SECONDS, listening, until
from tests.peers.tls import make_certificates

RCPT = f"RCPT TO:<a@{DOMAIN}>".encode()
WORDS = [
    b"EHLO x", b"HELO x", b"LHLO x", b"MAIL FROM:<a@example.net>", b"MAIL FROM:<>", RCPT, b"RCPT TO:",
    b"DATA", b".", b"RSET", b"NOOP", b"VRFY x", b"EXPN", b"HELP MAIL", b"AUTH PLAIN", b"AUTH", b"STARTTLS",
    b"STARTTLS x", b"BDAT 5 LAST", b"<", b">", b'"', b"@", b":", b"=", b" ", b"\t", b"\0", b"\xff", b"\x1b",
    b"\x16\x03\x01", b"\r", b"\n", b"\r\n", b"\r\n", b"\r\n", b"\r\n.\r\n", b"x" * 3000, b"x" * 70000,
    "ü".encode(), b"(((", b"\\",
]  # fmt: skip
LINE = st.lists(st.sampled_from(WORDS) | st.binary(max_size=12), min_size=1, max_size=4).map(b"".join)
TALK = st.lists(LINE, max_size=14).map(b"\r\n".join)
BEGIN = b"MAIL FROM:<a@example.net>\r\n" + RCPT + b"\r\n"

_REPLY = re.compile(rb"(?:[2-5]\d\d-[ -~]*\r\n)*[2-5]\d\d [ -~]*\r\n")


async def _converse(protocol: Protocol, talks: list[bytes], folder: Path) -> list[bytes]:
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    certificates = make_certificates(folder, "bridge.example.org")
    files = {"cert_file": str(certificates.cert_file), "key_file": str(certificates.key_file)}
    limits = ListenLimits(command_seconds=2.0, block_seconds=2.0, wrong_recipients=3)
    async with listening(folder, protocol, size_limit=50_000, limits=limits, **files) as (listener, _):
        heard = await asyncio.gather(*(_one(listener.port, talk) for talk in talks))
        await until(lambda: not listener.connections)
    assert problems == []
    return heard


async def _one(port: int, talk: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(talk)
    writer.write(b"\r\n.\r\nQUIT\r\n")
    try:
        async with asyncio.timeout(SECONDS):
            return await reader.read()
    except ConnectionError:
        return b""  # it closed while there was more to read
    finally:
        writer.close()


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(Protocol), st.lists(TALK, min_size=1, max_size=6))
def test_no_octets_break_a_conversation(protocol: Protocol, talks: list[bytes]) -> None:
    hello = b"LHLO x\r\n" if protocol is Protocol.LMTP else b"EHLO x\r\n"
    with tempfile.TemporaryDirectory() as folder:
        every = [
            prefix + talk for talk in talks for prefix in (b"", hello + BEGIN, hello + BEGIN + b"DATA\r\n")
        ]
        for heard in asyncio.run(_converse(protocol, every, Path(folder))):
            # After STARTTLS there may be an alert of TLS behind the replies.
            spoken = heard.split(b"220 Ready to start TLS\r\n")[0]
            assert re.fullmatch(b"(?:" + _REPLY.pattern + b")*", spoken), spoken
