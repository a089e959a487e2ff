"""A listener, spoken to line by line: what it takes, what it refuses, what it says when something fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from backends.email.smtp.inbound import MAILBOX_FULL, NOT_NOW, ListenLimits, Protocol
from backends.email.smtp.trace import TRACE_HEADER
from tests.email.smtp.support import DOMAIN, Talk, listening, talking, until

ALICE, CAROL, NOBODY = f"alice@{DOMAIN}", f"carol@{DOMAIN}", f"nobody@{DOMAIN}"


async def test_a_mail_comes_in(tmp_path: Path) -> None:
    async with listening(tmp_path) as (listener, mailbox), talking(listener.port) as talk:
        hello = await talk.say("EHLO client.example.net")
        assert hello.split("\n")[1:] == [
            "250-SIZE 36000000", "250-8BITMIME", "250-SMTPUTF8", "250-PIPELINING", "250 ENHANCEDSTATUSCODES",
        ]  # fmt: skip
        assert await talk.begin(ALICE.upper()) == "354 End the mail with a dot on a line of its own"
        assert await talk.say("Subject: x\r\n\r\n..dot\r\n.") == "250 2.0.0 Mail taken"
        assert await talk.say("QUIT") == "221 Bye"
        ((envelope, mail),) = mailbox.mails
    assert (envelope.sender, envelope.recipients) == ("bob@example.net", (ALICE,))
    assert (envelope.peer, envelope.helo, envelope.encrypted) == ("127.0.0.1", "client.example.net", False)
    assert mail.startswith(
        b"Return-Path: <bob@example.net>\r\nReceived: from client.example.net ([127.0.0.1])"
    )
    assert mail.endswith(b"Subject: x\r\n\r\n.dot\r\n")


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["MAIL FROM:<a@example.net>"], "503"),
        (["EHLO x", "RCPT TO:<alice@email.example.org>"], "503"),
        (["EHLO x", "DATA"], "503"),
        (["EHLO x", "MAIL FROM:<a@example.net>", "DATA"], "503"),
        (["EHLO x", "MAIL FROM:<a@example.net>", "MAIL FROM:<a@example.net>"], "503"),
        (["EHLO x", "MAIL FROM:<>", f"RCPT TO:<{ALICE}>"], "250 2.1.5"),
        (["HELO x", "MAIL FROM:<a@example.net>", "RCPT TO:<PostMaster>"], "250 2.1.5"),
        (["EHLO x", "MAIL FROM:<a@example.net>", f"RCPT TO:<{NOBODY}>"], "550 5.1.1"),
        (["EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<a@example.net>"], "550 5.7.1"),
        (["EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<a%example.net@else.example>"], "550 5.7.1"),
        (["EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<>"], "501"),
        (["EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<a\x01b@email.example.org>"], "501"),
        (["EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<a\udcffb@email.example.org>"], "501"),
        (["EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<jörg@email.example.org>"], "553 5.6.7"),
        (["EHLO x", "MAIL FROM:<a@example.net> SMTPUTF8", "RCPT TO:<jörg@email.example.org>"], "250 2.1.5"),
        (["EHLO x", "MAIL FROM:<a@example.net> SMTPUTF8", "RCPT TO:<a\udcffb@email.example.org>"], "501"),
        (["EHLO x", "MAIL FROM:<a@example.net> SIZE=36000001"], "552 5.3.4"),
        (["EHLO x", "MAIL FROM:<a@example.net> AUTH=<>"], "555"),
        (["EHLO x", "VRFY alice"], "252"),
        (["EHLO x", "VRFY nobody"], "252"),
        (["EHLO x", "EXPN staff"], "502"),
        (["EHLO x", "AUTH PLAIN AGEAYg=="], "502"),
        (["EHLO x", "HELP"], "214"),
        (["EHLO x", "STARTTLS"], "454"),
        (["LHLO x"], "500"),
        (["EHLO"], "501"),
        (["NOOP"], "250"),
        (["FOO\rBAR\x1b"], "500"),
        (["EHLO x", "MAIL FROM:<a@example.net>", "RSET", "MAIL FROM:<b@example.net>"], "250 2.1.0"),
        (["EHLO " + "x" * 3000], "500"),
        (["EHLO " + "x" * 300_000], "500"),
    ],
)
async def test_commands(lines: list[str], code: str, tmp_path: Path) -> None:
    async with listening(tmp_path) as (listener, mailbox), talking(listener.port) as talk:
        reply = await talk.say(*lines)
        assert reply.startswith(code)
        assert (await talk.say("NOOP")).startswith("250")
        assert not mailbox.mails


async def test_lmtp_answers_for_each_recipient(tmp_path: Path) -> None:
    async with listening(tmp_path, Protocol.LMTP) as (listener, mailbox), talking(listener.port) as talk:
        mailbox.answers[CAROL] = [MAILBOX_FULL]
        assert (await talk.say("EHLO x")).startswith("500")
        assert (await talk.begin(ALICE, NOBODY, CAROL, ALICE, hello="LHLO")).startswith("354")
        talk.writer.write(b"Subject: x\r\n\r\n.\r\nNOOP\r\n")
        replies = [await talk.hear() for _ in range(4)]
        assert [each[:9] for each in replies] == ["250 2.0.0", "452 4.2.2", "250 2.0.0", "250 OK"]
        assert mailbox.mails[0][0].recipients == (ALICE, CAROL)


@pytest.mark.parametrize("protocol", Protocol)
async def test_what_fails_is_told_as_not_now(protocol: Protocol, tmp_path: Path) -> None:
    """No text of the fault gets out, and each recipient has an answer."""
    async with listening(tmp_path, protocol) as (listener, mailbox), talking(listener.port) as talk:
        mailbox.fault = RuntimeError("secret database password")
        hello = "LHLO" if protocol is Protocol.LMTP else "EHLO"
        assert await talk.say(f"{hello} x", "MAIL FROM:<>", f"RCPT TO:<fault@{DOMAIN}>") == str(NOT_NOW)
        await talk.say(f"RCPT TO:<{ALICE}>", f"RCPT TO:<{CAROL}>", "DATA")
        assert await talk.say("x\r\n.") == str(NOT_NOW)
        if protocol is Protocol.LMTP:
            assert await talk.hear() == str(NOT_NOW)
        mailbox.fault = None
        await talk.say("MAIL FROM:<>", f"RCPT TO:<{ALICE}>", "DATA")
        assert (await talk.say("x\r\n.")).startswith("250")


async def test_smtp_with_several_recipients_has_one_answer(tmp_path: Path) -> None:
    """Where one could not be stored all come again; who has it already is told apart by the Message-ID."""
    async with listening(tmp_path) as (listener, mailbox), talking(listener.port) as talk:
        mailbox.answers[CAROL] = [NOT_NOW]
        await talk.begin(ALICE, CAROL)
        assert await talk.say("x\r\n.") == str(NOT_NOW)
        await talk.say("MAIL FROM:<>", f"RCPT TO:<{ALICE}>", f"RCPT TO:<{CAROL}>", "DATA")
        assert (await talk.say("x\r\n.")).startswith("250")


async def test_nothing_is_taken_before_it_is_stored(tmp_path: Path) -> None:
    async with listening(tmp_path) as (listener, mailbox), talking(listener.port) as talk:
        mailbox.hold = asyncio.Event()
        await talk.begin(ALICE)
        answer = asyncio.create_task(talk.say("x\r\n."))
        await mailbox.started.wait()
        assert not answer.done()
        mailbox.hold.set()
        assert (await answer).startswith("250")


async def test_who_hangs_up_does_not_interrupt_the_storing(tmp_path: Path) -> None:
    async with listening(tmp_path) as (listener, mailbox):
        mailbox.hold = asyncio.Event()
        async with talking(listener.port) as talk:
            await talk.begin(ALICE)
            talk.writer.write(b"x\r\n.\r\n")
            await mailbox.started.wait()
        await until(lambda: not listener.connections)
        mailbox.hold.set()
        await mailbox.wait(1)


async def test_who_hangs_up_in_a_mail_leaves_nothing(tmp_path: Path) -> None:
    async with listening(tmp_path) as (listener, mailbox):
        async with talking(listener.port) as talk:
            await talk.begin(ALICE)
            talk.writer.write(b"x" * 500_000)
            await talk.writer.drain()
        await until(lambda: not listener.connections)
        assert not mailbox.mails
        assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("protocol", Protocol)
async def test_too_big(protocol: Protocol, tmp_path: Path) -> None:
    async with listening(tmp_path, protocol, size_limit=1000) as (listener, mailbox):
        async with talking(listener.port) as talk:
            hello = "LHLO" if protocol is Protocol.LMTP else "EHLO"
            await talk.begin(ALICE, CAROL, hello=hello)
            assert (await talk.say("x" * 2000 + "\r\n.")).startswith("552 5.3.4")
            if protocol is Protocol.LMTP:
                assert (await talk.hear()).startswith("552 5.3.4")
            assert (await talk.say("NOOP")).startswith("250")
        async with talking(listener.port) as talk:
            await talk.begin(ALICE, hello=hello)
            assert (await talk.say("x" * 5000)).startswith("421")
            assert await talk.closed() == b""
        assert not mailbox.mails


async def test_pipelining(tmp_path: Path) -> None:
    async with listening(tmp_path) as (listener, mailbox), talking(listener.port) as talk:
        talk.writer.write(
            f"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<{ALICE}>\r\nRCPT TO:<{NOBODY}>\r\nDATA\r\n".encode()
        )
        assert [(await talk.hear())[:3] for _ in range(5)] == ["250", "250", "250", "550", "354"]
        one = f"MAIL FROM:<>\r\nRCPT TO:<{CAROL}>\r\nDATA\r\n"
        talk.writer.write(f"one\r\n.\r\n{one}two\r\n.\r\n{one}.\r\nQUIT\r\n".encode())
        codes = [(await talk.hear())[:3] for _ in range(10)]
        assert codes == ["250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]
        assert [mail.split(b"\r\n")[-2] for _, mail in mailbox.mails[:2]] == [b"one", b"two"]


@pytest.mark.parametrize(
    "text", [b"a\nb\n.\nc", b"a\r.\rb", b"\n.\r\nx", b"\r\n.\nx", b"a\0b\xff", b"x" * 100_000, b"\r\r\n.\r"]
)
async def test_only_a_dot_between_crlf_ends_a_mail(text: bytes, tmp_path: Path) -> None:
    """What others take for the end of a mail is part of it: nothing can be smuggled in (CVE-2023-51764)."""
    async with listening(tmp_path) as (listener, mailbox), talking(listener.port) as talk:
        await talk.begin(ALICE)
        talk.writer.write(text + f"\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<{CAROL}>\r\n.\r\n".encode())
        assert (await talk.hear()).startswith("250 2.0.0")
        ((envelope, mail),) = mailbox.mails
        assert envelope.recipients == (ALICE,)
        assert mail.split(b"bridge.example.org\r\n", 1)[1].startswith(text.replace(b"\r\n.", b"\r\n"))


async def test_loops_end(tmp_path: Path) -> None:
    async with listening(tmp_path) as (listener, mailbox), talking(listener.port) as talk:
        for header in ("Received: from a by b; now\r\n" * 51, f"{TRACE_HEADER}: bridge.example.org\r\n" * 3):
            await talk.begin(ALICE)
            assert (await talk.say(f"{header}\r\nhi\r\n.")).startswith("554 5.4.6")
        assert not mailbox.mails


async def test_no_room(tmp_path: Path) -> None:
    async with listening(tmp_path) as (listener, mailbox), talking(listener.port) as talk:
        spool = tmp_path / "spool"
        spool.rename(tmp_path / "away")
        assert (await talk.begin(ALICE)).startswith("452 4.3.1")
        (tmp_path / "away").rename(spool)
        assert (await talk.say("DATA")).startswith("354")
        assert (await talk.say("x\r\n.")).startswith("250")
        assert len(mailbox.mails) == 1


async def test_limits_of_a_connection(tmp_path: Path) -> None:
    limits = ListenLimits(mails=2, recipients=2, wrong_recipients=3)
    async with listening(tmp_path, limits=limits) as (listener, _):
        async with talking(listener.port) as talk:
            await talk.say("EHLO x", "MAIL FROM:<>", f"RCPT TO:<{ALICE}>", f"RCPT TO:<{CAROL}>")
            assert (await talk.say(f"RCPT TO:<dave@{DOMAIN}>")).startswith("452 4.5.3")
            await talk.say("RSET", "MAIL FROM:<>", "RSET")
            assert (await talk.say("MAIL FROM:<>")).startswith("421 4.7.0")
            assert await talk.closed() == b""
        async with talking(listener.port) as talk:
            await talk.say("EHLO x", "MAIL FROM:<>", *[f"RCPT TO:<{NOBODY}>"] * 3)
            assert (await talk.say(f"RCPT TO:<{ALICE}>")).startswith("421 4.7.0")
            assert await talk.closed() == b""


async def test_limits_of_an_address(tmp_path: Path) -> None:
    limits = ListenLimits(per_ip=2, mails_per_minute=2)
    async with listening(tmp_path, limits=limits) as (listener, _):
        async with talking(listener.port) as talk, talking(listener.port):
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            assert (await reader.read()).startswith(b"421 4.7.0")
            writer.close()
            await talk.say("EHLO x", "MAIL FROM:<>", "RSET", "MAIL FROM:<>", "RSET")
            assert (await talk.say("MAIL FROM:<>")).startswith("451 4.7.1")
        await until(lambda: not listener.connections)
        async with talking(listener.port):
            pass


async def test_who_may_connect(tmp_path: Path) -> None:
    async with listening(tmp_path, listen_from=("192.0.2.0/24",)) as (listener, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert await reader.read() == b"554 5.7.1 This is not for you\r\n"
        writer.close()


async def test_the_slow_are_cut_off(tmp_path: Path) -> None:
    limits = ListenLimits(command_seconds=0.2, block_seconds=0.2, mail_seconds=0.6)
    async with listening(tmp_path, limits=limits) as (listener, mailbox):
        async with talking(listener.port) as talk:  # says nothing
            assert (await talk.closed()).startswith(b"421 4.4.2")
        async with talking(listener.port) as talk:  # a line that never ends
            dripping = asyncio.create_task(_drip(talk))
            assert (await talk.closed()).startswith(b"421 4.4.2")
            await dripping
        async with talking(listener.port) as talk:  # a mail that stops
            await talk.begin(ALICE)
            assert (await talk.closed()).startswith(b"421 4.4.2")
        async with talking(listener.port) as talk:  # a mail that never ends
            await talk.begin(ALICE)
            dripping = asyncio.create_task(_drip(talk))
            assert (await talk.closed()).startswith(b"421 4.4.2")
            await dripping
        assert not mailbox.mails


async def _drip(talk: Talk) -> None:
    try:
        while not talk.reader.at_eof():
            talk.writer.write(b"x")
            await talk.writer.drain()
            await asyncio.sleep(0.05)
    except ConnectionError:
        return


async def test_a_session_has_an_end(tmp_path: Path) -> None:
    limits = ListenLimits(session_seconds=0.3)
    async with listening(tmp_path, limits=limits) as (listener, _), talking(listener.port) as talk:
        assert (await talk.closed()).startswith(b"421 4.4.2")


async def test_stopping(tmp_path: Path) -> None:
    """What is in is stored and answered; the others are told to come again."""
    async with (
        listening(tmp_path) as (listener, mailbox),
        talking(listener.port) as waiting,
        talking(listener.port) as storing,
    ):
        mailbox.hold = asyncio.Event()
        await storing.begin(ALICE)
        answer = asyncio.create_task(storing.say("x\r\n."))
        await mailbox.started.wait()
        stopping = asyncio.create_task(listener.stop())
        await asyncio.sleep(0)
        mailbox.hold.set()
        assert (await answer).startswith("250")
        await stopping
        assert (await waiting.closed()).startswith(b"421 4.3.2")
