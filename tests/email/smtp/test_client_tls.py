"""Nothing goes to a server that is not the one that was meant, or over a line that others can read."""

from __future__ import annotations

import datetime
import ssl
import time
from pathlib import Path

import msgspec
import pytest

from backends.email.smtp.client import try_login
from backends.email.smtp.login import Login
from backends.email.values import Security, Server
from bridge.api import AuthFailed, ConnectionLost, Later, Sent
from bridge.testing.fake_host import FakeHost
from tests.email.smtp.scripted import HANG, scripted
from tests.email.smtp.support import QUICK, a_mail, submitting
from tests.peers import tls
from tests.peers.tls import Certificates, make_certificates

BOB = "bob@example.net"
LOGIN = Login("alice@example.org", "secret")
OFFERS = "250-scripted\r\n250-AUTH PLAIN\r\n250 STARTTLS"


def _context(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.cert_file, certificates.key_file)
    return context


async def _send(folder: Path, context: ssl.SSLContext, ca_file: Path, host: str) -> tuple[object, list[str]]:
    async with (
        scripted({"EHLO": OFFERS}, context) as server,
        submitting(ca_file=ca_file, mail_example_org="127.0.0.1", other_example_org="127.0.0.1") as submitter,
    ):
        where = Server(host, server.port, Security.STARTTLS)
        handed = await submitter.send(where, LOGIN, a_mail(folder))
    return handed.outcomes[BOB], server.lines


async def test_the_name_counts_not_the_address(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path, "mail.example.org")
    context = _context(certificates)
    outcome, lines = await _send(tmp_path, context, certificates.ca_file, "mail.example.org")
    assert outcome == Sent()
    assert [line.split(" ")[0] for line in lines[:4]] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]
    outcome, lines = await _send(tmp_path, context, certificates.ca_file, "other.example.org")
    assert isinstance(outcome, Later)
    assert "cannot be trusted" in outcome.why
    assert "other.example.org" in outcome.why
    assert [line.split(" ")[0] for line in lines] == ["EHLO", "STARTTLS"]


class _LastWeek(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> _LastWeek:
        return cls.fromtimestamp(time.time() - 7 * 86400, tz)


async def test_an_expired_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tls.datetime, "datetime", _LastWeek)
        certificates = make_certificates(tmp_path, "mail.example.org")
    outcome, _ = await _send(tmp_path, _context(certificates), certificates.ca_file, "mail.example.org")
    assert isinstance(outcome, Later)
    assert "certificate has expired" in outcome.why


async def test_an_unknown_authority(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificates = make_certificates(tmp_path, "mail.example.org")
    other = make_certificates(tmp_path / "other", "mail.example.org")
    outcome, _ = await _send(tmp_path, _context(certificates), other.ca_file, "mail.example.org")
    assert isinstance(outcome, Later)
    assert "ca_file" in outcome.why


async def test_no_starttls_no_login(tmp_path: Path) -> None:
    async with scripted() as server, submitting() as submitter:
        where = Server("localhost", server.port, Security.STARTTLS)
        handed = await submitter.send(where, LOGIN, a_mail(tmp_path))
    outcome = handed.outcomes[BOB]
    assert isinstance(outcome, Later)
    assert "offers no encryption" in outcome.why
    assert [line.split(" ")[0] for line in server.lines] == ["EHLO"]


@pytest.mark.parametrize("what", [HANG, "454 4.7.0 no TLS now", "501 5.5.4 never"])
async def test_starttls_fails(what: str, tmp_path: Path) -> None:
    async with scripted({"EHLO": OFFERS, "STARTTLS": what}) as server:
        limits = msgspec.structs.replace(QUICK, connect=0.5)
        async with submitting(limits=limits) as submitter:
            where = Server("localhost", server.port, Security.STARTTLS)
            handed = await submitter.send(where, LOGIN, a_mail(tmp_path))
    outcome = handed.outcomes[BOB]
    assert not isinstance(outcome, Sent)
    assert f"localhost:{server.port}" in (outcome.why if isinstance(outcome, Later) else outcome.text)
    assert not [line for line in server.lines if line.startswith("AUTH")]


async def test_a_server_that_speaks_no_tls(tmp_path: Path) -> None:
    async with scripted() as server, submitting() as submitter:
        handed = await submitter.send(Server("localhost", server.port), LOGIN, a_mail(tmp_path))
    outcome = handed.outcomes[BOB]
    assert isinstance(outcome, Later)
    assert "does not speak TLS" in outcome.why


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        ({"AUTH": "535 5.7.8 bad credentials"}, AuthFailed, "does not take this user name and password"),
        ({"AUTH": "534 5.7.9 use an app password"}, AuthFailed, "use an app password"),
        ({"AUTH": "454 4.7.0 try later"}, ConnectionLost, "try later"),
        ({"greeting": "554 5.7.1 your address is listed"}, ConnectionLost, "your address is listed"),
        ({"EHLO": "250 scripted"}, AuthFailed, "offers no login"),
        ({"AUTH": "close"}, ConnectionLost, "broke at the login"),
    ],
)
async def test_a_trial_says_who_said_what(
    says: dict[str, str | list[str]], error: type[Exception], words: str
) -> None:
    async with scripted(says) as server:
        where = Server("localhost", server.port, Security.PLAIN)
        with pytest.raises(error, match=words) as raised:
            await try_login(where, "alice@example.org", "secret", FakeHost())
    assert f"localhost:{server.port}" in str(raised.value)
    assert "secret" not in str(raised.value)
    # One wrong password is one attempt, not one for each mechanism.
    assert len([line for line in server.lines if line.startswith("AUTH")]) <= 1


async def test_a_trial_that_works() -> None:
    async with scripted() as server:
        await try_login(Server("localhost", server.port, Security.PLAIN), "alice", "sécret", FakeHost())
    assert server.lines[-1] == "QUIT"


def test_a_login_is_not_shown() -> None:
    assert "secret" not in repr(LOGIN)
    assert "secret" not in f"{LOGIN}"
