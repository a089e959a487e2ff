"""Knows how users change and list the standing of others in a room, and kick (XEP-0045 §8, §9, §10)."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from bridge.api import Later, Occupant, Outcome, Rank, Reason, Refused, RoomAddress, Unknown
from bridge.core.gateway import Gateway
from bridge.core.room import Room
from bridge.xmpp.addresses import Addresses, occupant_at
from bridge.xmpp.entities import refusal, resolve
from bridge.xmpp.iqs import InIq, Iqs, StanzaError
from bridge.xmpp.jids import BadJid, bare, prepare
from bridge.xmpp.muc_talk import OUTSIDE
from bridge.xmpp.render_presence import Item, affiliation, role
from bridge.xmpp.render_room import occupant_jid

__all__ = ["RoomAdmin", "checked", "room_of"]

_NS = "http://jabber.org/protocol/muc#admin"
_AFFILIATIONS = {"owner": Rank.OWNER, "admin": Rank.ADMIN, "member": Rank.MEMBER, "none": Rank.NONE}
_LISTS = frozenset({"owner", "admin", "member", "none", "outcast"})
_ROLES = frozenset({"moderator", "participant", "visitor", "none"})
_SECONDS = 90.0


class RoomAdmin:
    """Answers the muc#admin requests of one gateway's users."""

    def __init__(self, gateway: Gateway, addresses: Addresses) -> None:
        self._rooms = gateway.rooms
        self._addresses = addresses

    def register(self, iqs: Iqs) -> None:
        """Take the requests of this namespace. Changes wait for the network."""
        iqs.register("get", f"{{{_NS}}}query", self.get)
        iqs.register("set", f"{{{_NS}}}query", self.set, _SECONDS)

    async def get(self, iq: InIq) -> str:
        """Who has an affiliation or a role, of those who are there (XEP-0045 §9.5, §9.8, §10.4, §10.7)."""
        room = room_of(self._rooms.find, self._addresses, iq)
        wanted = iq.payload.find(f"{{{_NS}}}item")
        if wanted is None:
            raise StanzaError("modify", "bad-request", "There is no item.")
        value, rendered = wanted.get("affiliation"), role
        if value is not None and value in _LISTS:
            rendered = affiliation
        elif value is None and wanted.get("role") in _ROLES:
            value = wanted.get("role")
        else:
            raise StanzaError("modify", "bad-request", "There is no list of that name.")
        items = [self._item(room, one) for one in room.occupants.values() if rendered(one.rank) == value]
        return f"<query xmlns='{_NS}'>{''.join(items)}</query>"

    async def set(self, iq: InIq) -> None:
        """Change the standing of some, one after the other; the first that fails ends it."""
        room = room_of(self._rooms.find, self._addresses, iq)
        items = iq.payload.findall(f"{{{_NS}}}item")
        if not items:
            raise StanzaError("modify", "bad-request", "There is no item.")
        for item in items:
            await self._change(room, item)

    async def _change(self, room: Room, item: Element) -> None:
        occupant = self._named(room, item)
        if item.get("role") == "none":
            reason = item.findtext(f"{{{_NS}}}reason") or ""
            checked(await self._rooms.kick(room, occupant.name, reason))
            return
        rank = _asked(item, occupant.rank)
        if rank is not None:
            checked(await self._rooms.set_rank(room, occupant.name, rank))

    def _named(self, room: Room, item: Element) -> Occupant:
        """Whom an item means: by the name in the room, or by the address behind it."""
        nick, jid = item.get("nick"), item.get("jid")
        found = occupant_at(room, nick) if nick else None
        if not nick and jid:
            found = self._at(room, jid)
        if found is None:
            raise StanzaError("cancel", "item-not-found", "Nobody of that name is in this room.")
        return found

    def _at(self, room: Room, jid: str) -> Occupant | None:
        try:
            wanted = prepare(jid)
        except BadJid as error:
            raise StanzaError("modify", "jid-malformed", str(error)) from error
        if bare(wanted) == room.jid:
            return occupant_at(room, wanted.partition("/")[2])
        if bare(wanted) == room.user:
            return room.myself
        everybody = room.occupants.values()
        return next(
            (one for one in everybody if bare(self._addresses.real_jid(room, one)) == bare(wanted)), None
        )

    def _item(self, room: Room, occupant: Occupant) -> str:
        if occupant.name == room.me:
            jid = room.user
        else:
            jid = bare(self._addresses.real_jid(room, occupant)) or occupant_jid(room.jid, occupant.name)
        return str(Item(occupant.rank, jid, occupant.name))


def _asked(item: Element, now: Rank) -> Rank | None:
    """The rank that an item asks for; None: it is so already."""
    wanted, role_ = item.get("affiliation"), item.get("role")
    if wanted is not None:
        if wanted not in _AFFILIATIONS:
            raise StanzaError("cancel", "not-allowed", "Nobody can be banned this way on this network.")
        return _AFFILIATIONS[wanted]
    if role_ == "moderator":
        return Rank.MODERATOR if now < Rank.MODERATOR else None
    if role_ == "participant":
        if now > Rank.MODERATOR:
            raise StanzaError("cancel", "not-allowed", "Take the affiliation away first.")  # §9.7
        return Rank.MEMBER if now is Rank.MODERATOR else None
    if role_ == "visitor":
        raise StanzaError("cancel", "not-allowed", "This network cannot take somebody's voice this way.")
    raise StanzaError("modify", "bad-request", "The item asks for nothing that is known.")


def room_of(find: Callable[[str, str], Room | None], addresses: Addresses, iq: InIq) -> Room:
    """The room that a request is to. Raises item-not-found for what is no room, not-acceptable from
    outside."""
    entity = resolve(addresses, iq)
    if not isinstance(entity.address, RoomAddress) or entity.nick:
        raise StanzaError("cancel", "feature-not-implemented")
    room = find(bare(iq.sender), addresses.jid(entity.address))
    if room is None or iq.sender not in room.resources:
        raise refusal(Reason.NOT_IN_ROOM, OUTSIDE)
    return room


def checked(outcome: Outcome) -> None:
    """Raise the stanza error for what a network did not do."""
    if isinstance(outcome, Refused):
        raise refusal(outcome.reason, outcome.text)
    if isinstance(outcome, Later):
        raise refusal(Reason.RATE_LIMITED, outcome.why)
    if isinstance(outcome, Unknown):
        raise refusal(Reason.TIMEOUT, outcome.why)
