"""Knows the channels that we are in: who is there, with which modes; topics. No I/O.

Made for many users with the same big channels: an `Occupant` is frozen and made once for all sessions that
see it, and only those who have a mode take a second entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from backends.irc.casemap import Fold, fold_ascii
from backends.irc.isupport import Isupport, rank_of, split_marks
from bridge.api import ContactId, Occupant, OccupantId, Rank, RoomId

_REPLIES = 128
"""So many lines of replies are remembered, some 5 KB each: they are the same for all who come at once."""
_LONGEST_KEPT = 512
"""Characters of a reply that is remembered: longer than the protocol allows is no reason to need memory."""


@lru_cache(maxsize=16384)
def make_occupant(name: str, rank: Rank, real: str, stable: str, away: bool) -> Occupant:
    """The one `Occupant` with these values."""
    return Occupant(OccupantId(name), rank, real, stable, ContactId(fold_ascii(name)), away)


@lru_cache(maxsize=_REPLIES)
def read_names(
    names: str, fold: Fold, marks: str, letters: str
) -> tuple[Mapping[str, Occupant], Mapping[str, str]]:
    """The entries of a RPL_NAMREPLY: occupants and, where there are any, mode letters, by folded nick. A
    server says the same to everybody who comes, so it is read once, and the nicks are kept once."""
    named: dict[str, Occupant] = {}
    modes: dict[str, str] = {}
    for entry in names.split(" "):
        held, mask = split_marks(entry, marks, letters) if entry[:1] in marks else ("", entry)
        nick, _, real = mask.partition("!")
        if nick:
            folded = fold(nick)
            if folded in named:
                real = real or named[folded].real
            named[folded] = make_occupant(nick, rank_of(held), real, "", False)
            modes[folded] = held
    return named, {folded: held for folded, held in modes.items() if held}


class Channel:
    """One channel. `members` maps a folded nick to the occupant, `modes` to mode letters (only where there
    are any). Until `joined` (the end of NAMES) nobody has been told of it."""

    __slots__ = ("joined", "members", "modes", "name", "room", "topic", "topic_by")

    def __init__(self, name: str, room: RoomId) -> None:
        self.name = name
        self.room = room
        self.joined = False
        self.topic = ""
        self.topic_by = ""
        self.members: dict[str, Occupant] = {}
        self.modes: dict[str, str] = {}

    def occupants(self) -> tuple[Occupant, ...]:
        """Everybody who is there."""
        return tuple(self.members.values())


class Channels:
    """All channels of one connection, found in the server's way of comparing names."""

    def __init__(self, isupport: Isupport) -> None:
        self._isupport = isupport
        self._channels: dict[str, Channel] = {}
        self._rooms: dict[str, RoomId] = {}

    def __iter__(self) -> Iterator[Channel]:
        return iter(list(self._channels.values()))

    def get(self, name: str) -> Channel | None:
        """The channel of that name that we are in."""
        # a name that is found as it is was folded already, and most are
        return self._channels.get(name) or self._channels.get(self._isupport.fold(name))

    def know(self, room: RoomId) -> None:
        """The core calls this channel so (its spelling may be another of the same name)."""
        self._rooms[self._isupport.fold(room)] = room

    def room(self, name: str) -> RoomId:
        """The id of a channel for the core."""
        return self._rooms.get(self._isupport.fold(name)) or RoomId(fold_ascii(name))

    def enter(self, name: str) -> Channel:
        """We are in a channel now; its members are to come."""
        channel = Channel(name, self.room(name))
        self._channels[self._isupport.fold(name)] = channel
        return channel

    def leave(self, channel: Channel) -> None:
        """We are no longer in it."""
        self._channels.pop(self._isupport.fold(channel.name), None)
        self._rooms.pop(self._isupport.fold(channel.name), None)

    def fold_changed(self) -> None:
        """The server named its CASEMAPPING after all: sort anew."""
        self._channels = {self._isupport.fold(c.name): c for c in self._channels.values()}
        self._rooms = {self._isupport.fold(room): room for room in self._rooms.values()}

    def having(self, nick: str) -> list[Channel]:
        """The channels that somebody is in."""
        folded = self._isupport.fold(nick)
        return [channel for channel in self._channels.values() if folded in channel.members]

    def add(
        self, channel: Channel, nick: str, *, modes: str = "", real: str = "", stable: str = ""
    ) -> Occupant:
        """Somebody is in the channel (or is known better)."""
        folded = self._isupport.fold(nick)
        known = channel.members.get(folded)
        if known is not None:
            # NAMES may say less than the JOIN that we saw.
            real, stable = real or known.real, stable or known.stable
        occupant = make_occupant(nick, rank_of(modes), real, stable, False)
        channel.members[folded] = occupant
        if modes:
            channel.modes[folded] = modes
        else:
            channel.modes.pop(folded, None)
        return occupant

    def add_names(self, channel: Channel, names: str) -> None:
        """The entries of one RPL_NAMREPLY, with or without user and host."""
        isupport, members = self._isupport, channel.members
        read = read_names if len(names) <= _LONGEST_KEPT else read_names.__wrapped__
        named, modes = read(names, isupport.fold, isupport.prefix_marks, isupport.prefix_modes)
        known = members.keys() & named.keys()
        if not known:
            members.update(named)
            channel.modes.update(modes)
            return
        for folded, occupant in named.items():
            if folded in known:
                self.add(channel, occupant.name, modes=modes.get(folded, ""), real=occupant.real)
            else:
                members[folded] = occupant
                if folded in modes:
                    channel.modes[folded] = modes[folded]

    def find(self, channel: Channel, nick: str) -> Occupant | None:
        """Somebody in a channel."""
        return channel.members.get(self._isupport.fold(nick))

    def modes_of(self, channel: Channel, nick: str) -> str:
        """The mode letters that somebody has, highest first."""
        return channel.modes.get(self._isupport.fold(nick), "")

    def remove(self, channel: Channel, nick: str) -> Occupant | None:
        """Somebody went; `None` if they were not there."""
        folded = self._isupport.fold(nick)
        channel.modes.pop(folded, None)
        return channel.members.pop(folded, None)

    def rename(self, channel: Channel, old: str, new: str) -> Occupant | None:
        """Somebody is called otherwise; `None` if they are not there."""
        before = self._isupport.fold(old)
        occupant = channel.members.pop(before, None)
        if occupant is None:
            return None
        modes = channel.modes.pop(before, "")
        renamed = make_occupant(new, occupant.rank, occupant.real, occupant.stable, occupant.away)
        channel.members[self._isupport.fold(new)] = renamed
        if modes:
            channel.modes[self._isupport.fold(new)] = modes
        return renamed

    def change_mode(self, channel: Channel, nick: str, mode: str, adds: bool) -> Occupant | None:
        """Somebody got or lost a mode; `None` if they are not there."""
        folded = self._isupport.fold(nick)
        occupant = channel.members.get(folded)
        if occupant is None:
            return None
        letters = set(channel.modes.get(folded, ""))
        letters = letters | {mode} if adds else letters - {mode}
        modes = self._isupport.sort_modes(letters)
        if modes:
            channel.modes[folded] = modes
        else:
            channel.modes.pop(folded, None)
        return self._put(channel, folded, occupant, rank=rank_of(modes))

    def update(
        self, channel: Channel, nick: str, *, real: str | None = None, stable: str | None = None,
        away: bool | None = None,
    ) -> Occupant | None:  # fmt: skip
        """More is known of somebody; `None` if they are not there, or nothing changed."""
        folded = self._isupport.fold(nick)
        occupant = channel.members.get(folded)
        if occupant is None:
            return None
        changed = self._put(channel, folded, occupant, real=real, stable=stable, away=away)
        return None if changed == occupant else changed

    def _put(
        self, channel: Channel, folded: str, known: Occupant, *, rank: Rank | None = None,
        real: str | None = None, stable: str | None = None, away: bool | None = None,
    ) -> Occupant:  # fmt: skip
        occupant = make_occupant(
            known.name,
            known.rank if rank is None else rank,
            known.real if real is None else real,
            known.stable if stable is None else stable,
            known.away if away is None else away,
        )
        channel.members[folded] = occupant
        return occupant
