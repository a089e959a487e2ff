"""Knows what people say: PRIVMSG, NOTICE, CTCP, INVITE. The path of a plain message is the one that is
hot."""

from __future__ import annotations

import asyncio
import re

from backends.irc import ctcp
from backends.irc.formatting import plain, read
from backends.irc.heard import Known
from backends.irc.link import Link
from backends.irc.parser import Line, build
from backends.irc.stamps import Stamps
from backends.irc.throttle import Limit
from bridge.api import (
    Chat,
    Content,
    DirectChat,
    Invited,
    MessageId,
    MessageReceived,
    NetworkNotice,
    OccupantId,
    RoomChat,
)

_CTCP_ANSWERS = 5
_CTCP_SECONDS = 10.0
_MOST_BATCHES = 50
_MOST_OTHERS = 256
_NAMED_CHANNEL = re.compile(r"\[(\S+)\]")
_NOBODY = OccupantId("")
_NO_ID = MessageId("")


class TalkLines:
    """Turns what people say into events."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._stamps = Stamps()
        self._chats: dict[str, RoomChat] = {}
        self._others: dict[str, OccupantId] = {}
        self._me = ""
        self._history: set[str] = set()
        self._answers = Limit(_CTCP_ANSWERS, _CTCP_SECONDS)

    def forget_chats(self) -> None:
        """What channels are called may have changed, or who is who."""
        self._chats.clear()
        self._others.clear()

    def message(self, line: Line) -> None:
        """A PRIVMSG in an unusual form."""
        if line.param(0):
            self.said(line.source, line.params[0], line.param(1), line.tags or None)

    def said(
        self, source: str, target: str, text: str, tags: dict[str, str] | None
    ) -> MessageReceived | None:
        """A PRIVMSG. `tags` is `None` where there are none. Returns what was emitted if the same line means
        the same to whoever else hears it."""
        action = False
        if text[:1] == ctcp.DELIMITER:
            found = ctcp.parse(text)
            if found is not None and found[0] != "ACTION":
                self._asked(source, *found)
                return None
            action, text = (True, found[1]) if found is not None else (False, text)
        content = Content(text) if text.isprintable() and not action else read(text, action=action)
        if self._me is not self._link.nick:
            self._me = self._link.nick
            self._others.clear()
        sender = self._others.get(source)
        if sender is None:
            return self._emit(source.partition("!")[0], target, content, tags, source)
        return self._emitted(sender, target, content, tags)

    def said_again(self, known: Known) -> bool:
        """A line that another connection has heard. False, and nothing done, where it means something else
        here: our own words, or a channel that we know by another name, or not."""
        nick, target, event = known
        chat = self._chats.get(target) or self._room(target)
        if chat != event.chat or self._link.is_me(nick):
            return False
        self._link.host.emit(event)
        return True

    def _emit(
        self, nick: str, target: str, content: Content, tags: dict[str, str] | None, source: str = ""
    ) -> MessageReceived | None:
        own = self._link.is_me(nick)
        if source and not own:
            if len(self._others) >= _MOST_OTHERS:
                self._others.clear()
            self._others[source] = OccupantId(nick)
        return self._emitted(OccupantId(nick), target, content, tags, own=own)

    def _emitted(
        self,
        sender: OccupantId,
        target: str,
        content: Content,
        tags: dict[str, str] | None,
        *,
        own: bool = False,
    ) -> MessageReceived | None:
        chat: Chat | None = self._chats.get(target) or self._room(target)
        if chat is None:
            contact = self._link.correspondents.contact(target if own else sender)
            self._link.correspondents.add(contact)
            chat, sender = DirectChat(contact), _NOBODY
        if tags is None:
            event = MessageReceived(chat, sender, _NO_ID, content, own=own)
        else:
            sent_at = None
            if "time" in tags:
                sent_at = self._stamps.sent_at(tags["time"], always=tags.get("batch") in self._history)
            message_id = MessageId(tags.get("msgid", ""))
            event = MessageReceived(chat, sender, message_id, content, sent_at, own=own)
        self._link.host.emit(event)
        # A batch is one connection's own, and so is what its tag says.
        same = not own and sender is not _NOBODY and (tags is None or "batch" not in tags)
        return event if same else None

    def _room(self, target: str) -> RoomChat | None:
        """The room that a target is; `@#c` (STATUSMSG) goes to some of #c. `None` for a nick."""
        isupport = self._link.isupport
        name = target.lstrip(isupport.statusmsg) if isupport.statusmsg else target
        if not isupport.is_channel(name):
            return None
        chat = RoomChat(self._link.channels.room(name))
        if self._link.channels.get(name) is not None:
            self._chats[target] = chat
        return chat

    def notice(self, line: Line) -> None:
        """A NOTICE: in a room, for a room (`[#c] text` to us), from somebody, or from the server."""
        if not line.params:
            return
        target, text = line.params[0], line.param(1)
        if text[:1] == ctcp.DELIMITER:
            return  # a CTCP answer: whoever asked has seen it
        content = read(text, notice=True)
        if "!" not in line.source and not self._link.isupport.is_channel(target):
            self._relay(line.source, content.text)
        elif self._room(target) is not None:
            self._emit(line.nick, target, content, line.tags or None)
        elif (channel := self._named_channel(content.text)) is not None:
            self._emit(line.nick, channel, content, line.tags or None)
        elif line.nick in self._link.correspondents:
            self._emit(line.nick, target, content, line.tags or None)
        else:
            self._relay(line.nick, content.text)

    def _relay(self, who: str, text: str) -> None:
        self._link.emit(NetworkNotice(f"{who}: {text}" if who else text))

    def _named_channel(self, text: str) -> str | None:
        """The channel that a notice begins with in brackets, if we are in it."""
        found = _NAMED_CHANNEL.match(text)
        return found[1] if found is not None and self._link.channels.get(found[1]) is not None else None

    def invited(self, line: Line) -> None:
        """INVITE: of us, or (invite-notify) of somebody else, which nobody asked to see."""
        if self._link.is_me(line.param(0)) and self._link.isupport.is_channel(line.param(1)):
            room = self._link.channels.room(line.param(1))
            self._link.emit(Invited(room, line.nick))

    def batch(self, line: Line) -> None:
        """BATCH: remember those that replay history, whose messages keep their time however new."""
        reference = line.param(0)
        if reference[:1] == "-":
            self._history.discard(reference[1:])
        elif line.param(1) == "chathistory" and len(self._history) < _MOST_BATCHES:
            self._history.add(reference[1:])

    def _asked(self, source: str, command: str, text: str) -> None:
        """A CTCP question; more than a few in a while get no answer."""
        nick = source.partition("!")[0]
        if command not in ("VERSION", "PING") or self._link.is_me(nick) or not nick:
            return
        if self._answers.allows(asyncio.get_running_loop().time()):
            self._link.spawn(self._answer(nick, command, text))

    async def _answer(self, nick: str, command: str, text: str) -> None:
        contact = self._link.correspondents.contact(nick)
        if command == "PING":
            answer = text if await self._link.host.user_ping(contact) else None
        else:
            version = await self._link.host.user_version(contact)
            words = (version.name, "(through xmpp-bridge)", version.version, version.os) if version else ()
            answer = plain(" ".join(word for word in words if word)) or "xmpp-bridge"
        if answer is not None:
            self._link.outbox.post(build("NOTICE", nick, trailing=ctcp.build(command, answer)))
