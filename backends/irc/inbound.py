"""Knows which part takes a line: messages by the short way, everything else by name."""

from __future__ import annotations

from backends.irc.link import Link
from backends.irc.numerics import name_of
from backends.irc.parser import Line, parse_line, parse_tags
from backends.irc.rooms_in import RoomLines
from backends.irc.server_in import ServerLines
from backends.irc.talk_in import TalkLines


class Inbound:
    """Takes lines once the connection is registered."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._heard = link.heard
        self._waiters = link.waiters
        self._talk = TalkLines(link)
        self._server = ServerLines(link, self._talk.forget_chats)
        rooms = RoomLines(link, self._server.relay)
        self._said, self._again = self._talk.said, self._talk.said_again
        self._handlers = {
            **self._server.handlers(),
            **rooms.handlers(),
            "privmsg": self._talk.message,
            "notice": self._talk.notice,
            "invite": self._talk.invited,
            "batch": self._talk.batch,
        }

    def receive(self, text: str) -> None:
        """One line. Only a message in its usual form goes the short way: `:who PRIVMSG target :text`. One
        that another connection has heard already goes a shorter one."""
        heard = self._heard
        if heard.many:
            known = heard.find(text)
            if known is not None and self._again(known):
                return
        tags = None
        line = text
        if line[0] == "@":
            raw, _, line = line.partition(" ")
            if " PRIVMSG " in line:
                tags = parse_tags(raw[1:])
        source, _, rest = line.partition(" ")
        if rest[:8] == "PRIVMSG " and source[:1] == ":":
            target, colon, said = rest[8:].partition(" :")
            if colon and target and " " not in target:
                event = self._said(source[1:], target, said, tags)
                if event is not None and heard.many:
                    heard.put(text, (event.sender, target, event))
                return
        parsed = parse_line(text)
        if parsed is not None:
            self.take(parsed)

    def take(self, line: Line) -> None:
        """One parsed line: to the commands that wait, and to its part."""
        name = name_of(line.command)
        claimed = self._waiters.offer(name, line)
        handler = self._handlers.get(name)
        if handler is not None:
            handler(line)
        elif not claimed:
            self._server.relay(line)
        if name in ("join", "part", "kick"):
            self._talk.forget_chats()
