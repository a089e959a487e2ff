"""Every step of a mail's way to a server, and everything that can go wrong there: what the outcome is."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.email.smtp.login import Login
from backends.email.values import Security, Server
from bridge.api import Later, Outcome, Reason, Refused, Sent, Unknown
from tests.email.smtp.scripted import CLOSE, HANG, scripted
from tests.email.smtp.support import a_mail, submitting

BOB = "bob@example.net"
LOGIN = Login("alice@example.org", "secret")

BEFORE = ("greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA")
JUNK = "hello, I am no mail server"

WRONG: list[tuple[str, str, type[Outcome]]] = [
    *((step, what, Later) for step in BEFORE for what in (HANG, CLOSE, JUNK)),
    *((step, "421 4.3.2 going down", Later) for step in BEFORE),
    *((step, "451 4.3.0 not now", Later) for step in BEFORE),
    *((step, "554 5.7.1 not you", Refused) for step in BEFORE),
    ("DATA", "250 2.0.0 what mail?", Later),
    ("body", HANG, Later),
    ("body", CLOSE, Later),
    ("body", "452 4.3.1 no room", Later),
    ("body", "552 5.3.4 too big", Refused),
    ("body", "250 2.0.0 enough", Later),
    ("dot", HANG, Unknown),
    ("dot", CLOSE, Unknown),
    ("dot", JUNK, Unknown),
    ("dot", "421 4.3.2 going down", Later),
    ("dot", "451 4.3.0 not now", Later),
    ("dot", "554 5.6.0 not that", Refused),
    ("QUIT", HANG, Sent),
    ("QUIT", CLOSE, Sent),
    ("QUIT", JUNK, Sent),
]


@pytest.mark.parametrize(("step", "what", "expected"), WRONG)
async def test_what_goes_wrong_has_an_outcome(
    step: str, what: str, expected: type[Outcome], tmp_path: Path
) -> None:
    # Bigger than what fits into the buffers between us and a server that does not read.
    text = b"x" * 76 + b"\r\n"
    mail = a_mail(tmp_path, text=text * (200_000 if step == "body" else 1))
    async with scripted({step: what}) as server, submitting() as submitter:
        handed = await submitter.send(Server("localhost", server.port, Security.PLAIN), LOGIN, mail)
    (outcome,) = handed.outcomes.values()
    assert isinstance(outcome, expected)
    if not isinstance(outcome, Sent):
        words = outcome.text if isinstance(outcome, Refused) else outcome.why
        assert f"localhost:{server.port}" in words
        assert "secret" not in words
    assert bool(handed.login_refused) == (step == "AUTH" and expected is Refused)


async def test_nothing_is_wrong(tmp_path: Path) -> None:
    async with scripted() as server, submitting() as submitter:
        handed = await submitter.send(
            Server("localhost", server.port, Security.PLAIN),
            LOGIN,
            a_mail(tmp_path, text=b".dot\r\n..\r\nend"),
        )
    assert handed.outcomes == {BOB: Sent()}
    assert server.lines[2] == "MAIL FROM:<alice@example.org> SIZE=88 RET=HDRS ENVID=1@example.org"
    assert server.lines[3] == f"RCPT TO:<{BOB}> NOTIFY=FAILURE,DELAY ORCPT=rfc822;{BOB}"
    assert server.lines[-1] == "QUIT"
    assert server.mails[0].endswith(b"\r\n\r\n..dot\r\n...\r\nend\r\n")


async def test_a_port_where_nobody_listens(tmp_path: Path) -> None:
    async with scripted() as server:
        port = server.port
    async with submitting() as submitter:
        handed = await submitter.send(Server("localhost", port), LOGIN, a_mail(tmp_path))
    outcome = handed.outcomes[BOB]
    assert isinstance(outcome, Later)
    assert outcome.why == f"localhost:{port} cannot be connected to: Connection refused."
    assert 4 < outcome.after < 6


async def test_recipients_have_outcomes_of_their_own(tmp_path: Path) -> None:
    people = tuple(f"{name}@example.net" for name in ("taken", "grey", "gone", "full"))
    replies = [
        "250 2.1.5 ok",
        "450 4.7.1 Greylisted, please try again in 300 seconds",
        "550 5.1.1 User unknown",
        "452 4.2.2 Mailbox full",
    ]
    async with scripted({"RCPT": replies}) as server, submitting() as submitter:
        mail = a_mail(tmp_path, *people)
        handed = await submitter.send(Server("localhost", server.port, Security.PLAIN), None, mail)
    taken, grey, gone, full = (handed.outcomes[each] for each in people)
    assert taken == Sent()
    assert isinstance(grey, Later)
    assert grey.after == 305
    assert "greylisting" in grey.why
    assert isinstance(gone, Refused)
    assert gone.reason is Reason.NOT_FOUND
    assert isinstance(full, Later)
    assert full.why.startswith("The mailbox is full.")


async def test_who_does_not_fit_gets_a_mail_of_their_own(tmp_path: Path) -> None:
    people = ("a@example.net", "b@example.net", "c@example.net")
    replies = ["250 ok", "452 4.5.3 too many", "452 4.5.3 too many", "250 ok", "250 ok"]
    async with scripted({"RCPT": replies}) as server, submitting() as submitter:
        mail = a_mail(tmp_path, *people)
        handed = await submitter.send(Server("localhost", server.port, Security.PLAIN), None, mail)
    assert handed.outcomes == dict.fromkeys(people, Sent())
    assert len(server.mails) == 2
    assert server.connections == 1


async def test_nothing_blind_is_seen(tmp_path: Path) -> None:
    """A mail says to each server nothing of other recipients but in the envelope."""
    mail = a_mail(tmp_path, "to@example.net", "blind@example.net")
    async with scripted() as server, submitting() as submitter:
        await submitter.send(Server("localhost", server.port, Security.PLAIN), None, mail)
        mail.path.write_bytes(b"From: a@example.org\r\nBcc: blind@example.net\r\n\r\nHi.\r\n")
        with pytest.raises(ValueError, match="Bcc"):
            await submitter.send(Server("localhost", server.port, Security.PLAIN), None, mail)
    assert b"blind" not in server.mails[0]
    assert len(server.mails) == 1


async def test_a_mail_that_is_too_big_is_not_offered(tmp_path: Path) -> None:
    says = {"EHLO": "250-scripted\r\n250 SIZE 1000"}
    async with scripted(says) as server, submitting() as submitter:
        mail = a_mail(tmp_path, text=b"x" * 2_000_000)
        handed = await submitter.send(Server("localhost", server.port, Security.PLAIN), None, mail)
    outcome = handed.outcomes[BOB]
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.TOO_LONG
    assert outcome.text.startswith("The mail has 2.0 MB;")
    assert not [line for line in server.lines if line.startswith("MAIL")]


@pytest.mark.parametrize(
    ("extensions", "sender", "text", "expected"),
    [
        ("SMTPUTF8", "jörg@example.org", b"x", "MAIL FROM:<jörg@example.org> SMTPUTF8"),
        ("DSN", "jörg@example.org", b"x", None),
        (
            "DSN",
            "joerg@bücher.example",
            b"x",
            "MAIL FROM:<joerg@xn--bcher-kva.example> RET=HDRS ENVID=1@example.org",
        ),
        ("8BITMIME", "a@example.org", "ä".encode(), "MAIL FROM:<a@example.org> BODY=8BITMIME"),
        ("DSN", "a@example.org", "ä".encode(), None),
        ("HELP", "", b"x", "MAIL FROM:<>"),
    ],
)
async def test_extensions_are_used_where_they_are_offered(
    extensions: str, sender: str, text: bytes, expected: str | None, tmp_path: Path
) -> None:
    async with scripted({"EHLO": f"250-scripted\r\n250 {extensions}"}) as server, submitting() as submitter:
        mail = a_mail(tmp_path, sender=sender, text=text)
        handed = await submitter.send(Server("localhost", server.port, Security.PLAIN), None, mail)
    offered = [line for line in server.lines if line.startswith("MAIL")]
    assert offered == ([expected] if expected else [])
    assert isinstance(handed.outcomes[BOB], Sent if expected else Refused)


async def test_a_line_break_in_an_address_goes_nowhere(tmp_path: Path) -> None:
    evil = "bob@example.net>\r\nRCPT TO:<eve@example.net"
    async with scripted() as server, submitting() as submitter:
        handed = await submitter.send(
            Server("localhost", server.port, Security.PLAIN), None, a_mail(tmp_path, evil, BOB)
        )
    assert handed.outcomes[BOB] == Sent()
    assert isinstance(handed.outcomes[evil], Refused)
    assert not [line for line in server.lines if "eve" in line]
