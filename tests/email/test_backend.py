"""The backend as a whole: accounts that the options have left behind, listening that is tried again."""

from __future__ import annotations

import asyncio
import socket

import pytest

from backends.email.backend import EmailBackend
from backends.email.options import Options
from backends.email.session import DomainSession, MailboxSession
from bridge.api import Account, AccountId, AuthFailed, ConnectionLost, NetworkId, Session
from bridge.testing.fake_host import FakeHost
from tests.email.test_reception import Gateway
from tests.peers.daemon import free_port

DOMAIN = {"domain": "chat.example.org", "lmtp_listen": "127.0.0.1:24", "smarthost": "localhost"}
ALICE = {"kind": "domain", "email": "alice@chat.example.org"}
ROSE = {"kind": "mailbox", "email": "rose@example.org", "imap": "tls 993 x", "smtp": "tls 465 x"}


def opened(options: dict[str, object], settings: dict[str, str]) -> Session:
    """The session of an account with those settings."""
    account = Account(AccountId("a"), "a@example.org", NetworkId(""), settings, {"password": "secret"})
    return EmailBackend(Options(**options)).open(account, FakeHost(account))  # type: ignore[arg-type]


def test_accounts_that_fit_the_options() -> None:
    assert isinstance(opened(DOMAIN, ALICE), DomainSession)
    assert isinstance(opened(DOMAIN, ROSE), MailboxSession)
    assert isinstance(opened({}, ROSE), MailboxSession)


@pytest.mark.parametrize(
    ("options", "settings", "text"),
    [
        ({}, ALICE, "no address of this gateway any more"),
        (DOMAIN | {"domain": "other.example.org"}, ALICE, "no address of this gateway any more"),
        (DOMAIN | {"mailboxes": False}, ROSE, "Mailboxes elsewhere"),
    ],
)
async def test_accounts_that_the_options_left_behind(
    options: dict[str, object], settings: dict[str, str], text: str
) -> None:
    session = opened(options, settings)
    with pytest.raises(AuthFailed, match=text):
        await session.run()
    await session.close("")


async def test_a_port_that_is_taken_is_told_and_tried_again() -> None:
    port = free_port()
    backend = EmailBackend(Options(**DOMAIN | {"lmtp_listen": f"127.0.0.1:{port}"}))  # type: ignore[arg-type]
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(ConnectionLost, match=f"can't listen for mail at 127.0.0.1:{port}"):
            await backend.serve(Gateway())
    serving = asyncio.create_task(backend.serve(Gateway()))
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        break
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
