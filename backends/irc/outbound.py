"""Knows which lines a command becomes, and which answer of the server settles it."""

from __future__ import annotations

from collections.abc import Callable

from backends.irc.link import Link
from backends.irc.modes import rank_change
from backends.irc.names import is_nick, is_target
from backends.irc.parser import Line, build
from backends.irc.raw import raw_line
from backends.irc.replies import LinkEndedError, Match, refusal
from backends.irc.rooms_in import joined_event
from backends.irc.talk_out import TalkOut
from bridge.api import (
    ChangeNick,
    Command,
    CorrectMessage,
    InviteContact,
    JoinRoom,
    KickOccupant,
    Later,
    LeaveRoom,
    MarkDisplayed,
    Outcome,
    Reason,
    Refused,
    RetractMessage,
    RoomId,
    RunCommand,
    SendMessage,
    SendReceipt,
    Sent,
    SetAvailability,
    SetRank,
    SetReactions,
    SetSubject,
    SetTyping,
    Unknown,
)

_SENT = Sent()
_BROKEN = "The connection to the network broke"
_NOT_IN_ROOM = Refused(Reason.NOT_IN_ROOM, "You are not a participant in this room.")
_UNSUPPORTED = Refused(Reason.UNSUPPORTED, "IRC has nothing like it")


class Outbound:
    """Carries out commands. `quit_sent` is called when the user has quit in the network's own words."""

    def __init__(self, link: Link, quit_sent: Callable[[], None]) -> None:
        self._link = link
        self.talk = TalkOut(link)
        self._quit_sent = quit_sent

    async def execute(self, command: Command) -> Outcome:
        """See `Session.execute`."""
        try:
            if type(command) is SendMessage:
                return await self.talk.send(command)
            return await self._other(command)
        except LinkEndedError:
            return Unknown(_BROKEN)

    async def _other(self, command: Command) -> Outcome:
        match command:
            case JoinRoom():
                return await self._join(command)
            case LeaveRoom():
                return await self._leave(command)
            case ChangeNick():
                return await self._change_nick(command.nick)
            case SetSubject():
                return await self._set_subject(command)
            case KickOccupant():
                return await self._kick(command)
            case SetRank():
                return await self._set_rank(command)
            case InviteContact():
                return await self._invite(command)
            case RunCommand():
                return await self._run(command)
            case SetAvailability():
                return await self._set_availability(command)
            case SendReceipt() | MarkDisplayed() | SetTyping():
                return _SENT
            case CorrectMessage() | RetractMessage() | SetReactions() | SendMessage():
                return _UNSUPPORTED

    async def _send(self, line: str) -> Outcome:
        return _SENT if await self._link.outbox.send(line) else Later(5.0, _BROKEN)

    async def _settled(self, line: str, match: Match[Outcome | None]) -> Outcome:
        """Send, and wait for the line that settles it. Without any answer it is not known what became of
        it."""
        with self._link.waiters.expecting(match) as waiting:
            if not await self._link.outbox.send(line):
                return Later(5.0, _BROKEN)
            answer = await waiting.get(self._link.options.answer_timeout)
            return answer or Unknown("The network did not answer")

    async def _join(self, command: JoinRoom) -> Outcome:
        room = command.room
        if not is_target(room) or not self._link.isupport.is_channel(room):
            return Refused(Reason.BAD_REQUEST, f"{room!r} cannot be a channel here")
        if command.password and not is_target(command.password):
            return Refused(Reason.NOT_AUTHORIZED, "A channel's key has no blanks or commas")
        channel = self._link.channels.get(room)
        if channel is not None and channel.joined:
            self._link.emit(joined_event(channel, self._link))
            return _SENT
        self._link.channels.know(room)
        line = build("JOIN", room, command.password) if command.password else build("JOIN", room)
        outcome = await self._send(line)
        if outcome is _SENT:
            self._link.joining(room)
        return outcome

    async def _leave(self, command: LeaveRoom) -> Outcome:
        channel = self._link.channels.get(command.room)
        if channel is None:
            return _SENT
        return await self._send(build("PART", channel.name, trailing=command.text or None))

    async def _change_nick(self, nick: str) -> Outcome:
        if not is_nick(nick):
            return Refused(Reason.BAD_REQUEST, f"{nick!r} cannot be a nick")
        if nick == self._link.nick:
            return _SENT
        before = self._link.nick
        self._link.wanted_nick, self._link.regaining = nick, False

        def match(name: str, line: Line) -> Outcome | None:
            if name == "nick" and line.nick == before:
                return _SENT if line.param(0) == nick else None
            about = line.param(1) in (nick, before) or len(line.params) == 2
            return refusal(name, line) if about else None

        outcome = await self._settled(build("NICK", nick), match)
        if isinstance(outcome, Refused):
            self._link.wanted_nick = self._link.nick
        return outcome

    def _for_channel(
        self, room: RoomId, done: str, who: str = ""
    ) -> tuple[str, Match[Outcome | None]] | None:
        """The channel as the server calls it, and the match for a command that comes back to it (or is
        refused). `who` is somebody in it, whom the server may name instead. `None` if we are not in it."""
        channel = self._link.channels.get(room)
        if channel is None:
            return None
        fold = self._link.isupport.fold
        names = {fold(channel.name), fold(who)} if who else {fold(channel.name)}

        def match(name: str, line: Line) -> Outcome | None:
            if name == done:
                about = fold(line.param(0)) == fold(channel.name)
                mine = self._link.is_me(line.nick) or "!" not in line.source
                named = not who or any(fold(param) == fold(who) for param in line.params[1:])
                return _SENT if about and mine and named else None
            return refusal(name, line) if names & {fold(param) for param in line.params[1:3]} else None

        return channel.name, match

    async def _set_subject(self, command: SetSubject) -> Outcome:
        found = self._for_channel(command.room, "topic")
        if found is None:
            return _NOT_IN_ROOM
        text = " ".join(command.text.split("\n"))
        return await self._settled(build("TOPIC", found[0], trailing=text), found[1])

    async def _kick(self, command: KickOccupant) -> Outcome:
        found = self._for_channel(command.room, "kick", who=command.name)
        if found is None:
            return _NOT_IN_ROOM
        if not is_target(command.name):
            return Refused(Reason.NOT_FOUND, f"{command.name!r} is not here")
        line = build("KICK", found[0], command.name, trailing=command.reason or command.name)
        return await self._settled(line, found[1])

    async def _set_rank(self, command: SetRank) -> Outcome:
        channel = self._link.channels.get(command.room)
        found = self._for_channel(command.room, "mode", who=command.name)
        if channel is None or found is None:
            return _NOT_IN_ROOM
        if self._link.channels.find(channel, command.name) is None:
            return Refused(Reason.NOT_FOUND, f"{command.name} is not in this room")
        has = self._link.channels.modes_of(channel, command.name)
        lines = rank_change(command.name, has, command.rank, self._link.isupport)
        if lines is None:
            return Refused(Reason.UNSUPPORTED, "This network has no such rank")
        outcome: Outcome = _SENT
        for params in lines:
            outcome = await self._settled(build("MODE", channel.name, *params), found[1])
            if outcome is not _SENT:
                break
        return outcome

    async def _invite(self, command: InviteContact) -> Outcome:
        channel = self._link.channels.get(command.room)
        name = channel.name if channel is not None else command.room
        nick = command.contact
        if not is_target(name) or not is_target(nick):
            return Refused(Reason.BAD_REQUEST, f"{nick!r} cannot be a nick")
        fold = self._link.isupport.fold

        def match(reply: str, line: Line) -> Outcome | None:
            about = fold(nick) in {fold(param) for param in line.params[1:3]}
            about = about or fold(line.param(1)) == fold(name)
            if reply == "inviting":
                return _SENT if about else None
            return refusal(reply, line) if about else None

        return await self._settled(build("INVITE", nick, name), match)

    async def _run(self, command: RunCommand) -> Outcome:
        channel = self._link.channels.get(command.room) if command.room else None
        room = channel.name if channel is not None else command.room
        line = raw_line(command.text, room, self._link.isupport)
        if line is None:
            return Refused(Reason.BAD_REQUEST, "One command is one line")
        if line.partition(" ")[0] == "QUIT":
            return await self._quit(line)
        return await self._send(line)

    async def _quit(self, line: str) -> Outcome:
        """That is no broken link. Whichever way the link ends now, the user is where they wanted to be."""
        self._link.leaving = True
        await self._send(line)
        self._quit_sent()
        return _SENT

    async def _set_availability(self, command: SetAvailability) -> Outcome:
        return await self._send(build("AWAY", trailing=command.text or "Away") if command.away else "AWAY")
