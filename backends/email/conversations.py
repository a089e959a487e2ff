"""Knows what was said with a correspondent lately: the subjects and ids that the next mail goes on from. Pure
values, and where they are kept."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import msgspec

from backends.email.values import ReadMail
from backends.email.writing import subjects
from bridge.api import AccountId, ContactId, Host, ThreadId

THREADS = 8
"""So many of a correspondent's conversations are remembered: the newest."""
REFERENCES = 20
ORIGINALS = 8


class Thread(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversation. `root` is its first mail, `last` the newest, `references` those up to `last`;
    `answer_to` is where answers are wanted (empty: the correspondent); `titled` is the mail with which the
    subject was new."""

    root: str
    last: str
    subject: str = ""
    references: tuple[str, ...] = ()
    answer_to: str = ""
    titled: str = ""

    @property
    def id(self) -> ThreadId:
        """What it is called in chat: nothing can be read from it."""
        return ThreadId(hashlib.sha256(self.root.encode("utf-8", "replace")).hexdigest()[:20])

    def up_to(self, message_id: str) -> tuple[str, ...]:
        """What the answer to a mail refers to, that mail last (RFC 5322 §3.6.4)."""
        if message_id in self.references:
            return self.references[: self.references.index(message_id) + 1]
        return (*self.references, message_id)

    def has(self, message_id: str) -> bool:
        """Whether a mail is known to belong to it."""
        return message_id in (self.root, self.last) or message_id in self.references


class Original(msgspec.Struct, frozen=True):
    """Where the whole of a mail is that was shown in part."""

    id: str
    url: str


class Talk(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a correspondent: their name, the conversations, and originals, newest first."""

    name: str = ""
    threads: tuple[Thread, ...] = ()
    originals: tuple[Original, ...] = ()

    def thread(self, thread_id: str | None, answers: str | None) -> Thread | None:
        """The conversation that something belongs to: by what it answers, by its name, else the newest."""
        if answers:
            known = next((each for each in self.threads if each.has(answers)), None)
            return known or Thread(answers, answers, references=(answers,))
        named = next((each for each in self.threads if each.id == thread_id), None)
        return named or (self.threads[0] if self.threads else None)

    def original(self, message_id: str | None) -> Original | None:
        """The original of a mail, or the newest there is."""
        found = [each for each in self.originals if message_id in (None, each.id)]
        return found[0] if found else None


def heard(talk: Talk, mail: ReadMail, own: frozenset[str] = frozenset()) -> tuple[Talk, Thread, bool]:
    """A mail came to `own`: what is known now, its conversation, and whether its subject is new there. The
    same mail may come again, where it was not taken in the end."""
    earlier = (*mail.references, mail.in_reply_to) if mail.in_reply_to else mail.references
    known = next((each for each in talk.threads if any(map(each.has, (*earlier, mail.id)))), None)
    root = known.root if known else (earlier[0] if earlier else mail.id)
    subject = subjects.bare(mail.subject)
    same = known is not None and same_subject(known.subject, subject)
    is_new = bool(subject) and (not same or (known is not None and known.titled == mail.id))
    titled = mail.id if is_new or known is None else known.titled
    # Chat programs name only the mail before: what is known of the conversation stays known.
    before = known.references if known else ()
    apart = bool(earlier) and earlier[0] not in before
    chain = (*earlier, *before) if apart else (*before, *earlier)
    references = _bounded((*chain, mail.id))
    thread = Thread(root, mail.id, mail.subject, references, _answer_to(mail, own), titled)
    name = mail.sender.name if mail.sender and mail.sender.name else talk.name
    return msgspec.structs.replace(_on_top(talk, thread), name=name), thread, is_new


def same_subject(one: str, other: str) -> bool:
    """Whether two subjects differ in nothing but `Re:` and its kin."""
    return subjects.bare(one).casefold() == subjects.bare(other).casefold()


def _answer_to(mail: ReadMail, own: frozenset[str]) -> str:
    """Where answers are wanted instead of at the sender's. Never at one to whom the mail itself went: what is
    said to one person is not said to a list."""
    if mail.list_id or mail.sender is None or len(mail.reply_to) != 1:
        return ""
    wanted = mail.reply_to[0].address
    everybody = {each.address for each in (mail.sender, *mail.to, *mail.cc)}
    return "" if wanted in everybody or wanted in own else wanted


def said(talk: Talk, before: Thread | None, message_id: str, subject: str, *, anew: bool) -> Talk:
    """A mail went out, going on from `before`; `anew`: it began another conversation."""
    if before is None or anew:
        return _on_top(talk, Thread(message_id, message_id, subject, (message_id,)))
    # something may have come in that conversation while the mail was on its way out
    before = next((each for each in talk.threads if each.root == before.root), before)
    references = _bounded((*before.references, message_id))
    thread = msgspec.structs.replace(before, last=message_id, subject=subject, references=references)
    return _on_top(talk, thread)


def with_original(talk: Talk, message_id: str, url: str) -> Talk:
    """The original of a mail is kept somewhere."""
    others = tuple(each for each in talk.originals if each.id != message_id)
    return msgspec.structs.replace(talk, originals=(Original(message_id, url), *others)[:ORIGINALS])


def _on_top(talk: Talk, thread: Thread) -> Talk:
    others = tuple(each for each in talk.threads if each.root != thread.root)
    return msgspec.structs.replace(talk, threads=(thread, *others)[:THREADS])


def _bounded(ids: tuple[str, ...]) -> tuple[str, ...]:
    """Each id once; the first, and the newest (RFC 5322 §3.6.4 sets no limit, lines do)."""
    unique = tuple(dict.fromkeys(each for each in ids if each))
    return unique if len(unique) <= REFERENCES else (unique[0], *unique[1 - REFERENCES :])


class Conversations:
    """The talks of all accounts of one gateway. What is written to one is written by one at a time."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[AccountId, ContactId], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, host: Host, contact: ContactId) -> AsyncIterator[None]:
        """Nobody else changes that talk meanwhile."""
        key = host.account.id, contact
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield

    async def load(self, host: Host, contact: ContactId) -> Talk:
        """What is known; nothing of somebody new. Raises ConnectionLost while the database is out."""
        saved = await host.cursor(_name(contact))
        try:
            return msgspec.json.decode(saved, type=Talk) if saved else Talk()
        except msgspec.MsgspecError:
            return Talk()

    async def save(self, host: Host, contact: ContactId, talk: Talk) -> None:
        """Keep it. Raises ConnectionLost while the database is out."""
        await host.save(*as_cursor(contact, talk))


def as_cursor(contact: ContactId, talk: Talk) -> tuple[str, str]:
    """A talk as it is kept, to be kept together with an event."""
    return _name(contact), msgspec.json.encode(talk).decode()


def _name(contact: ContactId) -> str:
    return f"talk {contact}"
