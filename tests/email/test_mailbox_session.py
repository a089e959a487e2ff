"""What a session does with the mails of a mailbox, where something goes wrong."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backends.email.arrivals import Arrivals
from backends.email.conversations import Conversations
from backends.email.departures import Tools, Way
from backends.email.imap.fetching import Mail
from backends.email.imap.login import Credentials
from backends.email.imap.settings import Settings
from backends.email.imap.watcher import Inbox
from backends.email.session import BUG, MailboxSession
from backends.email.values import Person, Server
from backends.email.worker.mail_worker import MailWorker
from bridge.api import ConnectionLost, MessageReceived
from bridge.testing.fake_host import FakeHost

OWN = "alice@example.org"
SERVER = Server("mail.example.org", 993)
MAIL = (
    b"From: Rose <rose@example.org>\r\nTo: alice@example.org\r\n"
    b"Message-ID: <1@x>\r\nSubject: Tea\r\n\r\nHello\r\n"
)


@pytest.fixture
async def worker() -> AsyncIterator[MailWorker]:
    """One, ended afterwards."""
    worker = MailWorker()
    yield worker
    await worker.close()


class World:
    """A session that is not connected, given mails by hand."""

    def __init__(self, folder: Path, worker: MailWorker) -> None:
        self.host, self.folder = FakeHost(), folder
        talks = Conversations()
        self.arrivals = Arrivals(talks)
        tools = Tools(worker, None, talks, folder, 1000)  # type: ignore[arg-type]
        self.session = MailboxSession(
            self.host,
            tools,
            Way(Person(OWN), SERVER, None),
            self.arrivals,
            Inbox(SERVER, Credentials(OWN, "secret")),
            ssl.create_default_context(),
            Settings(),
        )

    async def give(self, note: str = "", message_id: str = "1@x") -> None:
        """A mail came."""
        path = self.folder / "mail.eml"
        path.write_bytes(MAIL)
        known = {"arrived": datetime.now(UTC), "note": note, "message_id": message_id}
        fields = {name: known.get(name) for name in Mail.__struct_fields__}
        fields.update(path=path, place="7", validity=1, uid=7)
        for flag in ("seen", "own", "complete"):
            if flag in fields:
                fields[flag] = flag == "complete" and not note
        await self.session.mail(Mail(**fields))  # type: ignore[arg-type]

    @property
    def place(self) -> list[str]:
        """What is saved of the place in the mailbox."""
        return [value for name, value in self.host.cursors.items() if name.startswith("place ")]


@pytest.fixture
def world(tmp_path: Path, worker: MailWorker) -> World:
    return World(tmp_path, worker)


async def test_the_place_is_kept_with_the_mail(world: World) -> None:
    await world.give()
    (message,) = world.host.of_type(MessageReceived)
    assert (message.content.text, message.content.subject) == ("Hello", "Tea")
    assert world.place == ["7"]


async def test_a_note_is_shown_below(world: World) -> None:
    await world.give("40 MB, too big to be shown", "other@x")
    (message,) = world.host.of_type(MessageReceived)
    assert message.id == "other@x"
    assert message.content.text.endswith("[40 MB, too big to be shown]")


async def test_a_mail_that_we_fail_on_does_not_stop_all_others(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tell = Arrivals._tell

    async def fail(self: Arrivals, host: Any, own: Any, mail: Any, *rest: Any) -> None:
        if mail.text:
            raise ZeroDivisionError
        await tell(self, host, own, mail, *rest)

    monkeypatch.setattr(Arrivals, "_tell", fail)
    await world.give()
    (message,) = world.host.of_type(MessageReceived)
    assert message.content.text == f"[This mail could not be read: {BUG}]"
    assert (message.content.subject, message.id) == ("Tea", "1@x")
    assert world.place == ["7"]
    assert "ZeroDivisionError" in caplog.text


async def test_what_may_pass_ends_the_session_and_moves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def out(name: str) -> str | None:
        raise ConnectionLost("The database is out.")

    async def full(self: Arrivals, *_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(world.host, "cursor", out)
        with pytest.raises(ConnectionLost, match="database"):
            await world.give()
    monkeypatch.setattr(Arrivals, "_tell", full)
    with pytest.raises(ConnectionLost, match="no room"):
        await world.give()
    assert not world.host.events
    assert not world.place
