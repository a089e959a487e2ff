"""Knows what a received presence is for: a room (joining, leaving, another name) or a puppet in a roster."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bridge.api import Address, BadAddress, ContactAddress, Reason, RoomAddress
from bridge.core.gateway import Gateway
from bridge.core.room import Room
from bridge.core.values import HistoryRequest
from bridge.xmpp.addresses import Addresses, resource_of
from bridge.xmpp.errors import FATAL, Shape, join_shape, shape
from bridge.xmpp.jids import bare, uri
from bridge.xmpp.received import InPresence, MucJoin
from bridge.xmpp.render_presence import refusal

__all__ = ["Presences", "history_request"]

_AWAY = frozenset({"away", "xa", "dnd"})
_MALFORMED = Shape("modify", "jid-malformed", 400)
_HISTORY = 20
_LONGEST_HISTORY = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ASKS = frozenset({"available", "subscribe"})


class Presences:
    """Takes all presences of one gateway. `write` takes finished text, `clock` is the time in seconds."""

    def __init__(
        self,
        gateway: Gateway,
        addresses: Addresses,
        write: Callable[[str], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rooms = gateway.rooms
        self._roster = gateway.roster
        self._addresses = addresses
        self._write = write
        self._clock = clock
        self._steps = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "subscribed": self._subscribed,
            "unsubscribed": self._unsubscribed,
            "probe": self._probe,
        }

    def take(self, presence: InPresence) -> None:
        """Do what a presence asks for. Answers come through the face, but for refusals."""
        try:
            address = self._addresses.parse(presence.to_local)
        except BadAddress as error:
            if presence.type in _ASKS and (presence.muc or presence.type == "subscribe"):
                self._refuse(presence, shape(Reason.NOT_FOUND), str(error))
            return
        if presence.type == "error":
            self._bounced(presence, address)
        elif presence.type in self._steps:
            self._steps[presence.type](presence, address)
        elif presence.type not in ("available", "unavailable"):
            return
        elif isinstance(address, RoomAddress) and presence.to_resource:
            self._in_room(presence, address)
        elif presence.muc is not None:
            self._no_nick(presence, address)
        else:
            self._of_roster(presence, address)

    # -- rooms

    def _in_room(self, presence: InPresence, address: RoomAddress) -> None:
        user = presence.user
        room = self._rooms.find(user, self._addresses.jid(address))
        if presence.type == "unavailable":
            if room is not None and _knows(room, presence.sender):
                self._rooms.leave(room, presence.sender, presence.status)
        elif presence.muc is not None:
            self._join(presence, address, presence.muc)
        elif room is None or not _knows(room, presence.sender):
            self._refuse(presence, shape(Reason.NOT_IN_ROOM), "You are not in this room.")
        elif presence.sender in room.resources and presence.to_resource != resource_of(room.me):
            self._rooms.change_nick(room, presence.sender, self._addresses.nick(presence.to_resource))

    def _join(self, presence: InPresence, address: RoomAddress, muc: MucJoin) -> None:
        self._rooms.join(
            presence.user,
            presence.sender,
            address,
            self._addresses.nick(presence.to_resource),
            muc.password or "",
            history_request(muc, self._clock()),
        )

    def _no_nick(self, presence: InPresence, address: Address | None) -> None:
        """XEP-0045 §7.2.1; and what is no room cannot be entered."""
        if isinstance(address, RoomAddress):
            self._refuse(presence, _MALFORMED, "Say by which name you want to enter: room/name.")
        else:
            self._refuse(presence, join_shape(Reason.NOT_FOUND), "This address is not a room.")

    def _bounced(self, presence: InPresence, address: Address | None) -> None:
        """A client that is gone cannot say so itself (XEP-0045 §18.1.1)."""
        error = presence.error
        if error is not None and error.condition in FATAL and isinstance(address, RoomAddress):
            self._rooms.resource_gone(presence.user, presence.sender)

    def _refuse(self, presence: InPresence, error: Shape, text: str) -> None:
        muc = presence.muc is not None
        self._write(refusal(presence.to, presence.sender, error, text, presence.id, muc=muc))

    # -- the roster

    def _of_roster(self, presence: InPresence, address: Address | None) -> None:
        user, puppet = presence.user, bare(presence.to)
        if presence.type == "available":
            away = presence.show in _AWAY
            self._roster.available(user, presence.sender, puppet, away, presence.status)
        else:
            self._roster.unavailable(user, presence.sender, puppet)

    def _subscribe(self, presence: InPresence, address: Address | None) -> None:
        if isinstance(address, ContactAddress) and not self._is_own(presence, address):
            return
        self._roster.subscribe(presence.user, bare(presence.to), address, presence.id)

    def _is_own(self, presence: InPresence, address: ContactAddress) -> bool:
        """Whether it is the contact's own address; else whoever wants to subscribe is told which is, since
        messages and presence will come from there."""
        try:
            meant = self._addresses.meant(presence.user, address)
        except BadAddress as error:
            self._refuse(presence, shape(Reason.NOT_FOUND), str(error))
            return False
        if meant == address:
            return True
        jid = self._addresses.jid(meant)
        said = f"Add {jid} instead: that is the address of this contact."
        self._write(
            refusal(
                presence.to, presence.sender, shape(Reason.GONE), said, presence.id,
                muc=False, instead=uri(jid),
            )
        )  # fmt: skip
        return False

    def _unsubscribe(self, presence: InPresence, address: Address | None) -> None:
        self._roster.unsubscribe(presence.user, bare(presence.to), address, presence.id)

    def _subscribed(self, presence: InPresence, address: Address | None) -> None:
        self._roster.subscribed(presence.user, bare(presence.to))

    def _unsubscribed(self, presence: InPresence, address: Address | None) -> None:
        self._roster.unsubscribed(presence.user, bare(presence.to))

    def _probe(self, presence: InPresence, address: Address | None) -> None:
        self._roster.probe(presence.user, presence.sender, bare(presence.to), address)


def _knows(room: Room, resource: str) -> bool:
    return resource in room.resources or resource in room.waiting or resource in room.remembered


def history_request(muc: MucJoin, now: float) -> HistoryRequest:
    """What of the past a join asks for (XEP-0045 §7.2.14). `maxchars` counts only as 0: nothing at all.

    A client that says where its own knowledge ends gets what came since; one that says nothing, a little."""
    if muc.maxchars == 0:
        return HistoryRequest(max_messages=0)
    since = max((muc.since - _EPOCH) // timedelta(microseconds=1), 1) if muc.since is not None else 0
    if muc.seconds is not None:
        since = max(since, int((now - muc.seconds) * 1_000_000), 1)
    most = muc.maxstanzas
    if most is None:
        most = _LONGEST_HISTORY if since else _HISTORY
    return HistoryRequest(max_messages=min(most, _LONGEST_HISTORY), since=since)
