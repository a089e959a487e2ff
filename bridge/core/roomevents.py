"""What networks say about rooms: each event changes the room's state and is shown to the resources in it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bridge.api import (
    Departure,
    Invited,
    MessageCorrected,
    MessageReceived,
    Occupant,
    OccupantChanged,
    OccupantId,
    OccupantJoined,
    OccupantLeft,
    OccupantRenamed,
    Reason,
    RoomAddress,
    RoomChat,
    RoomId,
    RoomJoined,
    RoomLeft,
    RoomNotice,
    RoomRefused,
    SubjectChanged,
    TypingChanged,
)
from bridge.core.entrance import Entrance
from bridge.core.ground import Ground
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool
from bridge.core.room import JOINED, Room, RoomState
from bridge.core.roomarchive import RoomArchive
from bridge.core.rooms import Rooms
from bridge.core.told import Told
from bridge.core.values import RoomMessage

log = logging.getLogger(__name__)

LOST_SECONDS = 3600.0
"""For so long after a lost connection the resources that were in a room are brought back into it."""


OUT_TEXT = "You are no longer in this room."


def _reason(value: str) -> Reason:
    try:
        return Reason(value)
    except ValueError:
        log.exception("a room was refused for no known reason")
        return Reason.INTERNAL


def microseconds(at: datetime | None) -> int:
    """Microseconds since 1970; 0 for None."""
    return 0 if at is None else int(at.timestamp() * 1_000_000)


class RoomEvents:
    """Takes the room events of all accounts of one gateway."""

    def __init__(
        self, ground: Ground, pool: SessionPool, rooms: Rooms, entrance: Entrance, archive: RoomArchive
    ) -> None:
        self._ground = ground
        self._pool = pool
        self._rooms = rooms
        self._entrance = entrance
        self._archive = archive
        self._ids = ground.store.ids
        self._told = Told()
        self.handlers: dict[type, Callable[[LiveAccount, Any], None]] = {
            RoomJoined: self._joined,
            RoomRefused: self._refused,
            RoomLeft: self._left,
            OccupantJoined: self._occupant_joined,
            OccupantLeft: self._occupant_left,
            OccupantRenamed: self._occupant_renamed,
            OccupantChanged: self._occupant_changed,
            SubjectChanged: self._subject_changed,
            RoomNotice: self._notice,
            Invited: self._invited,
        }

    # -- talk

    def message(self, live: LiveAccount, event: MessageReceived, room_id: RoomId) -> None:
        """Somebody said something. Hot: no look-up in the store, no task."""
        room = live.rooms.get(room_id)
        if room is None or room.state is not JOINED:
            return
        sender = room.me if event.own else event.sender
        identity = room.occupant_ids.get(sender) or self._ground.occupant_id(room, sender)
        if not room.commons.shared:
            self.say(room, self._made(event, sender, identity))
            return
        key = (room.jid, identity, event)
        message = self._told.find(key, room.newest)
        if message is None:
            message = self._made(event, sender, identity)
            self._told.add(key, message)
        self.say(room, message)

    def _made(self, event: MessageReceived, sender: OccupantId, identity: str) -> RoomMessage:
        new_id = self._ids.new_id()
        sent_at = self._ids.true_time if event.sent_at is None else microseconds(event.sent_at)
        thread = event.thread or ""
        return RoomMessage(
            new_id, sender, identity, self._ground.stanza_id(), event.content, "", "", "", thread, "", (),
            sent_at,
        )  # fmt: skip

    def say(self, room: Room, message: RoomMessage) -> None:
        """Keep a message and show it to the resources in the room."""
        room.newest = message.archive_id
        if room.archive_key:
            self._archive.add(room, message)
        if room in self._entrance.admitting:
            self._entrance.keep_back(room, message)
        if room.resources:
            self._ground.face.room_message(room, message)

    def corrected(self, live: LiveAccount, event: MessageCorrected, room_id: RoomId) -> None:
        """Somebody corrected what they said; shown as a new message, since the network's id says nothing to
        clients."""
        received = MessageReceived(chat=event.chat, sender=event.sender, id=event.id, content=event.content)
        self.message(live, received, room_id)

    def typing(self, live: LiveAccount, event: TypingChanged) -> None:
        """Somebody in a room is writing."""
        if isinstance(event.chat, RoomChat):
            room = live.rooms.get(event.chat.room)
            occupant = room.occupants.get(event.sender) if room is not None else None
            if room is not None and occupant is not None and room.resources:
                self._ground.face.room_typing(room, occupant, event.state)

    # -- the account itself

    def _joined(self, live: LiveAccount, event: RoomJoined) -> None:
        if live.closing or event.room in live.leaving:
            return
        room = live.rooms.get(event.room)
        if room is None:
            room = self._rooms.appear(live, RoomAddress(live.network, event.room))
        room.entered(event.me, event.occupants, event.subject, event.subject_by, event.display)
        room.newest, room.lost_at = self._archive.new_id(), None
        for resource in (*room.waiting, *room.remembered):
            self._entrance.admit(room, resource)
        if live.watched:
            self._pool.refresh_watched(live)
        self._ground.face.puppet_presence(room.user, room.jid, True) if room.kept else None

    def _refused(self, live: LiveAccount, event: RoomRefused) -> None:
        if self._entrance.has_left(live, event.room):
            return
        room = live.rooms.get(event.room)
        if room is not None and room.state is not RoomState.JOINED:
            self._entrance.refused(room, _reason(event.reason), event.text)

    def _left(self, live: LiveAccount, event: RoomLeft) -> None:
        if self._entrance.has_left(live, event.room):
            return
        room = live.rooms.get(event.room)
        if room is None or room.state is not RoomState.JOINED:
            return
        resources = tuple(room.resources)
        room.resources = {}
        self._ground.face.room_left(room, resources, event.how, event.actor, event.text)
        reason = Reason.BANNED if event.how is Departure.BANNED else Reason.FORBIDDEN
        self._entrance.dismiss(room, reason, event.text or OUT_TEXT)
        room.gone(RoomState.OUT)
        self._abandon(live, room, Reason.NOT_IN_ROOM, OUT_TEXT)
        if room.kept:
            self._ground.face.puppet_presence(room.user, room.jid, False)
        self._pool.refresh_watched(live)
        self._entrance.drop_if_unwanted(room, may_return=event.how is not Departure.LEFT)

    def session_lost(self, live: LiveAccount, text: str) -> None:
        """The connection broke: everybody is out (status 332), and remembered for the way back."""
        for room in tuple(live.rooms.values()):
            self._abandon(live, room, Reason.NETWORK_DOWN, text)
            if room.state is RoomState.JOINED:
                resources = tuple(room.resources)
                room.remembered.update(room.resources)
                room.resources = {}
                self._ground.face.room_left(room, resources, Departure.DISCONNECTED, "", text)
                if room.kept:
                    self._ground.face.puppet_presence(room.user, room.jid, False)
                if room.lost_at is None:
                    room.lost_at = self._ground.clock()
                room.gone(RoomState.LOST)
            elif room.state is RoomState.JOINING:
                room.state = RoomState.OUT if room.lost_at is None else RoomState.LOST
            self._entrance.drop_if_unwanted(room)
        self._pool.refresh_watched(live)

    def not_back(self, live: LiveAccount, text: str) -> None:
        """Who was in a room before this start is not back at once: told, as if it had broken now."""
        for room in live.rooms.values():
            if room.remembered and room.lost_at is None and not room.joined:
                self._ground.face.room_left(room, tuple(room.remembered), Departure.DISCONNECTED, "", text)
                room.state, room.lost_at = RoomState.LOST, self._ground.clock()

    def forget_lost(self, live: LiveAccount) -> None:
        """Resources that could not be brought back for long are not brought back any more."""
        before = self._ground.clock() - LOST_SECONDS
        for room in tuple(live.rooms.values()):
            if room.lost_at is not None and room.lost_at < before:
                room.remembered, room.lost_at = {}, None
                self._entrance.drop_if_unwanted(room)

    def session_closed(self, live: LiveAccount, text: str) -> None:
        """The session was closed on purpose: everybody is out (status 332 where the gateway itself goes)."""
        how = Departure.DISCONNECTED if self._ground.stopping else Departure.QUIT
        for room in tuple(live.rooms.values()):
            self._abandon(live, room, Reason.NETWORK_DOWN, text)
            resources = (*room.resources, *room.remembered)
            room.resources, room.remembered, room.away, room.lost_at = {}, {}, {}, None
            if room.state is RoomState.JOINED:
                self._ground.face.room_left(room, resources, how, "", text)
                if room.kept:
                    self._ground.face.puppet_presence(room.user, room.jid, False)
            room.gone(RoomState.OUT)
            self._entrance.drop_if_unwanted(room)
        self._pool.refresh_watched(live)

    def _abandon(self, live: LiveAccount, room: Room, reason: Reason, text: str) -> None:
        lane = live.lanes.get(room.chat)
        if lane is not None:
            lane.abandon(reason, text)

    # -- others

    def _occupant_joined(self, live: LiveAccount, event: OccupantJoined) -> None:
        room = live.rooms.get(event.room)
        if room is None or not room.joined:
            return
        room.add(event.occupant)
        if room.resources:
            self._ground.face.occupant_joined(room, event.occupant)
        self._seen(live, event.occupant)

    def _occupant_left(self, live: LiveAccount, event: OccupantLeft) -> None:
        room = live.rooms.get(event.room)
        occupant = room.occupants.get(event.name) if room is not None else None
        if room is None or occupant is None:
            return
        if room.resources:
            self._ground.face.occupant_left(room, occupant, event.how, event.actor, event.text)
        room.remove(event.name)
        self._seen(live, occupant)

    def _occupant_renamed(self, live: LiveAccount, event: OccupantRenamed) -> None:
        room = live.rooms.get(event.room)
        if room is None or not room.joined:
            return
        if event.old in room.occupants:
            self._ground.occupant_id(room, event.old)  # so that there is one to go with the person
        old = room.rename(event.old, event.occupant)
        if old is not None and room.resources:
            self._ground.face.occupant_renamed(room, old, event.occupant)
        if old is not None:
            self._seen(live, old)
        self._seen(live, event.occupant)

    def _occupant_changed(self, live: LiveAccount, event: OccupantChanged) -> None:
        room = live.rooms.get(event.room)
        if room is None or event.occupant.name not in room.occupants:
            return
        room.occupants[event.occupant.name] = event.occupant
        if room.resources:
            self._ground.face.occupant_changed(room, event.occupant, event.actor)

    def _seen(self, live: LiveAccount, occupant: Occupant) -> None:
        if live.watched and occupant.contact in live.watched:
            self._pool.refresh_watched(live)

    # -- the room

    def _subject_changed(self, live: LiveAccount, event: SubjectChanged) -> None:
        room = live.rooms.get(event.room)
        if room is None or not room.joined:
            return
        room.subject, room.subject_by = event.text, event.by
        if room.resources:
            self._ground.face.room_subject(room)

    def _notice(self, live: LiveAccount, event: RoomNotice) -> None:
        room = live.rooms.get(event.room)
        if room is not None and room.resources:
            self._ground.face.room_notice(room, event.text)

    def _invited(self, live: LiveAccount, event: Invited) -> None:
        jid = self._ground.face.jid(RoomAddress(live.network, event.room))
        resources = {resource for room in live.rooms.values() for resource in room.resources}
        self._ground.face.invitation(live.user, jid, event.by, event.reason, sorted(resources))
