"""Knows what becomes of a mail that came: events for its user, in order, with its files where clients find
them."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from backends.email import conversations
from backends.email.conversations import Conversations, Talk, Thread
from backends.email.values import ReadMail, Report, SavedFile, Verdict
from bridge.api import (
    Attachment,
    ContactId,
    Content,
    Delivered,
    DeliveryFailed,
    DirectChat,
    Event,
    Host,
    MessageId,
    MessageReceived,
    OccupantId,
    TransferFailed,
)

log = logging.getLogger(__name__)

UNKNOWN = ContactId("unknown@sender.invalid")
"""Whose mail names nobody that could be answered."""

SHORTENED = "[…] /original"
"""Below what was cut: what to write to see all of it."""

MOST_NAMED = 6
LONGEST_WHOLE = 60_000
"""Octets of an original that is shown as text, where there is no place for files."""

PART = " "
"""Between a mail's id, which has none in it, and the number of a file's message."""

EARLIEST = datetime(1982, 1, 1, tzinfo=UTC)

_OURS = re.compile(r"[a-z2-7]{32}@\S+").fullmatch
"""The shape of ids that the bridge gives (`writing.message_ids`)."""

Cursor = tuple[str, str] | None
Upload = Callable[[SavedFile], Awaitable[Attachment]]


class Arrivals:
    """Takes the mails of all accounts of one gateway."""

    def __init__(self, talks: Conversations) -> None:
        self._talks = talks

    async def take(
        self,
        host: Host,
        own: frozenset[str],
        mail: ReadMail,
        upload: Upload,
        cursor: Cursor = None,
    ) -> None:
        """Tell the user, whose addresses are `own`, of a mail; returns when that is stored, with the cursor.

        A mail that was taken before is known by its id, and not shown again. Raises `TransferFailed` where a
        file cannot be uploaded now, `ConnectionLost` while the database is out: nothing is lost if the same
        mail is given again."""
        reports = [each for each in (mail.report, *mail.more_reports) if each and _OURS(each.message_id)]
        if reports:
            events = [_reported(each, f"{mail.id}#{number}") for number, each in enumerate(reports)]
            await _in_order(host, events, cursor)
        elif mail.sender is not None and mail.sender.address in own and not _to_self(mail, own):
            await _in_order(host, [], cursor)  # sent by the user, from here or elsewhere
        else:
            await self._tell(host, own, mail, upload, cursor)

    async def _tell(
        self, host: Host, own: frozenset[str], mail: ReadMail, upload: Upload, cursor: Cursor
    ) -> None:
        contact = ContactId(mail.sender.address) if mail.sender else UNKNOWN
        files, notes = await _uploaded(mail, upload)
        async with self._talks.turn(host, contact):
            before = await self._talks.load(host, contact)
            talk, thread, is_new = conversations.heard(before, mail, own)
            text = mail.text
            if mail.cut:
                talk, text = await _shortened(talk, mail, upload)
            lines = [_others(mail, own), _elsewhere(thread, before), text, *notes]
            content = _content(mail, lines, mail.subject if is_new and not mail.chat else None)
            events = _messages(contact, mail, thread, content, files)
            await _with_talk(host, events, conversations.as_cursor(contact, talk), cursor)


async def _with_talk(host: Host, events: list[Event], talk: tuple[str, str], cursor: Cursor) -> None:
    """Emit all; each brings a cursor along. (What comes without one may be shown before it is stored; whoever
    has the mail gives it again, and after a crash it would be another message then.)"""
    if cursor is not None and len(events) == 1:
        await host.save(*talk)
    last = len(events) - 1
    stored = [
        host.emit(event, cursor=(cursor or talk) if number == last else talk)
        for number, event in enumerate(events)
    ]
    for each in stored:
        await each


async def _in_order(host: Host, events: list[Event], cursor: Cursor) -> None:
    """Emit all, the cursor with the last, and return when all are stored."""
    stored = [host.emit(event, cursor=None if rest else cursor) for event, rest in _with_rest(events)]
    if not events and cursor is not None:
        await host.save(*cursor)
    for each in stored:
        await each


def _with_rest(events: list[Event]) -> list[tuple[Event, int]]:
    return [(event, len(events) - index - 1) for index, event in enumerate(events)]


def _to_self(mail: ReadMail, own: frozenset[str]) -> bool:
    """Whether the user wrote a note to themself, elsewhere."""
    return not _OURS(mail.id) and any(each.address in own for each in mail.to)


def _reported(report: Report, id_: str) -> Event:
    chat = DirectChat(ContactId(report.recipient.lower()) if report.recipient else UNKNOWN)
    target = MessageId(report.message_id)
    if report.verdict is Verdict.FAILED:
        return DeliveryFailed(chat, target, report.text)
    if report.verdict is Verdict.DELIVERED:
        return Delivered(chat, target)
    text = f"Not delivered yet: {report.text}"
    return MessageReceived(chat, OccupantId(""), MessageId(id_), Content(text, notice=True))


async def _uploaded(mail: ReadMail, upload: Upload) -> tuple[list[Attachment], list[str]]:
    """The mail's files as attachments, and lines about those that cannot be shown."""
    files, notes = [], list(mail.notes)
    for file in mail.attachments:
        try:
            files.append(await upload(file))
        except TransferFailed as error:
            if error.again:
                raise
            notes.append(f"[{file.name}, {_size(file.size)}: {error}]")
    return files, notes


async def _shortened(talk: Talk, mail: ReadMail, upload: Upload) -> tuple[Talk, str]:
    """The text with a way to the whole mail, or the whole text where there is none."""
    if mail.original is None:
        return talk, mail.text
    try:
        whole = await upload(mail.original)
    except TransferFailed as error:
        if error.again:
            raise
        return talk, await asyncio.to_thread(_whole_text, mail.text, mail.original)
    text = f"{mail.text}\n{SHORTENED}" if mail.text else SHORTENED
    return conversations.with_original(talk, mail.id, whole.url), text


def _whole_text(text: str, original: SavedFile) -> str:
    if original.media_type == "text/plain" and original.size <= LONGEST_WHOLE:
        return Path(original.path).read_text("utf-8", "replace")
    return f"{text}\n[shortened: this server has no place for the whole mail]"


def _content(mail: ReadMail, lines: list[str], subject: str | None) -> Content:
    problem = f"[This mail could not be read: {mail.problem}]" if mail.problem else ""
    said = "\n".join(line for line in (problem, *lines) if line)
    return Content(said, subject=subject, notice=mail.automatic, quoted=mail.quoted)


def _elsewhere(thread: Thread, before: Talk) -> str:
    """Where answers go, if not to the contact, and the user was not told yet."""
    known = next((each for each in before.threads if each.root == thread.root), None)
    told = known is not None and known.answer_to == thread.answer_to and known.last != thread.last
    return f"[answers go to {thread.answer_to}]" if thread.answer_to and not told else ""


def _others(mail: ReadMail, own: frozenset[str]) -> str:
    """Who else got it, in words."""
    named = [each for each in (*mail.to, *mail.cc) if each.address not in own]
    if not named or mail.list_id:
        return ""
    names = [f"{each.name} <{each.address}>" if each.name else each.address for each in named[:MOST_NAMED]]
    if len(named) > MOST_NAMED:
        names.append(f"{len(named) - MOST_NAMED} others")
    return f"[also to: {', '.join(names)}]"


def _messages(
    contact: ContactId, mail: ReadMail, thread: Thread, content: Content, files: list[Attachment]
) -> list[Event]:
    """The text, then each file: clients show a file only in a message of its own (XEP-0066)."""
    chat, nobody = DirectChat(contact), OccupantId("")
    first = MessageReceived(
        chat,
        nobody,
        MessageId(mail.id),
        content,
        sent_at=_believable(mail.date),
        reply_to=_answered(mail),
        thread=thread.id,
        name=mail.sender.name if mail.sender else "",
    )
    rest = [
        MessageReceived(
            chat,
            nobody,
            MessageId(f"{mail.id}{PART}{number}"),
            Content("", attachments=(file,)),
            sent_at=first.sent_at,
            thread=thread.id,
            name=first.name,
        )
        for number, file in enumerate(files, 1)
    ]
    says = content.text or content.subject or not rest
    return [first, *rest] if says else list(rest)


def _answered(mail: ReadMail) -> MessageId | None:
    """The message that it answers. A chat program names the newest one in every mail: there a quote tells."""
    about = mail.quoted or mail.reaction or not mail.chat
    return MessageId(mail.in_reply_to) if mail.in_reply_to and about else None


def _believable(date: datetime | None) -> datetime | None:
    """When it was sent; None (now) for a time that is not in the past, or before there was such mail: a
    clock that was never set."""
    return date if date is not None and EARLIEST < date < datetime.now(UTC) else None


def mail_id(message: MessageId) -> str:
    """The Message-ID of the mail that a message of ours came with."""
    return message.partition(PART)[0]


def _size(octets: int) -> str:
    return f"{octets / 1_000_000:.1f} MB" if octets >= 100_000 else f"{max(1, octets // 1000)} kB"
