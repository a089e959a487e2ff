"""Knows what the lines about channels mean: who comes, goes, is renamed, ranked; topics and names."""

from __future__ import annotations

from collections.abc import Callable

from backends.irc.channels import Channel
from backends.irc.formatting import plain
from backends.irc.keepalive import regain_nick
from backends.irc.link import Link
from backends.irc.modes import parse_modes
from backends.irc.names import is_made_up
from backends.irc.parser import Line
from bridge.api import (
    ContactRenamed,
    Departure,
    NameChanged,
    NetworkNotice,
    OccupantChanged,
    OccupantId,
    OccupantJoined,
    OccupantLeft,
    OccupantRenamed,
    RoomJoined,
    RoomLeft,
    RoomNotice,
    SubjectChanged,
)

Handlers = dict[str, Callable[[Line], None]]

_COLLISION_OVER = 1.0
"""Seconds after which a nick that the server took away is asked for again."""


class RoomLines:
    """Turns lines about channels into events."""

    def __init__(self, link: Link, relay: Callable[[Line], None]) -> None:
        self._link = link
        self._channels = link.channels
        self._relay = relay

    def handlers(self) -> Handlers:
        """The lines that this part takes, by name."""
        return {
            "join": self._join,
            "part": self._part,
            "kick": self._kick,
            "quit": self._quit,
            "nick": self._nick,
            "mode": self._mode,
            "topic": self._topic,
            "notopic": self._no_topic,
            "currenttopic": self._current_topic,
            "topicinfo": self._topic_info,
            "channelcreate": self._silent,
            "namreply": self._names,
            "endofnames": self._end_of_names,
            "account": self._account,
            "chghost": self._host_changed,
            "away": self._away,
        }

    def _silent(self, line: Line) -> None:
        """Nothing that people need."""

    def _join(self, line: Line) -> None:
        name, nick = line.param(0), line.nick
        if not name or not nick:
            return
        if self._link.is_me(nick):
            self._link.userhost = line.userhost or self._link.userhost
            self._link.joined(name)
            channel = self._channels.enter(name)
            self._channels.add(channel, nick, real=line.userhost, stable=_account_in_join(line))
            return
        channel_there = self._channels.get(name)
        if channel_there is not None:
            occupant = self._channels.add(
                channel_there, nick, real=line.userhost, stable=_account_in_join(line)
            )
            if channel_there.joined:
                self._link.emit(OccupantJoined(channel_there.room, occupant))

    def _part(self, line: Line) -> None:
        for name in line.param(0).split(","):
            channel = self._channels.get(name)
            if channel is not None:
                self._goes(channel, line.nick, Departure.LEFT, text=plain(line.param(1)))

    def _kick(self, line: Line) -> None:
        channel = self._channels.get(line.param(0))
        if channel is not None:
            text = plain(line.param(2))
            self._goes(channel, line.param(1), Departure.KICKED, actor=line.nick, text=text)

    def _goes(self, channel: Channel, nick: str, how: Departure, *, actor: str = "", text: str = "") -> None:
        if self._link.is_me(nick):
            self._channels.leave(channel)
            self._link.emit(RoomLeft(channel.room, how, actor, text))
            return
        gone = self._channels.remove(channel, nick)
        if gone is not None and channel.joined:
            self._link.emit(OccupantLeft(channel.room, gone.name, how, actor, text))

    def _quit(self, line: Line) -> None:
        if self._link.is_me(line.nick):
            return  # the end of the connection follows, and says more
        self._link.trusted.pop(self._link.isupport.fold(line.nick), None)
        for channel in self._channels.having(line.nick):
            self._goes(channel, line.nick, Departure.QUIT, text=plain(line.param(0)))

    def _nick(self, line: Line) -> None:
        old, new = line.nick, line.param(0)
        if not old or not new:
            return
        own = self._link.is_me(old)
        if own:
            self._renamed(new)
        self._link.trusted.pop(self._link.isupport.fold(old), None)
        for channel in self._channels.having(old):
            renamed = self._channels.rename(channel, old, new)
            if renamed is not None and channel.joined:
                self._link.emit(OccupantRenamed(channel.room, OccupantId(old), renamed))
        contact = None if own else self._link.correspondents.rename(old, new)
        if contact is not None and contact[0] != contact[1]:
            self._link.emit(ContactRenamed(*contact))

    def _renamed(self, new: str) -> None:
        had_wanted = self._link.is_me(self._link.wanted_nick)
        self._link.nick = new
        if not is_made_up(new):
            self._link.emit(NameChanged(new))
        elif had_wanted:
            # Taken by the server, in a collision. No name to come back with, so the bridge is not told it.
            self._link.spawn(regain_nick(self._link, _COLLISION_OVER))

    def _mode(self, line: Line) -> None:
        target = line.param(0)
        channel = self._channels.get(target)
        if channel is not None:
            self._channel_mode(channel, line)
        elif self._link.is_me(target):
            self._link.emit(NetworkNotice(f"User mode for {target} is [{' '.join(line.params[1:])}]"))

    def _channel_mode(self, channel: Channel, line: Line) -> None:
        # Those whose modes are changed: the last state of each, once.
        touched: dict[str, None] = {}
        for change in parse_modes(line.params[1:], self._link.isupport):
            if change.mode in self._link.isupport.prefix_modes and change.argument:
                self._channels.change_mode(channel, change.argument, change.mode, change.adds)
                touched[change.argument] = None
        if not channel.joined:
            return
        text = " ".join(line.params[1:])
        self._link.emit(RoomNotice(channel.room, f"Mode {line.param(0)} [{text}] by {line.nick}"))
        for nick in touched:
            occupant = self._channels.find(channel, nick)
            if occupant is not None:
                self._link.emit(OccupantChanged(channel.room, occupant, line.nick))

    def _topic(self, line: Line) -> None:
        channel = self._channels.get(line.param(0))
        if channel is not None:
            channel.topic, channel.topic_by = plain(line.param(1)), line.nick
            self._link.emit(SubjectChanged(channel.room, channel.topic, channel.topic_by))

    def _no_topic(self, line: Line) -> None:
        self._told_topic(line, "")

    def _current_topic(self, line: Line) -> None:
        self._told_topic(line, plain(line.param(2)))

    def _told_topic(self, line: Line, topic: str) -> None:
        """An answer about the topic: at the join, or because the user asked in the server's words."""
        channel = self._channels.get(line.param(1))
        if channel is None or channel.joined:
            self._relay(line)
        else:
            channel.topic = topic

    def _topic_info(self, line: Line) -> None:
        channel = self._channels.get(line.param(1))
        if channel is not None:
            channel.topic_by = line.param(2).partition("!")[0]

    def _names(self, line: Line) -> None:
        channel = self._channels.get(line.param(2))
        if channel is None or channel.joined:
            self._relay(line)
        else:
            self._channels.add_names(channel, line.param(3))

    def _end_of_names(self, line: Line) -> None:
        channel = self._channels.get(line.param(1))
        if channel is None or channel.joined:
            return
        channel.joined = True
        self._link.emit(joined_event(channel, self._link))

    def _account(self, line: Line) -> None:
        stable = "" if line.param(0) == "*" else line.param(0)
        self._update(line.nick, stable=stable)

    def _host_changed(self, line: Line) -> None:
        real = f"{line.param(0)}@{line.param(1)}"
        if self._link.is_me(line.nick):
            self._link.userhost = real
        self._update(line.nick, real=real)

    def _away(self, line: Line) -> None:
        self._update(line.nick, away=bool(line.param(0)))

    def _update(
        self, nick: str, *, real: str | None = None, stable: str | None = None, away: bool | None = None
    ) -> None:
        for channel in self._channels.having(nick):
            changed = self._channels.update(channel, nick, real=real, stable=stable, away=away)
            if changed is not None and channel.joined:
                self._link.emit(OccupantChanged(channel.room, changed))


def _account_in_join(line: Line) -> str:
    """The account of an extended-join; empty without that capability, or for nobody's."""
    account = line.param(1) if len(line.params) > 2 else line.tags.get("account", "")
    return "" if account == "*" else account


def joined_event(channel: Channel, link: Link) -> RoomJoined:
    """All that is known of a channel that we are in."""
    me = link.channels.find(channel, link.nick) or link.channels.add(channel, link.nick)
    return RoomJoined(
        channel.room, me.name, channel.occupants(), channel.topic, channel.topic_by, channel.name
    )
