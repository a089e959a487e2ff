"""Getting accounts into rooms and out of them, and showing rooms to resources. Used by what the XMPP side
asks (`rooms`) and by what the network says (`roomevents`)."""

from __future__ import annotations

from bridge.api import Command, JoinRoom, LeaveRoom, Outcome, Reason, Refused
from bridge.core.ground import Ground
from bridge.core.jobs import Answer, CommandJob
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool
from bridge.core.room import Room, RoomState
from bridge.core.roomarchive import RoomArchive
from bridge.core.roomregistry import RoomRegistry
from bridge.core.tasks import Tasks
from bridge.core.values import HistoryRequest, RoomMessage

RESUME_MESSAGES = 100
"""How many messages a resource that stayed in a room is shown after the XMPP server was away."""

NOTHING_MISSED = HistoryRequest(max_messages=0)


class Entrance:
    """The door of all rooms of one gateway."""

    def __init__(
        self, ground: Ground, pool: SessionPool, registry: RoomRegistry, archive: RoomArchive, tasks: Tasks
    ) -> None:
        self._ground = ground
        self._pool = pool
        self._registry = registry
        self._archive = archive
        self._tasks = tasks
        self._admitting: dict[tuple[Room, str], list[RoomMessage]] = {}
        self._down_since = 0

    def revive(self, live: LiveAccount, room: Room) -> None:
        """Get into a wanted room: connect if need be."""
        live.nick = live.nick or room.nick
        self._pool.ensure(live)
        if live.session is not None and room.state in (RoomState.OUT, RoomState.LOST):
            self.enter(room)

    def enter(self, room: Room) -> None:
        """Ask the network to let the account in."""
        room.state = RoomState.JOINING
        self._tasks.start(self._enter(room), "join")

    async def _enter(self, room: Room) -> None:
        await self._archive.prepare(room)
        live = self._registry.live(room)
        nick = live.name or room.nick

        def answer(outcome: Outcome) -> None:
            # a broken link is told by the end of the session, and the room is joined again with the next one
            if isinstance(outcome, Refused) and outcome.reason is not Reason.NETWORK_DOWN:
                self.refused(room, outcome.reason, outcome.text)

        self.push(room, JoinRoom(room=room.address.room, nick=nick, password=room.password), answer)

    def admit(self, room: Room, resource: str) -> None:
        """Show a resource the room that the account is in; until then messages are kept back for it."""
        if (room, resource) not in self._admitting:
            self._admitting[room, resource] = []
            self._tasks.start(self._admit(room, resource), "admit")

    async def _admit(self, room: Room, resource: str) -> None:
        try:
            await self._archive.prepare(room)
            request = room.waiting.get(resource, NOTHING_MISSED)
            history = await self._archive.history(room, request)
        finally:
            since = self._admitting.pop((room, resource))
        if resource not in room.waiting and resource not in room.remembered:
            return
        if not room.joined:
            return
        room.waiting.pop(resource, None)
        room.remembered.pop(resource, None)
        room.resources[resource] = None
        newest = history[-1].archive_id if history else 0
        history.extend(message for message in since if message.archive_id > newest)
        self._ground.face.room_entered(room, resource, history)

    def keep_back(self, room: Room, message: RoomMessage) -> None:
        """A message came while resources are being shown in: they get it as history."""
        if self._admitting:
            for (other, _), messages in self._admitting.items():
                if other is room:
                    messages.append(message)

    def turn_away(self, room: Room, reason: Reason, text: str) -> None:
        """The network could not be reached: tell the resources that wait. Those remembered go on being so."""
        waiting, room.waiting = list(room.waiting), {}
        for resource in waiting:
            self._ground.face.room_refused(room, resource, reason, text)
        if room.state is RoomState.JOINING:
            room.state = RoomState.OUT
        if not room.wanted:
            self._registry.remove(room)

    def link_down(self) -> None:
        """The XMPP server is gone: from now on resources miss what is said."""
        self._down_since = self._archive.new_id()

    def show_again(self, room: Room, resource: str) -> None:
        """The XMPP server is back: show a resource the room as it is now, with what was said meanwhile. One
        that is not there any more is found out by the error that comes back."""
        if room.joined:
            room.waiting[resource] = HistoryRequest(max_messages=RESUME_MESSAGES, since=self._down_since)
            room.resources.pop(resource, None)
            self.admit(room, resource)

    def refused(self, room: Room, reason: Reason, text: str) -> None:
        """The account does not get in: tell who waits. A kept room stays wanted, and is tried at the next
        connect."""
        room.state = RoomState.OUT
        waiting, room.waiting = list(room.waiting), {}
        for resource in [*waiting, *room.remembered]:
            self._ground.face.room_refused(room, resource, reason, text)
        room.remembered = {}
        room.password = ""
        self.drop_if_unwanted(room)

    def leave_network(self, room: Room, text: str) -> None:
        """The account leaves a room that nobody wants, and the network with its last one."""
        live = self._registry.live(room)
        was_in = room.state in (RoomState.JOINED, RoomState.JOINING)
        self._registry.remove(room)
        self._pool.refresh_watched(live)
        if not live.wanted:
            self._pool.release(live, text)
        elif was_in and live.session is not None:
            self.push(room, LeaveRoom(room=room.address.room, text=text))

    def drop_if_unwanted(self, room: Room) -> None:
        """Forget a room that the account is not in and nobody wants, and the session if it was the last."""
        if room.wanted or room.joined:
            return
        live = self._registry.live(room)
        self._registry.remove(room)
        if not live.wanted:
            self._pool.release(live, "")

    def push(self, room: Room, command: Command, answer: Answer | None = None) -> None:
        """Queue a command in the room's lane."""
        self._pool.push(self._registry.live(room), room.chat, CommandJob(command, answer))
