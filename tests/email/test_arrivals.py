"""What becomes of a mail that came: a table, with a host that is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backends.email.arrivals import SHORTENED, UNKNOWN, Arrivals, mail_id
from backends.email.conversations import Conversations
from backends.email.session import uploaded
from backends.email.values import Person, ReadMail, Report, SavedFile, Verdict
from bridge.api import (
    Attachment,
    ConnectionLost,
    ContactId,
    Delivered,
    DeliveryFailed,
    DirectChat,
    MessageId,
    MessageReceived,
    TransferFailed,
)
from bridge.testing.fake_host import FakeHost

OWN = "alice@example.org"
ALICE, ROSE = Person(OWN, "Alice"), Person("rose@example.org", "Rose Red")
BOB, CAROL = Person("bob@example.org", "Bob"), Person("carol@example.org")
CHAT = DirectChat(ContactId(ROSE.address))
OURS = f"{'a' * 32}@example.org"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLACE = ("place", "7")


def mail(text: str = "Hello", **more: Any) -> ReadMail:
    """One that rose wrote to alice."""
    known: dict[str, Any] = {"id": "1@example.org", "sender": ROSE, "to": (ALICE,), "date": NOON}
    return ReadMail(text=text, **{**known, **more})


async def taken(mail: ReadMail, host: FakeHost | None = None, own: str = OWN) -> list[MessageReceived]:
    """The messages that its user gets."""
    host = host or FakeHost()

    async def upload(file: SavedFile) -> Attachment:
        return await uploaded(host, file)

    await Arrivals(Conversations()).take(host, frozenset({OWN, own}), mail, upload, PLACE)
    assert host.cursors["place"] == "7"
    return host.of_type(MessageReceived)


def saved(folder: Path, name: str, content: bytes = b"content", kind: str = "text/plain") -> SavedFile:
    """A file of a mail's."""
    (folder / name).write_bytes(content)
    return SavedFile(str(folder / name), name, kind, len(content))


async def test_who_says_what_when() -> None:
    (message,) = await taken(mail(subject="Tea", in_reply_to="0@example.org", references=("0@example.org",)))
    assert (message.chat, message.name) == (CHAT, "Rose Red")
    assert (message.content.text, message.content.subject) == ("Hello", "Tea")
    assert (message.id, message.reply_to) == ("1@example.org", "0@example.org")
    assert message.sent_at == NOON
    assert message.thread


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "Hello"),
        ({"to": (ALICE, BOB)}, "[also to: Bob <bob@example.org>]\nHello"),
        ({"cc": (CAROL,)}, "[also to: carol@example.org]\nHello"),
        ({"to": (Person("list@example.org"),), "list_id": "list.example.org"}, "Hello"),
        ({"to": (Person("alice+shop@example.org"),)}, "Hello"),
        ({"to": ()}, "Hello"),
        ({"reply_to": (BOB,)}, "[answers go to bob@example.org]\nHello"),
        ({"reply_to": (BOB,), "list_id": "list.example.org"}, "Hello"),
        ({"notes": ("[film.mkv: too big]",)}, "Hello\n[film.mkv: too big]"),
        ({"problem": "it is empty", "text": ""}, "[This mail could not be read: it is empty]"),
        ({"text": "", "subject": "Only this"}, ""),
    ],
)
async def test_what_the_text_is(more: dict[str, Any], text: str) -> None:
    (message,) = await taken(mail(**{"text": "Hello", **more}), own="alice+shop@example.org")
    assert message.content.text == text


async def test_many_recipients_are_counted() -> None:
    others = tuple(Person(f"p{number}@example.org") for number in range(1000))
    (message,) = await taken(mail(to=(ALICE, *others)))
    assert message.content.text.startswith("[also to: p0@example.org, ")
    assert message.content.text.endswith("p5@example.org, 994 others]\nHello")


async def test_where_answers_go_is_told_once() -> None:
    host = FakeHost()
    for number in "123":
        answers = "0@x" if number != "3" else ""
        known = {"id": f"{number}@x", "reply_to": (BOB,), "in_reply_to": answers}
        await taken(mail(**known, references=(answers,) if answers else ()), host)
    told = ["answers go to" in each.content.text for each in host.of_type(MessageReceived)]
    assert told == [True, False, True]


@pytest.mark.parametrize(
    ("date", "kept"),
    [
        (NOON, True),
        (None, False),
        (datetime.now(UTC) + timedelta(days=300), False),
        (datetime(1970, 1, 1, tzinfo=UTC), False),
    ],
)
async def test_a_time_that_cannot_be_is_now(date: datetime | None, kept: bool) -> None:
    (message,) = await taken(mail(date=date))
    assert message.sent_at == (date if kept else None)


async def test_mail_of_machines_is_marked_and_nobody_is_nobody() -> None:
    (message,) = await taken(mail(automatic=True))
    assert message.content.notice
    (message,) = await taken(mail(sender=None))
    assert message.chat == DirectChat(UNKNOWN)


async def test_own_mail_is_not_shown_but_notes_to_oneself_are() -> None:
    assert not await taken(mail(sender=ALICE, to=(ROSE,)))
    assert len(await taken(mail(sender=ALICE, to=(ALICE,)))) == 1
    assert not await taken(mail(sender=ALICE, to=(ALICE,), id=OURS))


async def test_a_chat_program_means_its_quote_and_not_its_subject_nor_what_it_answers() -> None:
    known = {"chat": True, "subject": "Message from Rose", "in_reply_to": "0@x"}
    (message,) = await taken(mail(**known))
    assert (message.content.subject, message.reply_to) == (None, None)
    (message,) = await taken(mail(**known, quoted="Tea?"))
    assert (message.content.quoted, message.reply_to) == ("Tea?", "0@x")
    (message,) = await taken(mail("👍", **known, reaction=True))
    assert message.reply_to == "0@x"


async def test_files_come_each_as_a_message_of_its_own(tmp_path: Path) -> None:
    files = (saved(tmp_path, "a.png", kind="image/png"), saved(tmp_path, "b.csv"))
    host = FakeHost()
    messages = await taken(mail(attachments=files), host)
    assert [each.id for each in messages] == ["1@example.org", "1@example.org 1", "1@example.org 2"]
    assert [mail_id(each.id) for each in messages] == ["1@example.org"] * 3
    assert [one.name for each in messages for one in each.content.attachments] == ["a.png", "b.csv"]
    assert len({each.thread for each in messages}) == 1
    only = await taken(mail("", id="a#b@example.org", attachments=files[:1]))
    assert [mail_id(each.id) for each in only] == ["a#b@example.org"]


async def test_what_was_cut_is_one_step_away(tmp_path: Path) -> None:
    host = FakeHost()
    original = saved(tmp_path, "mail.txt", b"all of it")
    (message,) = await taken(mail(cut=True, original=original), host)
    assert message.content.text == f"Hello\n{SHORTENED}"
    talk = await Conversations().load(host, ContactId(ROSE.address))
    found = talk.original("1@example.org")
    assert found is not None
    assert host.files[found.url] == b"all of it"
    (message,) = await taken(mail("", cut=True, original=original))
    assert message.content.text == SHORTENED


async def test_without_a_place_for_files_the_whole_text_is_shown(tmp_path: Path) -> None:
    host = FakeHost()
    host.refuse_files = TransferFailed("No place for files.", again=False)
    original = saved(tmp_path, "mail.txt", b"all of it")
    picture = saved(tmp_path, "a.png", b"x" * 2000, "image/png")
    (message,) = await taken(mail(cut=True, original=original, attachments=(picture,)), host)
    assert message.content.text == "all of it\n[a.png, 2 kB: No place for files.]"
    page = saved(tmp_path, "mail.html", b"<b>all</b>", "text/html")
    (*_, message) = await taken(mail(id="2@x", cut=True, original=page), host)
    assert message.content.text == "Hello\n[shortened: this server has no place for the whole mail]"


async def test_what_may_work_later_is_not_taken_now(tmp_path: Path) -> None:
    host = FakeHost()
    host.refuse_files = TransferFailed("Not now.", again=True)
    for known in ({"attachments": (saved(tmp_path, "a"),)}, {"cut": True, "original": saved(tmp_path, "b")}):
        with pytest.raises(TransferFailed):
            await Arrivals(Conversations()).take(
                host, frozenset({OWN}), mail(**known), lambda file: uploaded(host, file), PLACE
            )
    assert not host.events
    assert "place" not in host.cursors


async def test_a_database_that_is_out_takes_nothing() -> None:
    class Out(FakeHost):
        async def cursor(self, name: str) -> str | None:
            raise ConnectionLost("The database is out.")

    with pytest.raises(ConnectionLost):
        await taken(mail(), Out())


async def test_reports_are_for_the_message_that_they_are_about() -> None:
    host = FakeHost()
    failed = Report(Verdict.FAILED, OURS, "Rose@Example.org", "No such mailbox.")
    arrived = Report(Verdict.DELIVERED, OURS, "bob@example.org", "")
    waits = Report(Verdict.DELAYED, OURS, "carol@example.org", "It is full.")
    known = {"sender": Person("mailer-daemon@example.org"), "automatic": True}
    await taken(mail(report=failed, more_reports=(arrived, waits), **known), host)
    assert host.of_type(DeliveryFailed) == [DeliveryFailed(CHAT, MessageId(OURS), "No such mailbox.")]
    assert [each.target for each in host.of_type(Delivered)] == [OURS]
    (notice,) = host.of_type(MessageReceived)
    assert notice.content.text == "Not delivered yet: It is full."
    theirs = Report(Verdict.FAILED, "other@example.org", "x@example.org", "No.")
    (shown,) = await taken(mail("It failed", report=theirs, **known))
    assert shown.content.text == "It failed"
