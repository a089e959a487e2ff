"""How a chat message leaves as a mail: a table, with a host and a mail server that are none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any, cast

import pytest

from backends.email.arrivals import UNKNOWN, Arrivals
from backends.email.conversations import Conversations
from backends.email.departures import Departures, Tools, Way
from backends.email.hourly import Hourly
from backends.email.smtp.client import Handed, Submitter
from backends.email.smtp.transaction import Mail
from backends.email.values import Person, ReadMail, SavedFile, Server
from backends.email.worker.mail_worker import MailWorker
from bridge.api import (
    Attachment,
    ConnectionLost,
    ContactId,
    Content,
    DirectChat,
    Later,
    MessageId,
    MessageReceived,
    Outcome,
    Reason,
    Refused,
    RoomChat,
    RoomId,
    SendMessage,
    Sent,
    ThreadId,
    TransferFailed,
)
from bridge.testing.fake_host import FakeHost

ALICE, ROSE, DESK = (
    Person("alice@example.org", "Alice"),
    Person("rose@example.org", "Rose"),
    "desk@example.org",
)
CHAT = DirectChat(ContactId(ROSE.address))
NOON = 1_767_268_800_000_000


class NoServer:
    """Takes mails as a `Submitter` would. `outcomes` are what it says next; then it takes all."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[tuple[str, ...]] = []
        self.outcomes: list[Outcome] = []

    async def send(self, server: Server, login: object, mail: Mail, *, attempts: int = 1) -> Handed:
        """See `Submitter.send`."""
        outcome = self.outcomes.pop(0) if self.outcomes else Sent()
        if isinstance(outcome, Sent):
            parser = BytesParser(policy=policy.default)
            self.mails.append(cast("EmailMessage", parser.parsebytes(mail.path.read_bytes())))
            self.recipients.append(tuple(mail.recipients))
        return Handed(dict.fromkeys(mail.recipients, outcome))


class World:
    """Alice's departures and arrivals."""

    def __init__(self, folder: Path, worker: MailWorker) -> None:
        self.host, self.server, self.copies = FakeHost(), NoServer(), list[Path]()
        self.talks = Conversations()
        self.spool = folder
        tools = Tools(worker, cast("Submitter", self.server), self.talks, folder, 1000, Hourly(2))
        way = Way(ALICE, Server("mail.example.org", 465), None)
        self.departures = Departures(self.host, way, tools, self.copy)
        self.limited = Departures(self.host, way, tools, None, limited=True)

    async def copy(self, file: Path, date: datetime) -> None:
        """What keeps copies in Sent."""
        self.copies.append(file)

    async def heard(self, id_: str, subject: str = "", **more: Any) -> None:
        """Rose wrote."""
        read = ReadMail(id=id_, sender=ROSE, to=(ALICE,), subject=subject, text="...", **more)

        async def upload(file: SavedFile) -> Attachment:
            return await self.host.upload(Path(file.path), file.name, file.media_type)

        await Arrivals(self.talks).take(self.host, frozenset({ALICE.address}), read, upload)

    async def say(self, text: str = "", key: str = "k", said_at: int = NOON, **more: Any) -> Outcome:
        """Alice writes."""
        content = {
            name: more.pop(name) for name in ("subject", "attachments", "quoted", "action") if name in more
        }
        return await self.departures.send(
            SendMessage(more.pop("chat", CHAT), key, Content(text, **content), said_at=said_at, **more)
        )

    @property
    def mail(self) -> EmailMessage:
        """The newest mail that left."""
        return self.server.mails[-1]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """With a worker of its own."""
    worker = MailWorker()
    yield World(tmp_path, worker)
    await worker.close()


async def test_a_first_mail(world: World) -> None:
    outcome = await world.say("Shall we have *tea*?\nAt five.")
    assert isinstance(outcome, Sent)
    mail = world.mail
    assert mail["Subject"] == "Shall we have tea?"
    assert (mail["From"], mail["To"]) == ("Alice <alice@example.org>", ROSE.address)
    assert world.server.recipients == [(ROSE.address,)]
    assert mail["Date"].datetime.timestamp() == NOON / 1_000_000
    assert mail["Message-ID"] == f"<{outcome.parts[0].id}>"
    assert (mail["In-Reply-To"], mail["References"], mail["Cc"], mail["Bcc"]) == (None, None, None, None)
    assert not [*world.spool.glob("out-*"), *world.spool.glob("mail-*")]


async def test_it_goes_on_from_the_newest_conversation(world: World) -> None:
    await world.heard("1@x", "Tea")
    await world.heard("2@x", "AW: Tea", in_reply_to="1@x")
    await world.say("Yes.")
    assert (world.mail["Subject"], world.mail["In-Reply-To"]) == ("Re: Tea", "<2@x>")
    assert world.mail["References"].split() == ["<1@x>", "<2@x>"]
    assert world.mail["To"] == "Rose <rose@example.org>"
    first = world.mail["Message-ID"]
    await world.say("At five.", key="k2")
    assert (world.mail["Subject"], world.mail["In-Reply-To"]) == ("Re: Tea", first)


async def test_a_thread_or_a_reply_says_which_conversation(world: World) -> None:
    await world.heard("1@x", "Tea")
    await world.heard("2@x", "Tea", in_reply_to="1@x")
    await world.heard("9@x", "Work")
    (tea,) = {each.thread for each in world.host.of_type(MessageReceived) if each.id in ("1@x", "2@x")}
    await world.say("Yes.", thread=tea)
    assert (world.mail["Subject"], world.mail["In-Reply-To"]) == ("Re: Tea", "<2@x>")
    await world.say("About one.", key="k2", reply_to=MessageId("1@x"))
    assert (world.mail["Subject"], world.mail["In-Reply-To"]) == ("Re: Tea", "<1@x>")
    assert world.mail["References"] == "<1@x>"
    await world.say("The file.", key="k3", reply_to=MessageId("9@x 2"), thread=ThreadId("a client's own"))
    assert (world.mail["Subject"], world.mail["In-Reply-To"]) == ("Re: Work", "<9@x>")
    await world.say("Older than us.", key="k4", reply_to=MessageId("0@old"))
    assert (world.mail["Subject"], world.mail["In-Reply-To"]) == ("Older than us.", "<0@old>")


@pytest.mark.parametrize(
    ("said", "subject", "text"),
    [
        ({"text": "Subject: Work\nHello"}, "Work", "Hello"),
        ({"text": "Betreff: Arbeit\n\nHallo"}, "Arbeit", "Hallo"),
        ({"text": "Hello", "subject": "Work"}, "Work", "Hello"),
        ({"text": "Subject: not this\nHello", "subject": "Work"}, "Work", "Subject: not this\nHello"),
        ({"text": "", "subject": "Only this"}, "Only this", ""),
        ({"text": "waves", "action": True}, "waves", "* Alice waves"),
        ({"text": "Yes", "quoted": "Tea?\nOr not?"}, "Yes", "> Tea?\n> Or not?\n\nYes"),
    ],
)
async def test_subjects_and_texts(world: World, said: dict[str, Any], subject: str, text: str) -> None:
    await world.say(**said)
    assert world.mail["Subject"] == subject
    assert world.mail.get_content().strip().splitlines() == text.splitlines()


async def test_a_subject_begins_a_conversation_unless_it_is_the_same(world: World) -> None:
    await world.heard("1@x", "Tea")
    await world.say("Hello", subject="Work")
    assert (world.mail["Subject"], world.mail["In-Reply-To"]) == ("Work", None)
    work = world.mail["Message-ID"]
    await world.say("More", key="k2")
    assert (world.mail["Subject"], world.mail["In-Reply-To"]) == ("Re: Work", work)
    await world.say("And more", key="k3", subject="re: work")
    assert world.mail["In-Reply-To"]
    await world.say("Other", key="k4", subject="Tea, again", reply_to=MessageId("1@x"))
    assert (world.mail["Subject"], world.mail["In-Reply-To"]) == ("Tea, again", "<1@x>")


async def test_answers_go_where_they_are_wanted(world: World) -> None:
    await world.heard("1@x", "Order", reply_to=(Person(DESK),))
    await world.say("Thanks")
    assert (world.mail["To"], world.server.recipients[-1]) == (DESK, (DESK,))
    await world.say("Hello", key="k2", subject="Something else")
    assert world.server.recipients[-1] == (ROSE.address,)
    await world.heard("2@x", "List", reply_to=(Person("list@example.org"),), list_id="list.example.org")
    await world.say("Privately", key="k3")
    assert world.server.recipients[-1] == (ROSE.address,)


async def test_ids_are_those_of_the_message(world: World) -> None:
    world.server.outcomes = [Later(5, "Busy.")]
    assert isinstance(await world.say("one"), Later)
    await world.say("one")
    await world.say("two", said_at=NOON + 1)
    await world.say("three", key="k2")
    first, second, third = (mail["Message-ID"] for mail in world.server.mails)
    assert len({first, second, third}) == 3
    again = World(world.spool, world.departures._tools.worker)
    await again.say("one")
    assert again.mail["Message-ID"] == first


async def test_what_takes_long_is_told_once(world: World) -> None:
    world.server.outcomes = [Later(5, "Try later."), Later(5, "Try later.")]
    assert await world.say("one") == Later(5, "Try later.")
    await world.say("one")
    (notice,) = world.host.of_type(MessageReceived)
    assert notice.content.notice
    assert "Try later." in notice.content.text
    assert not world.server.mails


async def test_a_refusal_is_no_part_of_the_conversation(world: World) -> None:
    world.server.outcomes = [Refused(Reason.NOT_FOUND, "No such mailbox.")]
    assert await world.say("one") == Refused(Reason.NOT_FOUND, "No such mailbox.")
    await world.say("two", key="k2")
    assert world.mail["In-Reply-To"] is None


async def test_files(world: World) -> None:
    world.host.files["https://files.test/höhe.png"] = b"\x89PNG"
    await world.say("", attachments=(Attachment("https://files.test/höhe.png", media_type="image/png"),))
    (attachment,) = world.mail.iter_attachments()
    assert (attachment.get_content(), attachment.get_filename()) == (b"\x89PNG", "höhe.png")
    assert world.mail["Subject"] == "höhe.png"
    gone = (Attachment("https://files.test/gone"),)
    assert isinstance(await world.say("", key="k2", attachments=gone), Refused)
    world.host.refuse_files = TransferFailed("Not now.", again=True)
    assert isinstance(await world.say("", key="k3", attachments=gone), Later)
    assert len(world.server.mails) == 1
    assert not list(world.spool.glob("out-*"))


async def test_the_original_is_shown_where_there_is_one(world: World, tmp_path: Path) -> None:
    refused = await world.say("/original")
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.NOT_FOUND
    for number in "12":
        (tmp_path / number).write_text(f"all of {number}")
        original = SavedFile(str(tmp_path / number), "mail.txt", "text/plain", 8)
        await world.heard(f"{number}@x", cut=True, original=original)
    await world.say(" /Original ")
    await world.say("/original", reply_to=MessageId("1@x 1"))
    shown = [one.url for each in world.host.of_type(MessageReceived) for one in each.content.attachments]
    assert [world.host.files[url] for url in shown] == [b"all of 2", b"all of 1"]
    assert isinstance(await world.say("/original", reply_to=MessageId("3@x")), Refused)
    assert not world.server.mails


async def test_only_so_many_leave_in_an_hour(world: World) -> None:
    world.server.outcomes = [Later(5, "Busy.")]
    outcomes = [
        await world.limited.send(SendMessage(CHAT, key, Content("Hello"), said_at=NOON)) for key in "0123"
    ]
    assert [type(each) for each in outcomes] == [Later, Sent, Sent, Refused]
    assert isinstance(await world.say("With a mailbox of one's own"), Sent)


async def test_who_cannot_be_written_to(world: World) -> None:
    for chat in (DirectChat(UNKNOWN), DirectChat(ContactId("a b@c\r\nTo: x")), RoomChat(RoomId("r"))):
        assert isinstance(await world.say("Hello", chat=chat), Refused)
    assert not world.server.mails


async def test_a_mail_that_left_is_not_sent_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails after the server has taken it."""

    async def fail(*_: object) -> None:
        raise ConnectionLost("The database is out.")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(world.host, "save", fail)
    assert isinstance(await world.say("one"), Sent)
    monkeypatch.setattr(Path, "rename", full)
    assert isinstance(await world.say("two", key="k2"), Sent)
    assert len(world.copies) == 1


async def test_a_slow_server_holds_up_no_mail_that_comes_in(world: World) -> None:
    send = world.server.send

    async def slow(*args: Any, **more: Any) -> Handed:
        await world.heard("2@x", "Re: Tea", in_reply_to="1@x")
        return await send(*args, **more)

    world.server.send = slow  # type: ignore[method-assign]
    await world.heard("1@x", "Tea")
    assert isinstance(await world.say("Yes."), Sent)
    talk = await world.talks.load(world.host, CHAT.contact)
    assert [each[:3] for each in talk.threads[0].references[:2]] == ["1@x", "2@x"]
