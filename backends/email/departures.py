"""Knows how a chat message leaves as a mail: what it goes on from, its files, and what becomes of it."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from backends.email import conversations
from backends.email.arrivals import UNKNOWN, mail_id
from backends.email.conversations import Conversations, Talk, Thread
from backends.email.hourly import Hourly
from backends.email.smtp import retries
from backends.email.smtp.client import Submitter
from backends.email.smtp.login import Login
from backends.email.smtp.transaction import Mail
from backends.email.values import Draft, Person, SavedFile, Server, WrittenMail
from backends.email.worker.mail_worker import CannotWrite, MailWorker
from backends.email.worker.pool import Busy
from backends.email.writing import subjects
from backends.email.writing.message_ids import message_id
from bridge.api import (
    Attachment,
    ConnectionLost,
    ContactId,
    Content,
    DirectChat,
    Host,
    Later,
    MessageId,
    MessageReceived,
    OccupantId,
    Outcome,
    Reason,
    Refused,
    SendMessage,
    Sent,
    SentPart,
    TransferFailed,
)

log = logging.getLogger(__name__)

ORIGINAL = "/original"
"""Written to a correspondent, it asks for the whole of what was shown in part."""

BUSY_SECONDS = 15.0
FETCH_SECONDS = 30.0
MOST_TRIED = 1000
LONGEST_QUOTE = 500

Copy = Callable[[Path, datetime], Awaitable[None]]
"""Keeps a copy of what was sent; it removes the file."""


class Way(msgspec.Struct, frozen=True):
    """How an account's mail goes out: as whom, by which server, with which login."""

    sender: Person
    server: Server
    login: Login | None

    def __repr__(self) -> str:
        return f"Way({self.sender.address!r})"


class Tools(msgspec.Struct, frozen=True):
    """What all accounts of one gateway share. `spool` is a folder for files under way; `largest` the most
    octets of what a user attaches, `hourly` counts mails."""

    worker: MailWorker
    submitter: Submitter
    talks: Conversations
    spool: Path
    largest: int
    hourly: Hourly | None = None


class Tried(msgspec.Struct):
    """How often a mail was tried, and when last (epoch seconds)."""

    times: int = 0
    last: float | None = None


class Departures:
    """The outgoing mail of one account; `limited`: only so much of it in an hour."""

    def __init__(
        self, host: Host, way: Way, tools: Tools, copy: Copy | None, *, limited: bool = False
    ) -> None:
        self._host = host
        self._way = way
        self._tools = tools
        self._copy = copy
        self._limited = tools.hourly if limited else None
        self._tried: OrderedDict[str, Tried] = OrderedDict()

    async def send(self, command: SendMessage) -> Outcome:
        """See `bridge.api.Session.execute`."""
        if not isinstance(command.chat, DirectChat):
            return Refused(Reason.UNSUPPORTED, "Mail has no rooms.")
        contact = command.chat.contact
        if contact == UNKNOWN:
            return Refused(Reason.NOT_FOUND, "These mails name nobody who could be answered.")
        try:
            if command.content.text.strip().lower() == ORIGINAL and not command.content.attachments:
                return await self._show_original(contact, command)
            if self._limited and self._limited.full(self._host.account.id):
                return Refused(Reason.RATE_LIMITED, "You have sent many mails. Try again in an hour.")
            folder = Path(tempfile.mkdtemp(prefix="out-", dir=self._tools.spool))
            try:
                return await self._send(contact, command, folder)
            finally:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        except TransferFailed as error:
            if error.again:
                return Later(FETCH_SECONDS, str(error))
            return Refused(Reason.NOT_FOUND, str(error))
        except (Busy, ConnectionLost) as error:
            return Later(BUSY_SECONDS, str(error))
        except OSError as error:
            return Later(FETCH_SECONDS, f"The gateway has no room for mails: {error.strerror}")
        except CannotWrite:
            return Refused(Reason.INTERNAL, "This could not be written as a mail.")

    async def _send(self, contact: ContactId, command: SendMessage, folder: Path) -> Outcome:
        talk = await self._tools.talks.load(self._host, contact)
        answers = mail_id(command.reply_to) if command.reply_to else None
        before = talk.thread(command.thread, answers)
        files = [await self._fetched(one, folder) for one in command.content.attachments]
        draft, anew = self._draft(contact, command, talk, before, files)
        try:
            async with self._tools.worker.write(draft, folder) as written:
                outcome = await self._hand_over(contact, command, draft, written)
                if isinstance(outcome, Sent):
                    self._keep_copy(written, draft.date)
        except ValueError as error:
            return Refused(Reason.BAD_REQUEST, f"No mail can be made of this: {error}.")
        if isinstance(outcome, Sent):
            if self._limited:
                self._limited.count(self._host.account.id)
            await self._remember(contact, before, draft, anew=anew)
        return outcome

    async def _remember(self, contact: ContactId, before: Thread | None, draft: Draft, *, anew: bool) -> None:
        """The mail is out: that its conversation cannot be kept must not send it again."""
        talks = self._tools.talks
        try:
            async with talks.turn(self._host, contact):
                talk = await talks.load(self._host, contact)
                now = conversations.said(talk, before, draft.message_id, draft.subject, anew=anew)
                await talks.save(self._host, contact, now)
        except ConnectionLost:
            return

    def _draft(
        self,
        contact: ContactId,
        command: SendMessage,
        talk: Talk,
        before: Thread | None,
        files: list[SavedFile],
    ) -> tuple[Draft, bool]:
        """The mail, and whether it begins a conversation: it does where it has a subject of its own."""
        given, typed = _worded(command.content)
        anew = bool(given) and (before is None or not conversations.same_subject(given, before.subject))
        going_on = None if anew and command.reply_to is None else before
        subject = given or (subjects.of_reply(before.subject) if before else "")
        subject = subject or subjects.of_text(typed) or ", ".join(file.name for file in files)
        to = going_on.answer_to if going_on and going_on.answer_to else contact
        answered = mail_id(command.reply_to or MessageId(going_on.last)) if going_on else ""
        draft = Draft(
            message_id=message_id(
                self._host.account.id,
                f"{command.key}\0{command.said_at}",
                self._way.sender.address.rpartition("@")[2],
            ),
            date=datetime.fromtimestamp((command.said_at or time.time_ns() // 1000) / 1_000_000, UTC),
            sender=self._way.sender,
            to=(Person(to, talk.name if to == contact else ""),),
            subject=subject,
            text=self._text(command.content, typed),
            in_reply_to=answered,
            references=going_on.up_to(answered) if going_on else (),
            attachments=tuple(files),
        )
        return draft, going_on is None

    def _text(self, content: Content, typed: str) -> str:
        if content.action:
            typed = f"* {self._way.sender.name or self._way.sender.address} {typed}"
        return f"{_quote(content.quoted)}\n\n{typed}" if content.quoted else typed

    async def _fetched(self, attachment: Attachment, folder: Path) -> SavedFile:
        file = folder / f"file-{len(os.listdir(folder))}"
        found = await self._host.download(attachment, file, self._tools.largest)
        return SavedFile(str(file), found.name, found.media_type, found.size)

    async def _hand_over(
        self, contact: ContactId, command: SendMessage, draft: Draft, written: WrittenMail
    ) -> Outcome:
        tried = self._attempt(draft.message_id)
        recipient = draft.to[0].address
        mail = Mail(Path(written.path), self._way.sender.address, (recipient,), draft.message_id)
        handed = await self._tools.submitter.send(
            self._way.server, self._way.login, mail, attempts=tried.times
        )
        outcome = self._judged(contact, command, tried, handed.outcomes[recipient], draft.message_id)
        if not isinstance(outcome, Later):
            self._tried.pop(draft.message_id, None)
        if isinstance(outcome, Sent):
            part = SentPart(MessageId(draft.message_id), command.content)
            return Sent((part,))
        return outcome

    def _attempt(self, key: str) -> Tried:
        tried = self._tried.setdefault(key, Tried())
        self._tried.move_to_end(key)
        tried.times += 1
        while len(self._tried) > MOST_TRIED:
            self._tried.popitem(last=False)
        return tried

    def _judged(
        self, contact: ContactId, command: SendMessage, tried: Tried, outcome: Outcome, key: str
    ) -> Outcome:
        """The outcome, given up where it took too long; the user hears of one that takes long."""
        if not isinstance(outcome, Later):
            return outcome
        now, first = time.time(), command.said_at / 1_000_000 or time.time()
        verdict = retries.judge(first, now, tried.times, tried.last)
        tried.last = now
        if verdict.give_up:
            return Refused(Reason.TIMEOUT, f"{outcome.why} {verdict.warning}".strip())
        text = verdict.warning or ("It is tried again by itself." if tried.times == 1 else "")
        if text:
            about = Content(f"Not sent yet: {outcome.why} {text}", notice=True)
            # By its id it is told once, also when a restart has forgotten that it was.
            once = MessageId(f"{key}#{verdict.warning.partition(';')[0] or 'waits'}")
            self._host.emit(MessageReceived(DirectChat(contact), OccupantId(""), once, about))
        return outcome

    def _keep_copy(self, written: WrittenMail, date: datetime) -> None:
        if self._copy is None:
            return
        kept = self._tools.spool / f"sent-{os.urandom(8).hex()}.eml"
        try:
            Path(written.path).rename(kept)
        except OSError as error:  # it is sent: that must not be tried again
            log.warning("no copy of a sent mail could be kept: %s", error.strerror)
            return
        task = asyncio.ensure_future(self._copy(kept, date))
        _background.add(task)
        task.add_done_callback(_background.discard)

    async def _show_original(self, contact: ContactId, command: SendMessage) -> Outcome:
        talk = await self._tools.talks.load(self._host, contact)
        asked = mail_id(command.reply_to) if command.reply_to else None
        found = talk.original(asked)
        if found is None:
            return Refused(Reason.NOT_FOUND, "There is no mail here that was shown in part.")
        content = Content("", attachments=(Attachment(found.url),))
        chat = DirectChat(contact)
        await self._host.emit(MessageReceived(chat, OccupantId(""), MessageId(""), content))
        return Sent()


def _worded(content: Content) -> tuple[str, str]:
    """The subject that was given, if one was, and the text."""
    return (content.subject, content.text) if content.subject else subjects.split_off(content.text)


def _quote(quoted: str) -> str:
    """The message that is answered, as mails have it; of a long one the beginning."""
    if len(quoted) > LONGEST_QUOTE:
        quoted = f"{quoted[:LONGEST_QUOTE].rsplit(None, 1)[0]} […]"
    return "\n".join(f"> {line}" for line in quoted.split("\n"))


_background: set[asyncio.Future[None]] = set()
"""Copies being kept: asyncio itself holds tasks only weakly."""
