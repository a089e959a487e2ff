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
from bridge.core.live import as_prompt
from bridge.core.room import JOINED, Room
from bridge.core.roomarchive import RoomArchive
from bridge.core.roomevents import RoomEvents
from bridge.core.values import Outgoing, RoomMessage


class Speech:
    """What becomes of all that is said in one gateway's rooms."""

    __slots__ = ("_events", "_ids", "ground")

    def __init__(self, ground: Ground, events: RoomEvents) -> None:
        self.ground = ground
        self._events = events
        self._ids = ground.store.ids

    def at_once(self, room: Room, message: Outgoing, session: PromptSession) -> bool:
        """What a `SayJob` does, where the account is in the room and nothing is to be waited for; false:
        nothing was done. Hot."""
        command: Command | Dropped | Refused
        if message.replaces or message.reply_name:
            command = self.command(room, message, session)
        else:
            chat = room.chat
            command = SendMessage(chat, message.stanza_id, message.content)
            command = degrade(command, session.capabilities(chat), NOTHING_QUOTED)
        if type(command) is not SendMessage:
            return False
        sent = session.at_once(command)
        if sent is None:
            return False
        self.sent(room, message, sent.parts)
        return True

    def command(self, room: Room, message: Outgoing, session: Session) -> Command | Dropped | Refused:
        """What says it to the network."""
        chat = room.chat
        command: SendMessage | CorrectMessage
        if message.replaces:
            command = CorrectMessage(chat, message.stanza_id, MessageId(message.replaces), message.content)
        else:
            command = SendMessage(chat, message.stanza_id, message.content)
        quoted = Quoted(message.reply_name) if message.reply_name else NOTHING_QUOTED
        return degrade(command, session.capabilities(chat), quoted)

    def sent(self, room: Room, message: Outgoing, parts: tuple[SentPart, ...]) -> None:
        """Reflect it. The first part stands for the message, with all that it said of itself, and the others
        follow it."""
        content, ground, ids = message.content, self.ground, self._ids
        if parts and (len(parts) > 1 or not (message.replaces or message.reply_to)):
            content = parts[0].content
        sender = room.me
        who = room.occupant_ids.get(sender) or ground.occupant_id(room, sender)
        self._events.say(room, RoomMessage(
            ids.new_id(), sender, who, message.stanza_id or ground.stanza_id(), content, message.origin_id,
            message.reply_to, message.reply_name, message.thread, message.replaces, message.foreign_ids,
            ids.true_time,
        ))  # fmt: skip
        for part in parts[1:] if parts else ():
            more = RoomMessage(
                ids.new_id(), sender, who, ground.stanza_id(), part.content, thread=message.thread,
                sent_at=ids.true_time,
            )  # fmt: skip
            self._events.say(room, more)
        ground.senders.remember(room.user, room.jid, message.stanza_id, message.resource)


class SayJob:
    """One message into one room."""

    __slots__ = ("_message", "_room", "_speech", "_tries")

    def __init__(self, speech: Speech, room: Room, message: Outgoing) -> None:
        self._speech = speech
        self._room = room
        self._message = message
        self._tries = 0

    async def run(self, session: Session) -> float | None:
        """Send it. What went out is reflected to all of the user's resources in the room (XEP-0045 §7.4)."""
        if self._room.state is not JOINED:
            self.failed(Reason.NOT_IN_ROOM, "You are no longer in this room.")
            return None
        prompt = as_prompt(session)
        if prompt is not None and self._speech.at_once(self._room, self._message, prompt):
            return None
        command = self._speech.command(self._room, self._message, session)
        if isinstance(command, Dropped):
            return None
        return self._ended(command if isinstance(command, Refused) else await session.execute(command))

    def _ended(self, outcome: Outcome) -> float | None:
        if type(outcome) is Sent:
            self._speech.sent(self._room, self._message, outcome.parts)
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

    def interrupted(self, reason: Reason, text: str) -> bool:
        """Tell the sender."""
        self.failed(reason, f"{text} (The message may or may not have been sent.)")
        return False

    def failed(self, reason: Reason, text: str) -> None:
        """Tell the sender."""
        message = self._message
        self._speech.ground.face.message_failed(
            message.resource, self._room.jid, message.stanza_id, reason, text, groupchat=True
        )


class ReactionJob:
    """Reactions to one message; where the network has none, a line of text that names what it is about."""

    __slots__ = ("_address", "_archive", "_command", "_ground", "_inner", "_outgoing", "_room", "_speech")

    def __init__(
        self,
        speech: Speech,
        archive: RoomArchive,
        room: Room | None,
        address: ContactAddress | RoomAddress,
        outgoing: Outgoing,
        command: SetReactions,
    ) -> None:
        self._ground = speech.ground
        self._speech = speech
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
            return SayJob(self._speech, self._room, said)
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
