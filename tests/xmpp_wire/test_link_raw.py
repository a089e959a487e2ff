"""The stream against a server that misbehaves: refusals, broken XML, stalls, silence, loss."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.xmpp.inbound import InMessage, InPresence
from bridge.xmpp.iqs import StanzaError
from bridge.xmpp.link import ComponentLink
from tests.peers.daemon import free_port
from tests.xmpp_wire.raw import HEADER, RawConnection, Seen, linked, polled, raw_server

STREAMS = "urn:ietf:params:xml:ns:xmpp-streams"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
WHO = "from='romeo@example.test/o' to='nick@irc.example.test'"


@pytest.mark.parametrize(
    ("condition", "kind", "words"),
    [
        ("not-authorized", "wrong-secret", "does not accept the secret of irc.example.test"),
        ("conflict", "conflict", "connected to the server already"),
        ("host-unknown", "host-unknown", "does not know irc.example.test"),
        ("see-other-host", "stream-error", "see-other-host"),
    ],
)
async def test_a_refusal_is_named(condition: str, kind: str, words: str) -> None:
    async with raw_server() as server, linked(server.port) as link:
        connection = await server.connection(accept=False)
        await connection.next()
        connection.send(
            f"{HEADER}<stream:error><{condition} xmlns='{STREAMS}'/></stream:error></stream:stream>"
        )
        await server.connection()
        assert link.problem is not None
        assert link.problem.kind == kind
        assert words in link.problem.text
        await polled(lambda: link.up)
        assert link.problem is None


async def test_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    caplog.set_level(logging.INFO, "bridge.xmpp.link")
    async with linked(port) as link:
        await polled(lambda: len(caplog.records) >= 2)
        assert link.problem is not None
        assert link.problem.kind == "unreachable"
        assert f"127.0.0.1:{port} refuses" in link.problem.text
    assert [record.levelno for record in caplog.records[:2]] == [logging.ERROR, logging.INFO]


async def test_an_unknown_host_name() -> None:
    async with linked(1, host="no.such.host.invalid") as link:
        await polled(lambda: link.problem)
        assert link.problem is not None
        assert "cannot be resolved" in link.problem.text


async def test_a_server_without_tls_where_tls_is_wanted() -> None:
    async with raw_server() as server, linked(server.port, tls=True) as link:
        connection = await server.connection(accept=False)
        connection.send("no TLS here at all")
        await polled(lambda: link.problem)
        assert link.problem is not None
        assert link.problem.kind == "tls"


def certificate(folder: Path) -> Path:
    """A self-signed certificate and key for 127.0.0.1, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "server.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


async def test_tls_is_verified(tmp_path: Path) -> None:
    file = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    async with raw_server(context) as server:
        async with linked(server.port, tls=True, ca_file=str(file)) as link:
            connection = await server.connection()
            await polled(lambda: link.up)
            link.write("<presence/>")
            assert (await connection.next()).tag.endswith("presence")
        for settings, words in (
            ({}, "certificate of 127.0.0.1"),
            ({"ca_file": str(file), "host": "localhost"}, "certificate of localhost"),
            ({"ca_file": str(tmp_path / "none")}, "CA file"),
        ):
            async with linked(server.port, tls=True, **settings) as link:
                await polled(lambda: link.problem)
                assert link.problem is not None
                assert link.problem.kind == "tls"
                assert words in link.problem.text


async def test_a_handshake_that_never_ends() -> None:
    async with raw_server() as server, linked(server.port, handshake_seconds=0.2) as link:
        await server.connection(accept=False)
        await server.connection(accept=False)
        assert link.problem is not None
        assert link.problem.kind == "timeout"
        assert f"127.0.0.1:{server.port} takes the connection, but does not answer" in link.problem.text
        assert "is this the XMPP server's component port" in link.problem.text


async def test_something_else_listens_there() -> None:
    async with raw_server() as server, linked(server.port) as link:
        connection = await server.connection(accept=False)
        connection.send("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        await server.connection(accept=False)
        assert link.problem is not None
        assert f"what answers at 127.0.0.1:{server.port} does not speak XMPP" in link.problem.text


async def test_a_lost_stream_comes_back() -> None:
    async with raw_server() as server, linked(server.port, stable_seconds=0) as link:
        seen = Seen(link)
        first = await server.connection()
        await seen.until(lambda: seen.ups == 1)
        assert link.write("<presence/>")
        waiting = asyncio.create_task(link.iqs.request("example.test", link.config.domain, "get", "<q/>"))
        await first.next()
        await first.next()
        first.writer.transport.abort()
        await seen.until(lambda: seen.downs)
        assert not link.up
        assert not link.write("<presence/>")
        assert seen.downs[0].kind == "closed"
        assert type((await asyncio.gather(waiting, return_exceptions=True))[0]).__name__ == "IqLost"
        await server.connection()
        await seen.until(lambda: seen.ups == 2)


async def test_stop_sends_what_waits_and_ends_the_stream() -> None:
    async with raw_server() as server:
        async with linked(server.port) as link:
            connection = await server.connection()
            await polled(lambda: link.up)
            seen = Seen(link)
            for number in range(3):
                link.write(f"<presence id='{number}'/>")
            reading = asyncio.create_task(connection.to_end())
            stopping = asyncio.create_task(link.stop())
            assert [each.get("id") for each in await reading] == ["0", "1", "2"]
            assert connection.ended
            connection.send("</stream:stream>")
            await stopping
        assert [each.kind for each in seen.downs] == ["stopped"]


async def test_stop_does_not_wait_for_a_dead_server() -> None:
    async with raw_server() as server:
        async with linked(server.port) as link:
            await server.connection()
            await polled(lambda: link.up)
            began = time.monotonic()
            link.write("x" * 20_000_000)
            await link.stop()
        assert time.monotonic() - began < 3


async def test_stop_while_connecting() -> None:
    async with raw_server() as server, linked(server.port):
        await server.connection(accept=False)


async def test_a_server_that_stops_reading() -> None:
    limit = 8 * 1024 * 1024
    async with raw_server() as server, linked(server.port, max_buffer=limit) as link:
        connection = await server.connection()
        await polled(lambda: link.up)
        stanza = "<message><body>" + "x" * 1000 + "</body></message>"
        written = 0
        while not link.congested:
            assert link.write(stanza)
            written += 1
            if written % 50 == 0:
                await asyncio.sleep(0)
        assert link.out.size < limit
        waiting = asyncio.create_task(link.drain())
        await asyncio.sleep(0)
        assert not waiting.done()
        for _ in range(written):
            await connection.next()
        await asyncio.wait_for(waiting, 5)
        assert not link.congested


async def test_a_server_that_never_reads_is_given_up() -> None:
    limit = 4 * 1024 * 1024
    async with raw_server() as server, linked(server.port, max_buffer=limit) as link:
        seen = Seen(link)
        await server.connection()
        await seen.until(lambda: seen.ups)
        peak = 0
        while link.write("<message><body>" + "x" * 1000 + "</body></message>"):
            peak = max(peak, link.out.size)
            await asyncio.sleep(0)
        await asyncio.wait_for(link.drain(), 1)
        assert peak < limit * 1.2
        await seen.until(lambda: seen.downs)
        assert seen.downs[0].kind == "overflow"
        await server.connection()


async def test_a_silent_server_is_pinged_then_given_up() -> None:
    settings = {"silence_seconds": 0.2, "ping_seconds": 0.3}
    async with raw_server() as server, linked(server.port, **settings) as link:
        seen = Seen(link)
        connection = await server.connection()
        ping = await connection.next()
        assert ping[0].tag == "{urn:xmpp:ping}ping"
        connection.send(
            f"<iq type='result' id='{ping.get('id')}' from='example.test' to='{link.config.domain}'/>"
        )
        await connection.next()
        await seen.until(lambda: seen.downs)
        assert seen.downs[0].kind == "silent"


async def test_broken_xml_ends_the_stream_without_logging_it(caplog: pytest.LogCaptureFixture) -> None:
    async with raw_server() as server, linked(server.port) as link:
        seen = Seen(link)
        connection = await server.connection()
        await seen.until(lambda: seen.ups)
        connection.send("<message><body>a secret</wrong></message>")
        last = (await connection.to_end())[-1]
        assert last[0].tag == f"{{{STREAMS}}}not-well-formed"
        connection.writer.close()
        await seen.until(lambda: seen.downs)
        assert seen.downs[0].kind == "stream-error"
    assert "a secret" not in caplog.text


def failing(link: ComponentLink) -> None:
    def message(_: InMessage) -> None:
        raise RuntimeError("a bug")

    def presence(_: InPresence) -> None:
        raise StanzaError("auth", "forbidden")

    link.on_message = message
    link.on_presence = presence


async def answers(connection: RawConnection, link: ComponentLink, *stanzas: str) -> list[str]:
    """What comes back for these, up to a fence of our own."""
    connection.send("".join(stanzas))
    connection.send(
        f"<iq type='get' id='last' from='romeo@example.test/o' to='{link.config.domain}'><x xmlns='y'/></iq>"
    )
    found = []
    while (stanza := await connection.next()).get("id") != "last":
        condition = stanza.find(".//*[@type]/*")
        name = "" if condition is None else condition.tag.removeprefix(STANZAS)
        found.append(f"{stanza.tag.rpartition('}')[2]} {stanza.get('type')} {stanza.get('id')} {name}")
        assert stanza.get("to") == "romeo@example.test/o"
    return found


async def test_a_failing_handler_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with raw_server() as server, linked(server.port) as link:
        connection = await server.connection()
        await polled(lambda: link.up)
        failing(link)
        found = await answers(
            connection, link,
            f"<message {WHO} id='m1' type='chat'><body>hush</body></message>",
            f"<message {WHO} id='m2' type='error'><body>hush</body><error/></message>",
            f"<presence {WHO} id='p1'/>",
            f"<presence {WHO} id='p2' type='error'/>",
            f"<presence {WHO} id='p3' type='unavailable'/>",
            f"<iq {WHO} id='i1' type='error'><error/></iq>",
            f"<iq {WHO} id='i2' type='result'/>",
        )  # fmt: skip
        assert found == ["message error m1 internal-server-error", "presence error p1 forbidden"]
    assert "'m1'" in caplog.text
    assert "hush" not in caplog.text


async def test_malformed_addresses_are_survived() -> None:
    async with raw_server() as server, linked(server.port) as link:
        connection = await server.connection()
        await polled(lambda: link.up)
        good = "from='romeo@example.test/o'"
        found = await answers(
            connection, link,
            "<message from='a b@c' to='x@irc.example.test' id='1'/>",
            "<presence from='@' to='x@irc.example.test' id='2'/>",
            "<iq from='a@' to='x@irc.example.test' id='3' type='get'><x xmlns='y'/></iq>",
            "<message to='x@irc.example.test' id='4'/>",
            f"<iq {good} to='a b@irc.example.test' id='5' type='get'><x xmlns='y'/></iq>",
            f"<message {good} to='a b@irc.example.test' id='6'/>",
            f"<message {good} to='a b@irc.example.test' id='7' type='error'/>",
            f"<iq {good} id='8' type='set'><x xmlns='y'/></iq>",
            f"<iq {good} to='x@irc.example.test' id='9' type='get'/>",
            f"<iq {good} to='x@irc.example.test' id='10' type='nonsense'><x xmlns='y'/></iq>",
            "<unknown/>",
        )  # fmt: skip
        assert found == [
            "iq error 5 jid-malformed", "message error 6 jid-malformed", "iq error 8 bad-request",
            "iq error 9 bad-request", "iq error 10 bad-request",
        ]  # fmt: skip


async def test_order_is_kept_through_both_ways_of_writing() -> None:
    async with raw_server() as server, linked(server.port) as link:
        connection = await server.connection()
        await polled(lambda: link.up)
        for number in range(0, 2000, 2):
            link.write(f"<presence id='{number}'/>")
            stanza = link.make_presence(pfrom="a@irc.example.test", pstatus="bold \x02\ud800")  # type: ignore[no-untyped-call]
            stanza["id"] = str(number + 1)
            link.send(stanza)
        got = [await connection.next() for _ in range(2000)]
        assert [stanza.get("id") for stanza in got] == [str(number) for number in range(2000)]
        assert got[1].findtext("{*}status") == "bold \ufffd"


async def test_secrets_stay_out_of_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with raw_server() as server, linked(server.port) as link:
        connection = await server.connection()
        await polled(lambda: link.up)
        await answers(connection, link, f"<message {WHO}><body>hush</body></message>")
        assert "sekrit" not in repr(link.config)
    assert "hush" not in caplog.text
    assert "sekrit" not in caplog.text
    assert "handshake>" not in caplog.text
