"""Knows which presences a room sends when (XEP-0045 §7): joining, coming, going, names and ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bridge.api import Departure, Occupant, OccupantId, Reason, Recent
from bridge.core.room import Room
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.errors import join_shape, shape
from bridge.xmpp.render import jid_attr
from bridge.xmpp.render_presence import (
    DEPARTURE_CODES,
    Item,
    available,
    head,
    occupant_id,
    refusal,
    unavailable,
)
from bridge.xmpp.render_room import occupant_jid

__all__ = ["RoomPresences"]

SELF = 110
_JOINED = (100, SELF, 210)  # non-anonymous; oneself; the name may not be the one that was asked for
_RENAMED = 303
_SHUT_DOWN = 332

_Rendered = tuple[Occupant, str, str, str]
"""Somebody with their stable id, and the text before and after the recipient's JID."""

_NOBODY: dict[OccupantId, _Rendered] = {}
_ROOMS = 64  # of which it is remembered, for seconds, who was rendered


class RoomPresences:
    """The presences of all rooms of one gateway.

    `identify` gives an occupant's stable id (XEP-0421) by room and name, `caps` the `<c/>` for a kind of
    puppet, `write` takes finished text."""

    def __init__(
        self,
        write: Callable[[str], object],
        addresses: Addresses,
        identify: Callable[[Room, OccupantId], str],
        caps: Callable[[str], str],
    ) -> None:
        self._write = write
        self._addresses = addresses
        self._identify = identify
        self._caps = caps("occupant")
        self._rendered: Recent[str, dict[OccupantId, _Rendered]] = Recent(_ROOMS)

    def entering(self, room: Room, resource: str) -> list[str]:
        """The presences of a join sequence (XEP-0045 §7.2.2), in pieces: the others, then oneself."""
        to, me, ids = jid_attr(resource), room.me, room.occupant_ids
        shared = self._shared(room) if room.commons.shared else _NOBODY
        pieces: list[str] = []
        for name, occupant in room.occupants.items():
            if name != me:
                known = shared.get(name)
                if known is not None and known[0] is occupant and known[1] == ids.get(name):
                    pieces += (known[2], to, known[3])
                else:
                    before, after = self._there(room, occupant)
                    pieces += (before, to, after)
        before, after = self._here(room, room.myself, resource, _JOINED)
        pieces += (before, to, after)
        return pieces

    def joined(self, room: Room, occupant: Occupant) -> None:
        """Somebody came."""
        self._tell(room.resources, *self._there(room, occupant))

    def changed(self, room: Room, occupant: Occupant, actor: str) -> None:
        """Somebody's rank or away state is another one (XEP-0045 §8.4, §9.3)."""
        if occupant.name != room.me:
            self._tell(room.resources, *self._here(room, occupant, actor=actor))
            return
        for resource in room.resources:
            self._tell((resource,), *self._here(room, occupant, resource, (SELF,), actor))

    def left(self, room: Room, occupant: Occupant, how: Departure, actor: str, text: str) -> None:
        """Somebody else went."""
        item = self._item(room, occupant, actor=_hand(how, actor), reason=_why(how, text)).gone(how)
        self._tell(room.resources, *self._away(room, occupant.name, item, DEPARTURE_CODES[how], text, how))

    def out(
        self, room: Room, resources: Iterable[str], how: Departure, actor: str, text: str, remaining: int = 0
    ) -> None:
        """These of the user's own resources are out (XEP-0045 §7.14, §8.2, §9.1)."""
        me = room.occupants.get(room.me) or Occupant(name=room.me)
        if how is Departure.DISCONNECTED:
            codes: tuple[int, ...] = (SELF, _SHUT_DOWN)
        else:
            codes = (SELF, *DEPARTURE_CODES[how])
        if remaining:
            count = "1 resource is" if remaining == 1 else f"{remaining} resources are"
            text = f"xmpp-bridge note: {count} still in this channel."
        for resource in resources:
            item = self._item(room, me, resource, actor=_hand(how, actor), reason=_why(how, text))
            if not (how is Departure.LEFT and room.kept):
                item.gone(how)
            self._tell((resource,), *self._away(room, room.me, item, codes, text, how))

    def renamed(self, room: Room, old: Occupant, new: Occupant) -> None:
        """Somebody is called otherwise now (XEP-0045 §7.6)."""
        if new.name != room.me:
            self._rename(room, room.resources, old, new)
            return
        for resource in room.resources:
            self._rename(room, (resource,), old, new, resource)

    def _rename(
        self, room: Room, to: Iterable[str], old: Occupant, new: Occupant, resource: str = ""
    ) -> None:
        item = self._item(room, new, resource, nick=new.name)
        codes = (SELF,) if resource else ()
        before, after = (
            head(occupant_jid(room.jid, old.name), gone=True),
            unavailable(item, (*codes, _RENAMED), "", self._identity(room, new.name)),
        )
        self._tell(to, before, after)
        self._tell(to, *self._here(room, new, resource, codes))

    def refused(self, room: Room, resource: str, reason: Reason, text: str) -> None:
        """The join failed (XEP-0045 §7.2.5-§7.2.12)."""
        self._write(refusal(occupant_jid(room.jid, room.nick), resource, join_shape(reason), text))

    def nick_refused(self, room: Room, resource: str, nick: str, reason: Reason, text: str) -> None:
        """A change of nick failed; the error comes from the name that cannot be had."""
        self._write(refusal(occupant_jid(room.jid, nick), resource, shape(reason), text))

    def _identity(self, room: Room, name: OccupantId) -> str:
        return occupant_id(self._identify(room, name))

    def _item(
        self,
        room: Room,
        occupant: Occupant,
        resource: str = "",
        nick: str = "",
        actor: str = "",
        reason: str = "",
    ) -> Item:
        """Oneself is the recipient's own JID, anybody else who they are on their network."""
        jid = resource or self._addresses.real_jid(room, occupant)
        return Item(occupant.rank, jid, nick, actor, reason)

    def _there(self, room: Room, occupant: Occupant) -> tuple[str, str]:
        """Somebody who is there, as all other users of a room see them: rendered for the first of these."""
        if not room.commons.shared:
            return self._here(room, occupant)
        name = occupant.name
        identity = room.occupant_ids.get(name) or self._identify(room, name)
        shared = self._shared(room)
        known = shared.get(name)
        if known is None or known[0] != occupant or known[1] != identity:
            known = shared[name] = (occupant, identity, *self._here(room, occupant))
        return known[2], known[3]

    def _shared(self, room: Room) -> dict[OccupantId, _Rendered]:
        """Who of a room was rendered lately."""
        shared = self._rendered.get(room.jid)
        if shared is None:
            shared = {}
            self._rendered.put(room.jid, shared)
        return shared

    def _here(
        self, room: Room, occupant: Occupant, resource: str = "", codes: tuple[int, ...] = (), actor: str = ""
    ) -> tuple[str, str]:
        item = self._item(room, occupant, resource, actor=actor)
        identity = self._identity(room, occupant.name)
        return head(occupant_jid(room.jid, occupant.name)), available(
            item, codes, occupant.away, identity, self._caps
        )

    def _away(
        self, room: Room, name: OccupantId, item: Item, codes: tuple[int, ...], text: str, how: Departure
    ) -> tuple[str, str]:
        destroyed = text if how is Departure.DESTROYED else None
        identity = self._identity(room, name)
        return head(occupant_jid(room.jid, name), gone=True), unavailable(
            item, codes, "" if how in _BY_HAND else text, identity, destroyed
        )

    def _tell(self, resources: Iterable[str], before: str, after: str) -> None:
        text = "".join([f"{before}{jid_attr(resource)}{after}" for resource in resources])
        if text:
            self._write(text)


_BY_HAND = frozenset({Departure.KICKED, Departure.BANNED, Departure.DESTROYED})
"""Here the text is the reason that somebody gave, not what the one who went said."""


def _hand(how: Departure, actor: str) -> str:
    return actor if how in _BY_HAND else ""


def _why(how: Departure, text: str) -> str:
    return text if how in _BY_HAND and how is not Departure.DESTROYED else ""
