"""Rooms, as the XMPP side asks for them: joining, leaving, nicks, subjects, standing, invitations, archives.

What the network then says about a room comes in through `roomevents`."""

from __future__ import annotations

import asyncio

from bridge.api import (
    ChangeNick,
    Command,
    ConnectionLost,
    ContactId,
    Departure,
    InviteContact,
    KickOccupant,
    OccupantId,
    Outcome,
    Rank,
    Reason,
    Refused,
    RoomAddress,
    SetRank,
    SetSubject,
)
from bridge.core.absence import Absence
from bridge.core.admission import Admission
from bridge.core.entrance import Entrance
from bridge.core.ground import Ground
from bridge.core.keeping import RoomKeeper
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool
from bridge.core.room import Room, RoomState
from bridge.core.roomarchive import RoomArchive
from bridge.core.roomregistry import RoomRegistry
from bridge.core.values import ArchivePage, ArchiveQuery, HistoryRequest, SessionState


class Rooms:
    """What may be done with the rooms of one gateway's users. `find(user, room_jid)`, `by_jid` and `of(user)`
    look them up."""

    def __init__(
        self,
        ground: Ground,
        pool: SessionPool,
        registry: RoomRegistry,
        entrance: Entrance,
        absence: Absence,
        archive: RoomArchive,
        keeper: RoomKeeper,
        admission: Admission,
    ) -> None:
        self._ground = ground
        self._pool = pool
        self._registry = registry
        self._entrance = entrance
        self._absence = absence
        self._archive = archive
        self._keeper = keeper
        self._admission = admission
        self.find = registry.find
        self.by_jid = registry.by_jid
        self.of = registry.of

    # -- joining

    def join(
        self,
        user: str,
        resource: str,
        address: RoomAddress,
        nick: str,
        password: str,
        history: HistoryRequest,
    ) -> None:
        """A resource wants to be in a room. Answered by `Face.room_entered` or `Face.room_refused`."""
        live = self._pool.live(user, address.network)
        room = self._registry.open(live, address)
        room.nick = room.nick or nick
        refused = self._refusal(live)
        if refused is not None:
            self._ground.face.room_refused(room, resource, refused.reason, refused.text)
            self._entrance.drop_if_unwanted(room)
            return
        room.waiting[resource] = history
        if room.joined and not live.closing:
            self._entrance.admit(room, resource)
            return
        room.nick, room.password = nick, password or room.password
        if not live.nick or live.state is SessionState.IDLE:
            live.nick = nick
        self._registry.follow(room)
        self._pool.ensure(live)
        if live.session is not None and room.state is not RoomState.JOINING:
            self._entrance.enter(room)

    def may_enter(self, user: str, address: RoomAddress) -> Refused | None:
        """Why a user may not be in one more room, if that is so."""
        if self.find(user, self._ground.face.jid(address)) is not None:
            return None
        return self._refusal(self._pool.live(user, address.network), 1)

    def keep(self, user: str, address: RoomAddress, nick: str) -> Room:
        """Stay in a room whether or not a resource is in it, from now on and over restarts."""
        live = self._pool.live(user, address.network)
        room = self._registry.open(live, address)
        if not room.kept:
            room.kept = True
            room.nick = room.nick or nick
            self._keeper.put(room)
        self._entrance.revive(live, room)
        return room

    def appear(self, live: LiveAccount, address: RoomAddress) -> Room:
        """The network put the account into a room that nobody asked for: the user is invited into it."""
        room = self._registry.open(live, address)
        resources = {resource for other in live.rooms.values() for resource in other.resources}
        self._ground.face.invitation(live.user, room.jid, "", "", sorted(resources))
        return room

    def unkeep(self, room: Room) -> None:
        """Leave the room with the last resource again."""
        room.kept = False
        self._keeper.remove(room)
        if not room.wanted:
            self._entrance.leave_network(room, "")

    def restore(self, user: str, address: RoomAddress, nick: str, password: str) -> None:
        """A room that was kept before this start."""
        live = self._pool.live(user, address.network)
        room = self._registry.open(live, address)
        room.kept, room.nick, room.password = True, nick, password
        self._entrance.revive(live, room)

    def bring_back(self, user: str, address: RoomAddress, nick: str, resource: str) -> None:
        """A resource that was in a room before this start: answered as a join is. One that is not there any
        more is found out by the error that comes back."""
        live = self._pool.live(user, address.network)
        room = self._registry.open(live, address)
        room.nick, room.me = room.nick or nick, room.me or OccupantId(nick)
        self._registry.adopt(room, resource, nick)
        refused = self._refusal(live)
        if refused is not None:
            self._ground.face.room_refused(room, resource, refused.reason, refused.text)
            self._entrance.drop_if_unwanted(room)
            return
        room.remembered[resource] = None
        if room.joined:
            self._entrance.admit(room, resource)
        else:
            self._entrance.revive(live, room)

    # -- leaving

    def leave(self, room: Room, resource: str, text: str) -> None:
        """A resource leaves. The account does with the last one, unless the room is kept."""
        present = self._forget(room, resource)
        if room.wanted:
            if present:
                remaining = len(room.resources)
                self._ground.face.room_left(room, (resource,), Departure.LEFT, "", text, remaining)
            return
        if present:
            self._ground.face.room_left(room, (resource,), Departure.LEFT, "", text)
        self._absence.left(room, resource, text)

    def resource_gone(self, user: str, resource: str) -> None:
        """A client is not there any more: it is out of all rooms, without a word to it."""
        for room in self.of(user):
            if self._forget(room, resource) and not room.wanted:
                self._absence.bounced(room, resource)

    def _forget(self, room: Room, resource: str) -> bool:
        holders = (room.resources, room.waiting, room.remembered, room.away)
        known = any(resource in holder for holder in holders)
        room.resources.pop(resource, None)
        room.waiting.pop(resource, None)
        room.remembered.pop(resource, None)
        room.away.pop(resource, None)
        self._registry.follow(room)
        return known

    # -- in the room

    def change_nick(self, room: Room, resource: str, nick: str) -> None:
        """Be called otherwise. Answered by the rename, or `Face.nick_refused`."""

        def answer(outcome: Outcome) -> None:
            if isinstance(outcome, Refused):
                self._ground.face.nick_refused(room, resource, nick, outcome.reason, outcome.text)

        self._entrance.push(room, ChangeNick(room=room.address.room, nick=nick), answer)

    def set_subject(self, room: Room, resource: str, stanza_id: str, text: str) -> None:
        """Set the subject. Answered by the change, or an error for the message that asked."""

        def answer(outcome: Outcome) -> None:
            if isinstance(outcome, Refused):
                self._ground.face.message_failed(
                    resource, room.jid, stanza_id, outcome.reason, outcome.text, groupchat=True
                )

        self._entrance.push(room, SetSubject(room=room.address.room, text=text), answer)

    async def kick(self, room: Room, name: OccupantId, reason: str) -> Outcome:
        """Remove somebody."""
        return await self._ask(room, KickOccupant(room=room.address.room, name=name, reason=reason))

    async def set_rank(self, room: Room, name: OccupantId, rank: Rank) -> Outcome:
        """Change somebody's standing."""
        return await self._ask(room, SetRank(room=room.address.room, name=name, rank=rank))

    async def invite(self, room: Room, contact: ContactId, reason: str) -> Outcome:
        """Ask somebody in."""
        return await self._ask(room, InviteContact(room=room.address.room, contact=contact, reason=reason))

    def occupant_id(self, room: Room, name: OccupantId) -> str:
        """An id that stays with an occupant while the name changes, and is nobody else's (XEP-0421)."""
        return self._ground.occupant_id(room, name)

    async def archive_page(self, user: str, address: RoomAddress, query: ArchiveQuery) -> ArchivePage:
        """A page of a room's archive. Raises `ArchiveItemMissing`."""
        return await self._archive.page(user, address, query)

    async def archive_bounds(self, user: str, address: RoomAddress) -> tuple[int, int] | None:
        """The ids of the first and last message of a room's archive; None: it is empty."""
        return await self._archive.bounds(user, address)

    # -- below

    async def _ask(self, room: Room, command: Command) -> Outcome:
        """Run a command that may wait for the network, beside the lane so that talk goes on."""
        live = self._registry.live(room)
        if not room.joined:
            return Refused(Reason.NETWORK_DOWN, "Not connected to this room right now.")
        try:
            async with asyncio.timeout(30):
                return await (await live.online()).execute(command)
        except TimeoutError:
            return Refused(Reason.TIMEOUT, "The network did not answer.")
        except ConnectionLost as error:
            return Refused(error.reason, str(error))

    def _refusal(self, live: LiveAccount, more: int = 0) -> Refused | None:
        most = self._ground.settings.rooms_per_user
        if len(self._registry.of(live.user)) + more > most:
            return Refused(Reason.RATE_LIMITED, f"You may be in {most} rooms at once.")
        return self._admission.to_network(live)
