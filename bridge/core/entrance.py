"""Getting accounts into rooms and out of them, and showing rooms to resources. Used by what the XMPP side
asks (`rooms`) and by what the network says (`roomevents`)."""

from __future__ import annotations

import asyncio
import logging
from itertools import count

from bridge.api import Command, JoinRoom, LeaveRoom, Outcome, Reason, Refused, RoomId, Sent
from bridge.core.ground import Ground
from bridge.core.jobs import Answer, CommandJob
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool
from bridge.core.room import Room, RoomState
from bridge.core.roomarchive import RoomArchive
from bridge.core.roomregistry import RoomRegistry
from bridge.core.tasks import Tasks
from bridge.core.values import HistoryRequest, RoomMessage
from bridge.store.errors import StoreDown

log = logging.getLogger(__name__)

RESUME_MESSAGES = 100
"""How many messages a resource that stayed in a room is shown after the XMPP server was away."""

LEAVE_SECONDS = 3.0
"""A network that does not say within this time that the account has left a room is not waited for."""

NOTHING_MISSED = HistoryRequest(max_messages=0)


class Entrance:
    """The door of all rooms of one gateway. `admitting`: the resources that are being shown in, and what was
    said meanwhile."""

    def __init__(
        self, ground: Ground, pool: SessionPool, registry: RoomRegistry, archive: RoomArchive, tasks: Tasks
    ) -> None:
        self._ground = ground
        self._pool = pool
        self._registry = registry
        self._archive = archive
        self._tasks = tasks
        self.admitting: dict[Room, dict[str, list[RoomMessage]]] = {}
        self._attempts = count(1)
        self._down_since = 0

    def revive(self, live: LiveAccount, room: Room) -> None:
        """Get into a wanted room: connect if need be."""
        live.nick = live.nick or room.nick
        self._pool.ensure(live)
        if live.session is not None and room.state in (RoomState.OUT, RoomState.LOST):
            self.enter(room)

    def enter(self, room: Room) -> None:
        """Ask the network to let the account in, once it has left where it was asked to leave before."""
        room.state, room.attempt = RoomState.JOINING, next(self._attempts)
        if room.address.room not in self._registry.live(room).leaving:
            if self._archive.ready(room):
                self._ask_in(room)
            else:
                self._tasks.start(self._enter(room), "join")

    async def _enter(self, room: Room) -> None:
        try:
            await self._archive.prepare(room)
        except Exception:
            log.exception("a room is joined without an archive")
        self._ask_in(room)

    def _ask_in(self, room: Room) -> None:
        if room.state is not RoomState.JOINING or not self._registry.has(room):
            return
        live = self._registry.live(room)
        nick, attempt = live.name or room.nick, room.attempt

        def answer(outcome: Outcome) -> None:
            # a broken link is told by the end of the session, and the room is joined again with the next one
            if isinstance(outcome, Refused) and outcome.reason is not Reason.NETWORK_DOWN:
                self.refused(room, outcome.reason, outcome.text)
            elif isinstance(outcome, Sent):
                loop = asyncio.get_running_loop()
                # the timer holds no room and no session: it outlives most of them
                seconds = self._ground.settings.join_seconds
                loop.call_later(seconds, self._unanswered, room.user, room.jid, attempt)

        self.push(room, JoinRoom(room=room.address.room, nick=nick, password=room.password), answer)

    def _unanswered(self, user: str, room_jid: str, attempt: int) -> None:
        """The network was asked long ago, and says neither yes nor no."""
        room = self._registry.find(user, room_jid)
        if room is not None and room.attempt == attempt and room.state is RoomState.JOINING:
            self.refused(room, Reason.TIMEOUT, "The network does not answer.")

    def admit(self, room: Room, resource: str) -> None:
        """Show a resource the room that the account is in; until then messages are kept back for it."""
        room.resources.pop(resource, None)
        admitting = self.admitting.get(room, {})
        if resource in admitting:
            return
        if not self._archive.has_history(room, self._wish(room, resource)):
            self._let_in(room, resource, [])
            return
        admitting[resource] = []
        self.admitting[room] = admitting
        self._tasks.start(self._admit(room, resource), "admit")

    async def _admit(self, room: Room, resource: str) -> None:
        try:
            history = await self._history(room, self._wish(room, resource))
        finally:
            admitting = self.admitting[room]
            since = admitting.pop(resource)
            if not admitting:
                del self.admitting[room]
        newest = history[-1].archive_id if history else 0
        history.extend(message for message in since if message.archive_id > newest)
        if resource in room.waiting or resource in room.remembered:
            self._let_in(room, resource, history)

    def _wish(self, room: Room, resource: str) -> HistoryRequest:
        return room.waiting.get(resource, NOTHING_MISSED)

    def _let_in(self, room: Room, resource: str, history: list[RoomMessage]) -> None:
        if not room.joined:
            return
        room.waiting.pop(resource, None)
        room.remembered.pop(resource, None)
        room.away.pop(resource, None)
        room.resources[resource] = None
        self._registry.follow(room)
        self._ground.identify_all(room)
        self._ground.face.room_entered(room, resource, history)

    async def _history(self, room: Room, request: HistoryRequest) -> list[RoomMessage]:
        try:
            await self._archive.prepare(room)
            return await self._archive.history(room, request)
        except StoreDown as error:
            log.warning("a room is shown without its history: %s", error, extra={"room": room.jid})
            return []
        except Exception:
            log.exception("a room is shown without its history")
            return []

    def keep_back(self, room: Room, message: RoomMessage) -> None:
        """A message came while resources are being shown in: they get it as history."""
        if room in self.admitting:
            for messages in self.admitting[room].values():
                messages.append(message)

    def turn_away(self, room: Room, reason: Reason, text: str) -> None:
        """The network could not be reached: tell the resources that wait. Those remembered go on being so."""
        waiting, room.waiting = list(room.waiting), {}
        for resource in waiting:
            self._ground.face.room_refused(room, resource, reason, text)
        if room.state is RoomState.JOINING:
            room.state = RoomState.OUT
        self._registry.follow(room)
        if not room.wanted:
            self._registry.remove(room)

    def link_down(self) -> None:
        """The XMPP server is gone: from now on resources miss what is said."""
        self._down_since = self._archive.new_id()
        for room in self._registry.all():
            room.newest = max(room.newest, self._down_since)

    def show_again(self, room: Room, resource: str) -> None:
        """The XMPP server is back: show a resource the room as it is now, with what was said meanwhile. One
        that is not there any more is found out by the error that comes back."""
        if room.joined:
            room.waiting[resource] = HistoryRequest(max_messages=RESUME_MESSAGES, since=self._down_since)
            self.admit(room, resource)

    def refused(self, room: Room, reason: Reason, text: str) -> None:
        """The account does not get in: tell who waits. A kept room stays wanted, and is tried at the next
        connect."""
        if not self._registry.has(room):
            return
        room.state = RoomState.OUT
        self.dismiss(room, reason, text)
        room.password = ""
        self.drop_if_unwanted(room, may_return=True)

    def dismiss(self, room: Room, reason: Reason, text: str) -> None:
        """Tell those who wait to be let in, or back in, that they will not be."""
        outside = {**room.waiting, **room.remembered}
        room.waiting, room.remembered, room.away, room.lost_at = {}, {}, {}, None
        self._registry.follow(room)
        for resource in outside:
            self._ground.face.room_refused(room, resource, reason, text)

    def follow(self, room: Room) -> None:
        """Who is in a room, or by which name, has changed: store it."""
        self._registry.follow(room)

    def leave_network(self, room: Room, text: str) -> None:
        """The account leaves a room that nobody wants, and the network with its last one."""
        live = self._registry.live(room)
        was_in = room.state in (RoomState.JOINED, RoomState.JOINING)
        self._registry.remove(room)
        self._pool.refresh_watched(live)
        if not live.needed:
            self._pool.release_when_done(live, text)
        elif was_in and live.session is not None:
            self._ask_out(live, room, text)

    def _ask_out(self, live: LiveAccount, room: Room, text: str) -> None:
        room_id = room.address.room
        if room_id in live.leaving:
            return

        def answer(outcome: Outcome) -> None:
            if isinstance(outcome, Refused):
                self.has_left(live, room_id)

        loop = asyncio.get_running_loop()
        live.leaving[room_id] = loop.call_later(LEAVE_SECONDS, self.has_left, live, room_id)
        self.push(room, LeaveRoom(room=room_id, text=text), answer)

    def has_left(self, live: LiveAccount, room_id: RoomId) -> bool:
        """The network says that the account is out. True: of a room that it was asked to leave. Whoever wants
        to be in it again has waited for this: what comes between says nothing of their room."""
        timer = live.leaving.pop(room_id, None)
        if timer is None:
            return False
        timer.cancel()
        room = live.rooms.get(room_id)
        if room is not None and room.state is RoomState.JOINING and live.session is not None:
            self.enter(room)
        return True

    def drop_if_unwanted(self, room: Room, may_return: bool = False) -> None:
        """Forget a room that the account is not in and nobody wants, and the session with the last: after
        a time where the network decided that, and the user may try again (with the right key, say)."""
        self._registry.follow(room)
        if room.wanted or room.joined:
            return
        live = self._registry.live(room)
        self._registry.remove(room)
        if live.needed:
            return
        if may_return:
            self._pool.release_later(live)
        else:
            self._pool.release_when_done(live, "")

    def push(self, room: Room, command: Command, answer: Answer | None = None) -> None:
        """Queue a command in the room's lane."""
        self._pool.push(self._registry.live(room), room.chat, CommandJob(command, answer))
