"""A real Postfix on either side: it brings us mail by SMTP and by LMTP, and takes ours by submission."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.email.smtp.client import try_login
from backends.email.smtp.connection import TimeLimits
from backends.email.smtp.inbound import NOT_NOW, Protocol
from backends.email.smtp.login import Login
from backends.email.values import Security, Server
from bridge.api import AuthFailed, Later, Reason, Refused, Sent
from bridge.testing.fake_host import FakeHost
from tests.email.smtp.support import DOMAIN, a_mail, in_thread, listening, submitting, until
from tests.peers.daemon import free_port
from tests.peers.postfix import Postfix, Route, running_postfix
from tests.peers.sasl import running_sasl
from tests.peers.tls import make_certificates

ALICE, CAROL, NOBODY = f"alice@{DOMAIN}", f"carol@{DOMAIN}", f"nobody@{DOMAIN}"
HOST = "mail.example.org"
NAMES = {"mail_example_org": "127.0.0.1"}
WAYS = [("submission_port", Security.STARTTLS), ("tls_port", Security.TLS)]
LOGIN = Login("alice@example.org", "right")
SETTINGS = {"smtp_tls_security_level": "may", "lmtp_tls_security_level": "may"}


class Town:
    """A Postfix that brings mail for `DOMAIN` to `smtp_port` and for `lmtp.DOMAIN` to `lmtp_port`."""

    def __init__(self, postfix: Postfix, smtp_port: int, lmtp_port: int) -> None:
        self.postfix, self.smtp_port, self.lmtp_port = postfix, smtp_port, lmtp_port

    def port(self, protocol: Protocol) -> int:
        return self.lmtp_port if protocol is Protocol.LMTP else self.smtp_port


@pytest.fixture(scope="module")
def sasl_port() -> Iterator[int]:
    with running_sasl({LOGIN.user: LOGIN.password}) as sasl:
        yield sasl.port


@pytest.fixture(scope="module")
def towns(sasl_port: int) -> Iterator[dict[Protocol, Town]]:
    smtp, lmtp = free_port(), free_port()
    routes = [Route(DOMAIN, smtp, "smtp")], [Route(DOMAIN, lmtp, "lmtp")]
    with (
        running_postfix(routes[0], sasl_port, SETTINGS) as by_smtp,
        running_postfix(routes[1], sasl_port, SETTINGS) as by_lmtp,
    ):
        yield {
            Protocol.SMTP: Town(by_smtp, smtp, lmtp),
            Protocol.LMTP: Town(by_lmtp, smtp, lmtp),
        }


def _put_in(port: int, *recipients: str, sender: str = "bob@example.net", text: str = "hello") -> None:
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.sendmail(sender, recipients, f"Subject: x\r\nMessage-ID: <1@x>\r\n\r\n{text}\r\n")


@pytest.mark.parametrize("protocol", Protocol)
async def test_postfix_brings_mail_encrypted(
    protocol: Protocol, towns: dict[Protocol, Town], tmp_path: Path
) -> None:
    certificates = make_certificates(tmp_path, "bridge.example.org")
    files = {"cert_file": str(certificates.cert_file), "key_file": str(certificates.key_file)}
    town = towns[protocol]
    async with listening(tmp_path, protocol, port=town.port(protocol), **files) as (_, mailbox):
        await in_thread(lambda: _put_in(town.postfix.port, ALICE, CAROL, NOBODY))
        envelope, mail = (await mailbox.wait(1))[0]
        assert sorted(envelope.recipients) == [ALICE, CAROL]
        assert envelope.encrypted
        assert mail.endswith(b"\r\n\r\nhello\r\n")
        # The third is unknown: its sender has a report, for a domain that this Postfix cannot reach.
        await until(lambda: "status=bounced (host 127.0.0.1" in town.postfix.log_text())
        await town.postfix.wait_queue(0)
        assert len(mailbox.mails) == 1


@pytest.mark.parametrize("protocol", Protocol)
async def test_postfix_comes_again(protocol: Protocol, towns: dict[Protocol, Town], tmp_path: Path) -> None:
    town = towns[protocol]
    async with (
        listening(tmp_path, protocol, port=town.port(protocol)) as (_, mailbox),
        town.postfix.nudged(),
    ):
        mailbox.answers[CAROL] = [NOT_NOW]
        await in_thread(lambda: _put_in(town.postfix.port, ALICE, CAROL))
        (_, first), (again, second) = await mailbox.wait(2)
        # By LMTP only to whom it did not reach; by SMTP to all, with the same Message-ID.
        assert sorted(again.recipients) == ([CAROL] if protocol is Protocol.LMTP else [ALICE, CAROL])
        assert b"Message-ID: <1@x>" in first
        assert b"Message-ID: <1@x>" in second
        await town.postfix.wait_queue(0)


async def test_a_report_comes_back_to_us(towns: dict[Protocol, Town], tmp_path: Path) -> None:
    """What we sent to a mailbox that does not exist comes back from the null path."""
    town = towns[Protocol.LMTP]
    mail = a_mail(tmp_path, f"no-such@{DOMAIN}", sender=ALICE)
    async with (
        listening(tmp_path, Protocol.LMTP, port=town.lmtp_port) as (_, mailbox),
        submitting(
            limits=TimeLimits(), ca_file=town.postfix.ca_file, mail_example_org="127.0.0.1"
        ) as submitter,
    ):
        server = Server(HOST, town.postfix.submission_port, Security.STARTTLS)
        handed = await submitter.send(server, LOGIN, mail)
        assert handed.outcomes == {f"no-such@{DOMAIN}": Sent()}
        envelope, report = (await mailbox.wait(1))[0]
    assert (envelope.sender, envelope.recipients) == ("", (ALICE,))
    assert b"Original-Envelope-Id: 1@example.org" in report
    assert b"There is no such mailbox here" in report
    assert b"Hello." not in report


@pytest.mark.parametrize(
    ("kind", "security"), [("submission_port", Security.STARTTLS), ("tls_port", Security.TLS)]
)
async def test_submission(kind: str, security: Security, towns: dict[Protocol, Town], tmp_path: Path) -> None:
    town = towns[Protocol.LMTP]
    server = Server(HOST, getattr(town.postfix, kind), security)
    async with (
        listening(tmp_path, Protocol.LMTP, port=town.lmtp_port) as (_, mailbox),
        submitting(
            limits=TimeLimits(), ca_file=town.postfix.ca_file, mail_example_org="127.0.0.1"
        ) as submitter,
    ):
        mail = a_mail(tmp_path, ALICE, "dave@elsewhere.example", text=b".dot\n..\nlast")
        handed = await submitter.send(server, LOGIN, mail)
        refused = handed.outcomes["dave@elsewhere.example"]
        assert handed.outcomes[ALICE] == Sent()
        assert isinstance(refused, Refused)
        assert "no outside mail in tests" in refused.text
        _, came = (await mailbox.wait(1))[0]
        assert came.endswith(b"\r\n\r\n.dot\r\n..\r\nlast\r\n")
        wrong = await submitter.send(server, Login(LOGIN.user, "wrong"), mail)
        assert wrong.login_refused.startswith("The mail server does not take this user name and password.")
        assert {each.reason for each in wrong.outcomes.values() if isinstance(each, Refused)} == {
            Reason.NOT_AUTHORIZED
        }
        without = await submitter.send(server, None, mail)
        assert isinstance(without.outcomes[ALICE], Refused)


async def test_a_trial(towns: dict[Protocol, Town]) -> None:
    postfix = towns[Protocol.LMTP].postfix
    host = FakeHost(endpoints={HOST: "127.0.0.1"})
    server = Server(HOST, postfix.tls_port)
    await try_login(server, LOGIN.user, LOGIN.password, host, ca_file=str(postfix.ca_file))
    with pytest.raises(AuthFailed, match="authentication failed"):
        await try_login(server, LOGIN.user, "wrong", host, ca_file=str(postfix.ca_file))


@pytest.mark.heavy
async def test_postfix_is_killed(sasl_port: int, tmp_path: Path) -> None:
    """Before it has answered a mail is not lost; what it has taken outlasts it."""
    with running_postfix([Route(DOMAIN, free_port())], sasl_port) as postfix:
        server = Server(HOST, postfix.tls_port)
        async with submitting(limits=TimeLimits(), ca_file=postfix.ca_file, **NAMES) as submitter:
            mail = a_mail(tmp_path, ALICE)
            assert (await submitter.send(server, LOGIN, mail)).outcomes[ALICE] == Sent()
            await postfix.wait_queue(1)
            await asyncio.to_thread(postfix.kill)
            assert isinstance((await submitter.send(server, LOGIN, mail)).outcomes[ALICE], Later)
            await asyncio.to_thread(postfix.start)
            assert (await submitter.send(server, LOGIN, mail)).outcomes[ALICE] == Sent()
            await postfix.wait_queue(2)
