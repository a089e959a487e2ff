"""Saying something in a room: degraded to what the network can, executed, and reflected as others see it."""

from __future__ import annotations

import msgspec

from bridge.api import (
    ContactAddress,
    Content,
    CorrectMessage,
    DirectChat,
    Later,
    MessageId,
    Outcome,
    Reason,
    Refused,
    RoomAddress,
    SendMessage,
    Sent,
    SentPart,
    Session,
    SetReactions,
    Unknown,
)
from bridge.core.degrade import Dropped, Quoted, degrade
from bridge.core.ground import Ground
from bridge.core.jobs import LATER_LIMIT, CommandJob
from bridge.core.room import Room
from bridge.core.roomarchive import RoomArchive
from bridge.core.roomevents import RoomEvents
from bridge.core.values import Outgoing, RoomMessage


class SayJob:
    """One message into one room."""

    __slots__ = ("_archive", "_events", "_ground", "_message", "_room", "_tries")

    def __init__(
        self, ground: Ground, events: RoomEvents, archive: RoomArchive, room: Room, message: Outgoing
    ) -> None:
        self._ground = ground
        self._events = events
        self._archive = archive
        self._room = room
        self._message = message
        self._tries = 0

    async def run(self, session: Session) -> float | None:
        """Send it. What went out is reflected to all of the user's resources in the room (XEP-0045 §7.4)."""
        message, room = self._message, self._room
        if not room.joined:
            self.failed(Reason.NOT_IN_ROOM, "You are no longer in this room.")
            return None
        command = self._command(session)
        if isinstance(command, Dropped):
            return None
        outcome: Outcome
        outcome = command if isinstance(command, Refused) else await session.execute(command)
        if type(outcome) is Sent:
            self._reflect(message, outcome.parts)
            self._ground.senders.remember(room.user, room.jid, message.stanza_id, message.resource)
        elif isinstance(outcome, Refused):
            self.failed(outcome.reason, outcome.text)
        elif isinstance(outcome, Unknown):
            self.failed(Reason.TIMEOUT, outcome.why)
        elif isinstance(outcome, Later):
            self._tries += 1
            if self._tries < LATER_LIMIT:
                return outcome.after
            self.failed(Reason.RATE_LIMITED, outcome.why)
        return None

    def _command(self, session: Session) -> SendMessage | Dropped | Refused:
        message, room = self._message, self._room
        command: SendMessage | CorrectMessage
        if message.replaces:
            command = CorrectMessage(
                room.chat, message.stanza_id, MessageId(message.replaces), message.content
            )
        else:
            command = SendMessage(room.chat, message.stanza_id, message.content)
        return degrade(command, session.capabilities(room.chat), Quoted(name=message.reply_name))  # type: ignore[return-value]

    def _reflect(self, message: Outgoing, parts: tuple[SentPart, ...]) -> None:
        room = self._room
        contents = [part.content for part in parts] if len(parts) > 1 else [message.content]
        if len(parts) == 1 and not (message.replaces or message.reply_to):
            contents = [parts[0].content]
        for number, content in enumerate(contents):
            first = number == 0
            self._events.say(
                room,
                RoomMessage(
                    archive_id=self._archive.new_id(),
                    sender=room.me,
                    occupant_id=room.occupant_ids.get(room.me) or self._ground.occupant_id(room, room.me),
                    stanza_id=message.stanza_id if first and message.stanza_id else self._ground.stanza_id(),
                    content=content,
                    origin_id=message.origin_id if first else "",
                    reply_to=message.reply_to if first else "",
                    reply_name=message.reply_name if first else "",
                    thread=message.thread,
                    replaces=message.replaces if first else "",
                    foreign_ids=message.foreign_ids if first else (),
                ),
            )

    def interrupted(self, reason: Reason, text: str) -> bool:
        """Tell the sender."""
        self.failed(reason, f"{text} (The message may or may not have been sent.)")
        return False

    def failed(self, reason: Reason, text: str) -> None:
        """Tell the sender."""
        message = self._message
        self._ground.face.message_failed(
            message.resource, self._room.jid, message.stanza_id, reason, text, groupchat=True
        )


class ReactionJob:
    """Reactions to one message; where the network has none, a line of text that names what it is about."""

    __slots__ = ("_address", "_archive", "_command", "_events", "_ground", "_inner", "_outgoing", "_room")

    def __init__(
        self,
        ground: Ground,
        events: RoomEvents,
        archive: RoomArchive,
        room: Room | None,
        address: ContactAddress | RoomAddress,
        outgoing: Outgoing,
        command: SetReactions,
    ) -> None:
        self._ground = ground
        self._events = events
        self._archive = archive
        self._room = room
        self._address = address
        self._outgoing = outgoing
        self._command = command
        self._inner: SayJob | CommandJob | None = None

    async def run(self, session: Session) -> float | None:
        """Send them, or what stands for them."""
        if self._inner is None:
            self._inner = await self._translated(session)
        return None if self._inner is None else await self._inner.run(session)

    async def _translated(self, session: Session) -> SayJob | CommandJob | None:
        quoted = await self._quoted()
        command = degrade(self._command, session.capabilities(self._command.chat), quoted)
        if isinstance(command, Dropped):
            return None
        if isinstance(command, Refused):
            self.failed(command.reason, command.text)
            return None
        if isinstance(command, SendMessage) and self._room is not None:
            said = Outgoing(
                resource=self._outgoing.resource, stanza_id=self._outgoing.stanza_id, content=command.content
            )
            return SayJob(self._ground, self._events, self._archive, self._room, said)
        if isinstance(command, SendMessage):
            command = msgspec.structs.replace(
                command, key=self._outgoing.stanza_id or self._ground.stanza_id()
            )
        return CommandJob(command, self._answer)

    def _answer(self, outcome: Outcome) -> None:
        if isinstance(outcome, Refused):
            self.failed(outcome.reason, outcome.text)

    async def _quoted(self) -> Quoted:
        if self._room is None:
            return Quoted()
        found = await self._archive.find(self._room, self._command.target)
        return Quoted(found.sender, found.content.text) if found is not None else Quoted()

    def interrupted(self, reason: Reason, text: str) -> bool:
        """Tell the sender."""
        self.failed(reason, text)
        return False

    def failed(self, reason: Reason, text: str) -> None:
        """Tell the sender."""
        groupchat = not isinstance(self._command.chat, DirectChat)
        jid = self._ground.face.jid(self._address)
        self._ground.face.message_failed(
            self._outgoing.resource, jid, self._outgoing.stanza_id, reason, text, groupchat
        )


NO_CONTENT = Content(text="")
