"""Knows how a message goes out: split into lines, paced, and where nobody has answered for the target yet,
asked about."""

from __future__ import annotations

from time import monotonic

from backends.irc import ctcp
from backends.irc.formatting import spell_links
from backends.irc.link import Link
from backends.irc.names import is_target
from backends.irc.numerics import REFUSALS
from backends.irc.parser import Line
from backends.irc.replies import Answer
from backends.irc.split import Part, split_content
from bridge.api import (
    Chat,
    Content,
    Later,
    MessageId,
    Outcome,
    Reason,
    Refused,
    RoomChat,
    SendMessage,
    Sent,
    SentPart,
    Unknown,
)

TRUST = 600.0
"""Seconds for which a target that took a message is not asked about again."""

_SENT = Sent()
_SHORT = 60
"""Characters that fit in a line, whatever they are (four bytes each) and whoever we are."""
_MOST_TRUSTED = 1000
_UNDELIVERED = frozenset(
    {"nosuchnick", "nosuchserver", "cannotsendtochan", "nosuchchannel", "toomanytargets"}
)


class TalkOut:
    """Sends messages.

    IRC says nothing when a message arrives. So the first one to a target is followed by a PING: if its answer
    comes before an error, the target took the message and is trusted for a while; an error ends the trust.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._fences = 0

    async def send(self, command: SendMessage) -> Outcome:
        """`Sent` has a part for each line, unless the message went out as it was. Empty lines are left out.
        What was sent is `unheard` until the server shows that it has read it."""
        target = self._target(command.chat)
        if isinstance(target, Refused):
            return target
        outcome = await self._send(target, command.content)
        if type(outcome) is Sent:
            self._link.unheard.add(command.chat, command.key)
        return outcome

    def at_once(self, command: SendMessage) -> Sent | None:
        """The same for what needs no waiting: one plain line, to a target that is trusted, when the server
        takes lines. None: nothing was sent. Hot."""
        link, chat, content = self._link, command.chat, command.content
        channel = link.channels.get(chat.room) if type(chat) is RoomChat else None
        target = self._target(chat) if channel is None else channel.name
        if (
            type(target) is not str
            or (link.trusted.get(target) or self._trusted_until(target)) <= monotonic()
            or content.notice
            or not self._goes_whole(target, content)
            or not link.outbox.now(f"PRIVMSG {target} :{content.text}")
        ):
            return None
        link.unheard.add(chat, command.key)
        return _SENT

    async def _send(self, target: str, content: Content) -> Outcome:
        if self._goes_whole(target, content):
            return await self._one(target, _line(target, content))
        text, verb = content.text, "NOTICE" if content.notice else "PRIVMSG"
        if content.spans:
            content = spell_links(content)
        frame = len(ctcp.build("ACTION", ".")) - 1 if content.action else 0
        room = self._link.room_for_text(target) - frame
        parts = list(split_content(content, room))
        if not parts:
            return Refused(Reason.BAD_REQUEST, "The message is empty")
        if len(parts) == 1 and parts[0].content.text == text:
            return await self._one(target, _wire(verb, target, parts[0], content))
        return await self._many(target, verb, parts, content)

    def _goes_whole(self, target: str, content: Content) -> bool:
        """Whether the text is one line that fits as it is: so are most."""
        text = content.text
        if content.action or content.spans or not text.isprintable() or not text or text.isspace():
            return False
        return len(text) <= _SHORT or len(text.encode("utf-8", "replace")) <= self._link.room_for_text(target)

    def _target(self, chat: Chat) -> str | Refused:
        if isinstance(chat, RoomChat):
            channel = self._link.channels.get(chat.room)
            if channel is None:
                return Refused(Reason.NOT_IN_ROOM, "You are not a participant in this room.")
            return channel.name
        contact = chat.contact
        if not is_target(contact) or self._link.isupport.is_channel(contact):
            return Refused(Reason.NOT_FOUND, f"{contact!r} cannot be a nick")
        self._link.correspondents.add(contact)
        return contact

    async def _one(self, target: str, line: str) -> Outcome:
        if self._trusted_until(target) > monotonic():
            return _SENT if await self._link.outbox.send(line) else _not_sent()
        return await self._asking(target, line) or _SENT

    def _trusted_until(self, target: str) -> float:
        trusted = self._link.trusted
        return trusted.get(target) or trusted.get(self._link.isupport.fold(target), 0.0)

    async def _many(self, target: str, verb: str, parts: list[Part], content: Content) -> Outcome:
        """One after the other, so that messages of other chats go in between; the first asks about the
        target."""
        sent: list[SentPart] = []
        for part in parts:
            outcome = await self._one(target, _wire(verb, target, part, content))
            if isinstance(outcome, Sent):
                sent.append(SentPart(MessageId(""), part.content))
            elif not sent:
                return outcome
            else:
                return Unknown(f"Only {len(sent)} of {len(parts)} lines were sent: {_why(outcome)}")
        return Sent(tuple(sent))

    async def _asking(self, target: str, line: str) -> Outcome | None:
        """Send, and wait for an error or for the answer to a PING; `None` if all is well."""
        fold = self._link.isupport.fold
        wanted = fold(target)
        self._fences += 1
        token = f"sent-{self._fences}"

        def match(name: str, answer: Line) -> Refused | str | None:
            if name in _UNDELIVERED and fold(answer.param(1)) == wanted:
                return Refused(REFUSALS[name], f"{answer.param(1)}: {answer.param(-1)}")
            return token if name == "pong" and token in answer.params else None

        with self._link.waiters.expecting(match) as waiting:
            if not await self._link.outbox.send(line):
                return _not_sent()
            self._link.outbox.write(f"PING :{token}")
            self._link.wire.flush()  # at once: whatever else is said there waits for the answer
            return await self._judged(wanted, waiting)

    async def _judged(self, wanted: str, waiting: Answer[Refused | str | None]) -> Outcome | None:
        answer = await waiting.get(self._link.options.answer_timeout)
        if isinstance(answer, Refused):
            return answer
        if answer is not None:
            trusted = self._link.trusted
            if len(trusted) >= _MOST_TRUSTED:
                trusted.clear()
            trusted[wanted] = monotonic() + TRUST
        return None


def _line(target: str, content: Content) -> str:
    return f"{'NOTICE' if content.notice else 'PRIVMSG'} {target} :{content.text}"


def _wire(verb: str, target: str, part: Part, content: Content) -> str:
    text = ctcp.build("ACTION", part.wire) if content.action else part.wire
    return f"{verb} {target} :{text}"


def _not_sent() -> Later:
    return Later(5.0, "The connection to the network broke")


def _why(outcome: Outcome) -> str:
    return outcome.text if isinstance(outcome, Refused) else getattr(outcome, "why", "")
