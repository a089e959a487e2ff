"""How mail to our domain is taken: for whom, and that nobody's trouble is another's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backends.email.arrivals import Arrivals
from backends.email.conversations import Conversations
from backends.email.departures import Tools
from backends.email.options import Options
from backends.email.reception import AT_ONCE, Reception
from backends.email.smtp import inbound
from backends.email.smtp.inbound import Answer, Envelope
from backends.email.worker.mail_worker import MailWorker
from bridge.api import (
    Account,
    AccountId,
    Attachment,
    AuthFailed,
    ConnectionLost,
    MessageReceived,
    NetworkId,
)
from bridge.testing import FakeGatewayHost, FakeHost

DOMAIN = "chat.example.org"
MAIL = b"From: rose@example.org\r\nMessage-ID: <1@x>\r\nTo: %b\r\n\r\nHello\r\n"


class Broken(FakeHost):
    """A host that fails in a way that nobody thought of."""

    async def cursor(self, name: str) -> str | None:
        raise RuntimeError("a bug")


class Out(FakeHost):
    """A host without a database."""

    async def cursor(self, name: str) -> str | None:
        raise ConnectionLost("The database is out.")


class Gateway(FakeGatewayHost):
    """Knows who holds which address."""

    def add(self, name: str, kind: type[FakeHost] = FakeHost) -> FakeHost:
        """Somebody with that address."""
        address = f"{name}@{DOMAIN}"
        host = kind(Account(AccountId(name), f"{name}@xmpp", NetworkId(""), {"email": address}))
        self.hosts[address] = host
        return host


class World:
    """A reception, and who is known there."""

    def __init__(self, folder: Path, worker: MailWorker) -> None:
        self.gateway, self.folder = Gateway(), folder
        talks = Conversations()
        options = Options(domain=DOMAIN, postmaster=f"admin@{DOMAIN}")
        tools = Tools(worker, None, talks, folder, 1000)  # type: ignore[arg-type]
        self.reception = Reception(options, tools, Arrivals(talks), self.gateway)

    async def deliver(self, *names: str) -> list[Answer]:
        """What is answered for a mail to all of them, in that order."""
        addresses = tuple(f"{name}@{DOMAIN}" for name in names)
        file = self.folder / "mail.eml"
        file.write_bytes(MAIL % addresses[0].encode())
        envelope = Envelope("1", "rose@example.org", addresses, "127.0.0.1", "x", False, 10)
        answers = await self.reception.deliver(envelope, file)
        assert list(answers) == list(addresses)
        return list(answers.values())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """With a worker of its own."""
    worker = MailWorker()
    yield World(tmp_path, worker)
    await worker.close()


async def test_who_is_there(world: World) -> None:
    world.gateway.add("alice")
    world.gateway.hosts[f"gone@{DOMAIN}"] = AuthFailed("unregistered")
    world.gateway.hosts[f"out@{DOMAIN}"] = ConnectionLost("The database is out.")
    answers = {name: await world.reception.check(f"{name}@{DOMAIN}") for name in
               ("alice", "alice+shop", "nobody", "gone", "out", "postmaster")}  # fmt: skip
    assert answers == {
        "alice": inbound.KNOWN,
        "alice+shop": inbound.KNOWN,
        "nobody": inbound.NO_MAILBOX,
        "gone": inbound.NO_MAILBOX,
        "out": inbound.NOT_NOW,
        "postmaster": inbound.NO_MAILBOX,
    }
    world.gateway.add("admin")
    assert await world.reception.check(f"postmaster@{DOMAIN}") == inbound.KNOWN
    world.gateway.hosts[f"admin@{DOMAIN}"] = AuthFailed("unregistered")
    assert await world.reception.check(f"postmaster@{DOMAIN}") == inbound.NO_MAILBOX


async def test_everybody_gets_the_answer_that_is_theirs(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    hosts = [world.gateway.add("alice"), world.gateway.add("bob")]
    world.gateway.add("broken", Broken)
    world.gateway.add("out", Out)
    world.gateway.add("slow").congest()
    answers = await world.deliver("alice", "broken", "out", "slow", "nobody", "bob")
    not_now = inbound.NOT_NOW
    assert answers == [inbound.TAKEN, not_now, not_now, not_now, inbound.NO_MAILBOX, inbound.TAKEN]
    for host in hosts:
        (message,) = host.of_type(MessageReceived)
        assert message.content.text.endswith("Hello")
    assert "a bug" in caplog.text


async def test_files_for_many_are_put_up_some_at_a_time(world: World) -> None:
    busy = most = 0

    class Counting(FakeHost):
        async def cursor(self, name: str) -> str | None:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            found = await super().cursor(name)
            busy -= 1
            return found

        async def upload(self, file: Path, name: str, media_type: str) -> Attachment:
            raise AssertionError("there is no file")

    names = [f"p{number}" for number in range(3 * AT_ONCE)]
    for name in names:
        world.gateway.add(name, Counting)
    assert await world.deliver(*names) == [inbound.TAKEN] * len(names)
    assert 0 < most <= AT_ONCE
