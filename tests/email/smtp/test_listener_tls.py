"""STARTTLS at the listener: it works, what was said before it is forgotten, a new certificate is seen."""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
from pathlib import Path
from typing import Any

from backends.email.smtp.inbound import ListenLimits
from tests.email.smtp.support import DOMAIN, in_thread, listening, talking, until
from tests.peers.tls import Certificates, make_certificates

ALICE = f"alice@{DOMAIN}"


def _options(folder: Path) -> tuple[Certificates, dict[str, Any]]:
    certificates = make_certificates(folder, "bridge.example.org")
    files = {"cert_file": str(certificates.cert_file), "key_file": str(certificates.key_file)}
    return certificates, files


async def test_an_independent_client(tmp_path: Path) -> None:
    certificates, files = _options(tmp_path)

    def client() -> None:
        with smtplib.SMTP("localhost", listener.port) as smtp:
            smtp.starttls(context=ssl.create_default_context(cafile=str(certificates.ca_file)))
            smtp.sendmail("", [ALICE], "Subject: x\r\n\r\nhello")

    async with listening(tmp_path, require_tls=True, **files) as (listener, mailbox):
        await in_thread(client)
        assert mailbox.mails[0][0].encrypted
        assert mailbox.mails[0][0].sender == ""
        async with talking(listener.port) as talk:
            assert (await talk.say("EHLO x", "MAIL FROM:<>")).startswith("530 5.7.0")


async def test_what_comes_before_tls_is_forgotten(tmp_path: Path) -> None:
    certificates, files = _options(tmp_path)
    context = ssl.create_default_context(cafile=str(certificates.ca_file))
    async with listening(tmp_path, **files) as (listener, mailbox), talking(listener.port) as talk:
        await talk.say("EHLO x", "MAIL FROM:<>")
        talk.writer.write(f"STARTTLS\r\nRCPT TO:<{ALICE}>\r\n".encode())
        assert (await talk.hear()).startswith("220")
        await talk.writer.start_tls(context, server_hostname="bridge.example.org")
        assert (await talk.say(f"RCPT TO:<{ALICE}>")).startswith("503")
        assert (await talk.say("MAIL FROM:<>")).startswith("503")
        assert "STARTTLS" not in await talk.say("EHLO x")
        assert (await talk.say("STARTTLS")).startswith("503")
        assert not mailbox.mails


async def test_a_handshake_that_fails_leaves_nothing(tmp_path: Path) -> None:
    _, files = _options(tmp_path)
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    async with listening(tmp_path, limits=ListenLimits(command_seconds=0.3), **files) as (listener, _):
        for what in (b"no TLS at all\r\n" * 10, b"\x16\x03\x01", b""):
            async with talking(listener.port) as talk:
                assert (await talk.say("EHLO x", "STARTTLS")).startswith("220")
                talk.writer.write(what)
                await talk.closed()
        await until(lambda: not listener.connections)
    assert problems == []


async def test_a_new_certificate_is_seen(tmp_path: Path) -> None:
    certificates, files = _options(tmp_path)

    def client(ca_file: Path) -> None:
        with smtplib.SMTP("localhost", listener.port) as smtp:
            smtp.starttls(context=ssl.create_default_context(cafile=str(ca_file)))

    async with listening(tmp_path, **files) as (listener, _):
        await in_thread(lambda: client(certificates.ca_file))
        (tmp_path / "new").mkdir()
        renewed = make_certificates(tmp_path / "new", "bridge.example.org")
        certificates.key_file.write_text("half of a key")
        await in_thread(lambda: client(certificates.ca_file))
        os.replace(renewed.key_file, certificates.key_file)
        os.replace(renewed.cert_file, certificates.cert_file)
        await in_thread(lambda: client(renewed.ca_file))
