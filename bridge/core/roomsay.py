"""Saying something in a room: degraded to what the network can, executed, and reflected as others see it."""

from __future__ import annotations

import msgspec

from bridge.api import (
    Command,
    ContactAddress,
    Content,
    CorrectMessage,
    DirectChat,
    Later,
    MessageId,
    Outcome,
    PromptSession,
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
from bridge.core.degrade import NOTHING_QUOTED, Dropped, Quoted, degrade
from bridge.core.ground import Ground
from bridge.core.jobs import LATER_LIMIT, CommandJob
from bridge.core.room import Room, RoomState
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
        if self._room.state is not RoomState.JOINED:
            self.failed(Reason.NOT_IN_ROOM, "You are no longer in this room.")
            return None
        command = self._command(session)
        if isinstance(command, Dropped):
            return None
        return self._ended(command if isinstance(command, Refused) else await session.execute(command))

    def at_once(self, session: PromptSession) -> bool:
        """What `run` does, where the account is in the room and nothing is to be waited for; false: nothing
        was done."""
        command = self._command(session)
        sent = session.at_once(command) if type(command) is SendMessage else None
        if sent is None:
            return False
        self._sent(sent.parts)
        return True

    def _ended(self, outcome: Outcome) -> float | None:
        if type(outcome) is Sent:
            self._sent(outcome.parts)
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

    def _command(self, session: Session) -> Command | Dropped | Refused:
        message, chat = self._message, self._room.chat
        command: SendMessage | CorrectMessage
        if message.replaces:
            command = CorrectMessage(chat, message.stanza_id, MessageId(message.replaces), message.content)
        else:
            command = SendMessage(chat, message.stanza_id, message.content)
        quoted = Quoted(message.reply_name) if message.reply_name else NOTHING_QUOTED
        return degrade(command, session.capabilities(chat), quoted)

    def _sent(self, parts: tuple[SentPart, ...]) -> None:
        """Reflect it. The first part stands for the message, with all that it said of itself, and the others
        follow it."""
        message, room, new_id = self._message, self._room, self._archive.new_id
        content = message.content
        if len(parts) > 1 or (parts and not (message.replaces or message.reply_to)):
            content = parts[0].content
        sender = room.me
        who = room.occupant_ids.get(sender) or self._ground.occupant_id(room, sender)
        first = RoomMessage(
            new_id(), sender, who, message.stanza_id or self._ground.stanza_id(), content,
            message.origin_id, message.reply_to, message.reply_name, message.thread, message.replaces,
            message.foreign_ids, sent_at=self._archive.true_time,
        )  # fmt: skip
        self._events.say(room, first)
        for part in parts[1:]:
            stanza_id = self._ground.stanza_id()
            more = RoomMessage(
                new_id(), sender, who, stanza_id, part.content, thread=message.thread,
                sent_at=self._archive.true_time,
            )  # fmt: skip
            self._events.say(room, more)
        self._ground.senders.remember(room.user, room.jid, message.stanza_id, message.resource)

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
            return NOTHING_QUOTED
        found = await self._archive.find(self._room, self._command.target)
        return Quoted(found.sender, found.content.text) if found is not None else NOTHING_QUOTED

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
