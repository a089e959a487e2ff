"""What users say: which account and chat it is for, whether they may, and into which lane it goes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import msgspec

from bridge.api import (
    ContactAddress,
    ContactId,
    CorrectMessage,
    DirectChat,
    MarkDisplayed,
    MessageId,
    NetworkAddress,
    Outcome,
    Reason,
    Refused,
    RetractMessage,
    RoomAddress,
    RoomChat,
    RunCommand,
    SendMessage,
    SendReceipt,
    SetReactions,
    SetTyping,
    Support,
    ThreadId,
    Typing,
)
from bridge.core.admission import Admission
from bridge.core.degrade import Quoted
from bridge.core.ground import Ground
from bridge.core.jobs import About, AboutJob, CommandJob
from bridge.core.live import LiveAccount
from bridge.core.outbox import Outbox, OutboxItem
from bridge.core.pacing import TokenBucket
from bridge.core.pool import SessionPool
from bridge.core.room import JOINED, Room
from bridge.core.roomarchive import RoomArchive
from bridge.core.roomevents import RoomEvents
from bridge.core.roomsay import NO_CONTENT, ReactionJob, SayJob, Speech
from bridge.core.values import Outgoing

NETWORK_LANE = ContactId("")
"""The lane of commands for the network itself; no contact has an empty id."""

TOO_FAST = "You are sending messages faster than this gateway allows. Wait a moment."


class Outbound:
    """XMPP -> network, for one gateway."""

    def __init__(
        self,
        ground: Ground,
        pool: SessionPool,
        outbox: Outbox,
        events: RoomEvents,
        archive: RoomArchive,
        admission: Admission,
    ) -> None:
        self._ground = ground
        self._pool = pool
        self._accounts = pool.by_place
        self._outbox = outbox
        self._speech = Speech(ground, events)
        self._archive = archive
        self._admission = admission
        self._buckets: dict[str, TokenBucket] = {}

    def to_room(self, room: Room, message: Outgoing) -> None:
        """Say something in a room that the resource is in. Answered by the reflection, or an error for it.
        Hot."""
        if room.state is not JOINED:
            self._unsaid(room, message, Reason.NETWORK_DOWN, "Not connected to this room right now.")
        elif self._too_fast(room.user):
            self._unsaid(room, message, Reason.RATE_LIMITED, TOO_FAST)
        else:
            live = self._accounts.get((room.user, room.address.network))
            prompt = None if live is None else live.prompt(room.chat)
            if prompt is None or not self._speech.at_once(room, message, prompt):
                live = live or self._pool.live(room.user, room.address.network)
                self._pool.push(live, room.chat, SayJob(self._speech, room, message))

    def to_contact(self, user: str, address: ContactAddress, message: Outgoing) -> None:
        """Say something to a contact. Kept until the network has answered."""
        live = self._live(user, address)
        refused = self._refusal(live)
        if refused is not None:
            jid = message.written_to or self._ground.face.jid(address)
            self._ground.face.message_failed(
                message.resource, jid, message.stanza_id, refused.reason, refused.text
            )
            return
        stanza_id = message.stanza_id or self._ground.stanza_id()
        # there are clients that count their ids from one again after each start
        digest = hashlib.blake2b(msgspec.msgpack.encode(message.content), digest_size=12).hexdigest()
        dedupe = f"{message.resource} {stanza_id} {digest}"
        chat = DirectChat(address.contact)
        now = time.time_ns() // 1000
        command: SendMessage | CorrectMessage
        if message.replaces:
            command = CorrectMessage(chat, stanza_id, MessageId(message.replaces), message.content, now)
        else:
            thread = ThreadId(message.thread) if message.thread else None
            command = SendMessage(chat, stanza_id, message.content, thread=thread, said_at=now)
        quoted = Quoted(name=message.reply_name)
        item = OutboxItem(
            user,
            address,
            command,
            quoted,
            message.resource,
            message.stanza_id,
            message.reply_to,
            message.written_to,
        )
        self._outbox.put(live, item, dedupe)

    def to_network(
        self,
        user: str,
        resource: str,
        address: NetworkAddress,
        stanza_id: str,
        text: str,
        unsupported: Callable[[], None] | None = None,
    ) -> None:
        """A command in the network's own words. It answers with lines of text. `unsupported` is called, where
        it is given, instead of an error for a network that takes no commands."""
        live = self._live(user, address)
        refused = self._refusal(live)
        if refused is not None:
            jid = self._ground.face.jid(address)
            self._ground.face.message_failed(resource, jid, stanza_id, refused.reason, refused.text)
            return
        jid = self._ground.face.jid(address)
        self._run(live, resource, jid, stanza_id, RunCommand(text), unsupported=unsupported)

    def room_command(self, room: Room, resource: str, stanza_id: str, text: str) -> None:
        """A command in the network's own words, meant for a room."""
        live = self._pool.live(room.user, room.address.network)
        self._run(live, resource, room.jid, stanza_id, RunCommand(text, room.address.room), groupchat=True)

    def typing(self, user: str, address: ContactAddress | RoomAddress, state: Typing) -> None:
        """The user is writing."""
        live = self._pool.peek(user, address.network)
        chat = _chat(address)
        if live is not None and live.session and live.capabilities(chat).typing is Support.NATIVE:
            self._pool.push(live, chat, CommandJob(SetTyping(chat, state)))

    def receipt(self, user: str, address: ContactAddress, stanza_id: str) -> None:
        """The user's client has received a contact's message."""
        live = self._pool.peek(user, address.network)
        chat = _chat(address)
        if live is not None and live.session and live.capabilities(chat).receipt is Support.NATIVE:
            self._pool.push(live, chat, self._about(live, SendReceipt(chat, MessageId(stanza_id))))

    def displayed(self, user: str, address: ContactAddress | RoomAddress, stanza_id: str) -> None:
        """The user has seen everything up to that message."""
        live = self._pool.peek(user, address.network)
        chat = _chat(address)
        if live is not None and live.session and live.capabilities(chat).marker is Support.NATIVE:
            self._pool.push(live, chat, self._about(live, MarkDisplayed(chat, MessageId(stanza_id))))

    def react(
        self,
        user: str,
        address: ContactAddress | RoomAddress,
        resource: str,
        stanza_id: str,
        target: str,
        reactions: tuple[str, ...],
    ) -> None:
        """All reactions of the user to a message."""
        if self._too_fast(user):
            groupchat = isinstance(address, RoomAddress)
            jid = self._ground.face.jid(address)
            self._ground.face.message_failed(
                resource, jid, stanza_id, Reason.RATE_LIMITED, TOO_FAST, groupchat
            )
            return
        live = self._connected(user, address, resource, stanza_id)
        if live is None:
            return
        chat = _chat(address)
        command = SetReactions(chat, MessageId(target), reactions)
        room = live.rooms.get(address.room) if isinstance(address, RoomAddress) else None
        outgoing = Outgoing(resource=resource, stanza_id=stanza_id, content=NO_CONTENT, reply_to=target)
        job = ReactionJob(self._speech, self._archive, room, address, outgoing, command)
        self._pool.push(live, chat, job)

    def retract(
        self, user: str, address: ContactAddress | RoomAddress, resource: str, stanza_id: str, target: str
    ) -> None:
        """Take a message back, or say that this cannot be done."""
        live = self._connected(user, address, resource, stanza_id)
        if live is None:
            return
        chat = _chat(address)
        face, jid = self._ground.face, self._ground.face.jid(address)
        groupchat = isinstance(address, RoomAddress)
        if live.capabilities(chat).retraction is not Support.NATIVE:
            text = "Messages cannot be taken back on this network: others have seen it."
            face.message_failed(resource, jid, stanza_id, Reason.UNSUPPORTED, text, groupchat)
            return

        def answer(outcome: Outcome) -> None:
            if isinstance(outcome, Refused):
                face.message_failed(resource, jid, stanza_id, outcome.reason, outcome.text, groupchat)

        self._pool.push(live, chat, self._about(live, RetractMessage(chat, MessageId(target)), answer))

    def forget_idle(self) -> None:
        """Drop the buckets that are full again. Called now and then."""
        now = self._ground.clock()
        for user in [user for user, bucket in self._buckets.items() if bucket.full(now)]:
            del self._buckets[user]

    # -- below

    def _about(
        self, live: LiveAccount, command: About, answer: Callable[[Outcome], None] | None = None
    ) -> CommandJob:
        """The job for a command that is about a message."""
        if isinstance(command.chat, RoomChat):
            return CommandJob(command, answer)
        contact = command.chat.contact
        return AboutJob(
            command, lambda stanza: self._ground.message_ids.network_id(live.id, contact, stanza), answer
        )

    def _unsaid(self, room: Room, message: Outgoing, reason: Reason, text: str) -> None:
        self._ground.face.message_failed(
            message.resource, room.jid, message.stanza_id, reason, text, groupchat=True
        )

    def _run(
        self,
        live: LiveAccount,
        resource: str,
        jid: str,
        stanza_id: str,
        command: RunCommand,
        groupchat: bool = False,
        unsupported: Callable[[], None] | None = None,
    ) -> None:
        face = self._ground.face

        def answer(outcome: Outcome) -> None:
            if not isinstance(outcome, Refused):
                return
            if unsupported is not None and outcome.reason is Reason.UNSUPPORTED:
                unsupported()
            else:
                face.message_failed(resource, jid, stanza_id, outcome.reason, outcome.text, groupchat)

        chat = RoomChat(command.room) if command.room is not None else DirectChat(NETWORK_LANE)
        self._pool.push(live, chat, CommandJob(command, answer))
        if live.session is None:
            self._pool.ensure(live)

    def _connected(
        self, user: str, address: ContactAddress | RoomAddress, resource: str, stanza_id: str
    ) -> LiveAccount | None:
        """The account, if it is online and in that room. None: the sender has been told that it is not."""
        live = self._pool.peek(user, address.network)
        groupchat = isinstance(address, RoomAddress)
        if live is not None and live.session is not None:
            room = live.rooms.get(address.room) if isinstance(address, RoomAddress) else None
            if not groupchat or (room is not None and room.joined):
                return live
        jid = self._ground.face.jid(address)
        text = "Not connected to this room right now." if groupchat else "Not connected to this network."
        self._ground.face.message_failed(resource, jid, stanza_id, Reason.NETWORK_DOWN, text, groupchat)
        return None

    def _live(self, user: str, address: ContactAddress | NetworkAddress) -> LiveAccount:
        live = self._pool.live(user, address.network)
        if not live.nick:
            live.nick = user.partition("@")[0]
        return live

    def _refusal(self, live: LiveAccount) -> Refused | None:
        if self._too_fast(live.user):
            return Refused(Reason.RATE_LIMITED, TOO_FAST)
        if live.session is None:
            return self._admission.to_network(live)
        return self._admission.to_talk(live.user)

    def _too_fast(self, user: str) -> bool:
        now = self._ground.clock()
        bucket = self._buckets.get(user)
        if bucket is None:
            settings = self._ground.settings
            bucket = self._buckets[user] = TokenBucket(settings.message_burst, settings.message_rate, now)
        return bucket.take(now) > 0


def _chat(address: ContactAddress | RoomAddress) -> RoomChat | DirectChat:
    return RoomChat(address.room) if isinstance(address, RoomAddress) else DirectChat(address.contact)
